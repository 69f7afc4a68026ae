"""What is wrong with a place in a bucket is said by ``kubectl apply``."""

import json
import subprocess
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cluster.clinic import Manifest, dataset, masking_job

pytestmark = pytest.mark.cluster

RunKubectl = Callable[..., "subprocess.CompletedProcess[str]"]
S3: Manifest = {
    "endpoint": "https://s3.example:9000",
    "bucket": "clinic",
    "path": "raw/visits.csv",
    "credentialsRef": {"name": "s3"},
    "cidrs": ["10.20.0.0/16"],
}


def placed(**changes: Any) -> Manifest:
    return dataset("placed", "unused", location={"s3": S3 | changes})


def job(**changes: Any) -> Manifest:
    made = masking_job("job", "visits", [{"name": "phone", "redact": {}}], **changes)
    made["spec"]["output"]["location"] = {"s3": S3 | {"path": "masked/"}}
    return made


ROTATION = {"renewedAfter": "2027-01-01T00:00:00Z"}
BAD: dict[str, tuple[Manifest, list[str]]] = {
    "two locations": (
        dataset("d", "d", location={"volume": {"claimName": "c", "path": "a"}, "s3": S3}),
        ["spec.location", "name exactly one location"],
    ),
    "endpoint without TLS": (
        placed(endpoint="http://s3.example"),
        ["spec.location.s3.endpoint", "must begin with https://"],
    ),
    "endpoint with credentials": (
        placed(endpoint="https://me:pass@s3.example"),
        ["spec.location.s3.endpoint", "host and port only"],
    ),
    "endpoint with a bucket": (
        placed(endpoint="https://s3.example/clinic"),
        ["spec.location.s3.endpoint", "host and port only"],
    ),
    "bucket in capitals": (placed(bucket="Clinic"), ["spec.location.s3.bucket", "lower-case"]),
    "way out of the bucket": (placed(path="../x"), ["spec.location.s3.path", "without '..'"]),
    "addresses that are none": (
        placed(cidrs=["10.0.0.0/33"]),
        ["spec.location.s3.cidrs[0]", "must be a range of addresses (CIDR), as 10.20.0.0/16"],
    ),
    "no addresses": (placed(cidrs=[]), ["spec.location.s3.cidrs"]),
    "sealed folder in a bucket": (
        dataset("d", "d", sealed=True, location={"s3": S3 | {"path": "raw/"}}),
        ["spec.location.s3.path", "names an object: take away the '/'"],
    ),
    "keys replaced in a bucket": (
        dataset("d", "d", sealed=True, location={"s3": S3}, rotation=ROTATION),
        ["spec.rotation", "cannot be written in place", "remove rotation"],
    ),
    "several pods into a bucket": (
        job(parallelism=2),
        ["spec.parallelism", "set parallelism to 1, or write to a volume"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_place_is_refused(run_kubectl: RunKubectl, namespace: str, name: str) -> None:
    manifest, messages = BAD[name]
    done = run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert [message for message in messages if message not in done.stderr] == [], done.stderr


def test_what_leads_to_a_bucket_can_be_changed_and_the_place_cannot(
    run_kubectl: RunKubectl, namespace: str
) -> None:
    def applied(**changes: Any) -> "subprocess.CompletedProcess[str]":
        manifest = deepcopy(placed(**changes))
        return run_kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(manifest))

    assert applied().returncode == 0
    moved = applied(
        cidrs=["10.21.0.0/16", "2001:db8::/32"],
        credentialsRef={"name": "other"},
        caRef={"name": "authorities"},
        region="eu-central-1",
        pathStyle=False,
    )
    assert moved.returncode == 0, moved.stderr
    others: dict[str, str] = {"bucket": "other", "path": "b", "endpoint": "https://s3.other"}
    for field, value in others.items():
        refused = applied(**{field: value})
        assert "cannot be changed: delete the resource and create it again" in refused.stderr
