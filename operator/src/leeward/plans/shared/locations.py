"""Where files lie, as pods reach it: a mounted volume, or a bucket with credentials and egress."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from leeward.api.dataset import Location
from leeward.api.workload import Egress
from leeward.formats.jobconfig import (
    OUTPUT_MOUNT,
    S3_MOUNT,
    SAMPLE_MOUNT,
    SOURCE_MOUNT,
    S3Store,
)

Use = Literal["source", "output", "sample"]
"""What a pod does with it: the output is written, all else is read."""
MOUNTS: Final[dict[Use, str]] = {
    "source": SOURCE_MOUNT,
    "output": OUTPUT_MOUNT,
    "sample": SAMPLE_MOUNT,
}


@dataclass(frozen=True, slots=True)
class Places:
    """What a pod reads and writes."""

    source: Location | None = None
    output: Location | None = None
    sample: Location | None = None

    @property
    def by_use(self) -> tuple[tuple[Use, Location], ...]:
        """Those that there are."""
        uses: tuple[tuple[Use, Location | None], ...] = (
            ("source", self.source),
            ("output", self.output),
            ("sample", self.sample),
        )
        return tuple((use, place) for use, place in uses if place is not None)

    @property
    def egress(self) -> tuple[Egress, ...]:
        """What the pod must reach."""
        return egress_of([place for _, place in self.by_use])


def pod_path(location: Location, use: Use) -> str:
    """The path that a pod is told."""
    return location.path if location.volume is None else f"{MOUNTS[use]}/{location.path}"


def pod_store(location: Location, use: Use) -> S3Store | None:
    """The bucket that a pod is told of; None: it is a volume."""
    place = location.s3
    if place is None:
        return None
    return S3Store(
        endpoint=place.endpoint.rstrip("/"),
        bucket=place.bucket,
        region=place.region,
        path_style=place.path_style,
        credentials=credentials_folder(use),
        ca=f"{ca_folder(use)}/{CA_FILE}" if place.ca_ref else None,
    )


CA_FILE: Final = "ca.crt"


def credentials_folder(use: Use) -> str:
    """Where a pod finds the values of the Secret."""
    return f"{S3_MOUNT}/{use}"


def ca_folder(use: Use) -> str:
    """Where a pod finds who may have certified the endpoint."""
    return f"{S3_MOUNT}/{use}-ca"


def egress_of(locations: Sequence[Location]) -> tuple[Egress, ...]:
    """What pods must reach for these."""
    wanted = (
        Egress(cidrs=list(place.s3.cidrs), port=place.s3.port) for place in locations if place.s3
    )
    found: list[Egress] = []
    for each in wanted:
        if each not in found:
            found.append(each)
    return tuple(found)


def claim_of_volume(location: Location) -> str | None:
    """The PersistentVolumeClaim; None: it is a bucket."""
    return None if location.volume is None else location.volume.claim_name


def place_in_words(location: Location) -> str:
    """The place without the path, for messages."""
    if location.s3 is not None:
        return f"in bucket {location.s3.bucket} of {location.s3.endpoint}"
    return f"on PersistentVolumeClaim {claim_of_volume(location)}"
