"""``leeward dataset rewrap``: ask for other keys of a Dataset's file, and wait for them.

The request is a field of the Dataset (``rotation.renewedAfter`` or ``rotation.reencryptedAfter``),
so that what was asked for can be read there, and asking twice for the same moment does it once.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Final

from leeward.api.dataset import DATASET
from leeward.cli.changing import change
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.datasets import find_dataset
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.output import byte_size, print_raw
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session
from leeward.cli.waiting import watch

_CONDITION: Final = "RotationComplete"
_GOES_ON: Final = frozenset(
    {
        "Adding",
        "Distributing",
        "Draining",
        "Encrypting",
        "Removing",
        "Destroying",
        "AwaitingConsumers",
        "AwaitingDataset",
    }
)
"""Reasons of RotationComplete that say that it is under way."""


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """What is asked for.

    Attributes:
        namespace, name: The Dataset.
        reencrypt: All of the file, not its header alone.
        wait: Whether to wait until it is done.
        timeout: For so many seconds.
    """

    namespace: str
    name: str
    reencrypt: bool
    wait: bool
    timeout: float


def describe_replacement(session: Session, cluster: Cluster, request: ReplaceRequest) -> None:
    """Say what would happen, and change nothing.

    Raises:
        CliError: There is no such Dataset, or its file has no keys to replace.
    """
    found = _sealed(cluster, request)
    status: dict[str, Any] = found.get("status") or {}
    size = byte_size(status["bytes"]) if "bytes" in status else "of unknown size"
    lines = [f"artefact key {status.get('keyId', '(none yet)')} gets a successor"]
    if request.reencrypt:
        lines += [
            f"the file ({size}) is encrypted anew beside the present one, which needs as much room"
            " again for that time, and takes its place in one step",
            "the Dataset is not ready meanwhile: jobs that run end first, others wait",
            "its digest changes; its source id stays, so tokens stay linkable",
        ]
    else:
        lines += [
            f"the header of the file is written anew (16 KiB of {size}); its contents and its"
            " digest stay",
            "jobs go on: who began with the old key keeps it until he is done, others get the new"
            " one",
            "this does not help where the data key of the file is known to somebody: --reencrypt"
            " does",
        ]
    if "publicKey" in status:
        lines.append(
            "its public half changes: what is sealed to the present one afterwards is refused"
            f" (leeward dataset public-key {request.name} prints the new one)"
        )
    lines.append("the old key is destroyed when nothing depends on it; copies made before keep it")
    for line in lines:
        print_raw(session.out, f"- {line}")


def replace_keys(session: Session, cluster: Cluster, request: ReplaceRequest) -> None:
    """Ask for it, and wait until it is done.

    Raises:
        CliError: There is no such Dataset, it has no keys, it failed, or the time is over.
    """
    before = _ask(cluster, request)
    kind = "encrypted anew" if request.reencrypt else "rewrapped"
    if not request.wait:
        session.err.print(f"asked that the file of dataset/{request.name} is {kind}")
        return

    def reached(resource: Manifest) -> bool:
        status: dict[str, Any] = resource.get("status") or {}
        done = condition_of(resource, _CONDITION)
        if done is not None and done.current and not done.holds and done.reason not in _GOES_ON:
            raise CliError(f"the keys of Dataset {request.name} are as they were: {in_words(done)}")
        return status.get("keyId") != before and "replacement" not in status

    namespace, name = request.namespace, request.name
    goal = f"a file that is {kind}"
    resource = watch(
        session,
        cluster,
        DATASET,
        namespace,
        name,
        request.timeout,
        goal,
        reached,
        told_by=_CONDITION,
    )
    session.err.print(
        f"the file of dataset/{name} is {kind}: it opens with key {resource['status']['keyId']}"
        " alone, and the old key is destroyed"
    )


def _ask(cluster: Cluster, request: ReplaceRequest) -> str:
    """Set the field to now; the id of the key that is there."""
    field = "reencryptedAfter" if request.reencrypt else "renewedAfter"

    def edit(changed: Manifest) -> None:
        if "keyId" not in (changed.get("status") or {}):
            ready = in_words(condition_of(changed, "Ready"))
            raise CliError(
                f"Dataset {request.name} has no key yet: {ready}",
                f"wait for it: leeward wait dataset/{request.name}",
            )
        moment = _moment(cluster, changed)
        changed["spec"].setdefault("rotation", {})[field] = moment

    label = f"Dataset {request.name}"
    stored = change(cluster, resource_of(DATASET), label, lambda: _sealed(cluster, request), edit)
    return str(stored["status"]["keyId"])


def _moment(cluster: Cluster, found: Manifest) -> str:
    """Now, or the second after what was asked for before, or after the Dataset was created."""
    asked = [moment for moment in (found["spec"].get("rotation") or {}).values() if moment]
    latest = max([found["metadata"]["creationTimestamp"], *asked], key=_parsed)
    now = cluster.server_time()
    least = _parsed(latest) + datetime.timedelta(seconds=1)
    return max(now, least if least - now < _AHEAD else now).strftime("%Y-%m-%dT%H:%M:%SZ")


_AHEAD: Final = datetime.timedelta(minutes=1)


def _parsed(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(moment.upper())


def _sealed(cluster: Cluster, request: ReplaceRequest) -> Manifest:
    found = find_dataset(cluster, request.namespace, request.name)
    if not found["spec"].get("sealedWith"):
        raise CliError(
            f"the file of Dataset {request.name} is plain: it has no keys to replace",
            "seal it, and create a Dataset with sealedWith for it",
        )
    if "s3" in found["spec"].get("location", {}):
        raise CliError(
            f"the file of Dataset {request.name} lies in a bucket, where nothing is written in"
            " place: its keys cannot be replaced",
            "seal the file to another Dataset (leeward dataset put), and delete this one with"
            " deletionPolicy Shred",
        )
    return found
