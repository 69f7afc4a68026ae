"""dataset rewrap: the field that it sets, what it says before, and what it waits for."""

from typing import Any

import pytest

from leeward.api.dataset import DATASET
from leeward.api.meta import API_VERSION
from leeward.cli.kinds import resource_of
from leeward.cli.port import ApiResource
from unit.cli.fake_cluster import FakeCluster, leeward

DATASETS = resource_of(DATASET)
KEY, NEW = "a" * 32, "b" * 32


def dataset(sealed: bool = True, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Dataset",
        "metadata": {
            "name": "intake",
            "namespace": "clinic",
            "generation": 1,
            "creationTimestamp": "2027-01-01T00:00:00Z",
        },
        "spec": {"sealedWith": {"vault": {"name": "v"}, "key": "k"}} if sealed else {},
        "status": {"keyId": KEY, "bytes": 4096, "publicKey": "PEM", **status},
    }


class Asked(FakeCluster):
    """A cluster in which the operator does what was asked, or says why not."""

    def __init__(self, first: dict[str, Any], *then: dict[str, Any]) -> None:
        super().__init__()
        self.then = then
        self.written: list[dict[str, Any]] = []
        self.put(DATASETS, first)

    def replace(self, resource: ApiResource, manifest: dict[str, Any]) -> dict[str, Any]:
        made = super().replace(resource, manifest)
        self.written.append(manifest["spec"])
        self.put(resource, made, *self.then)
        return made


def condition(reason: str, status: str) -> list[dict[str, Any]]:
    fields = {"message": "it is so", "lastTransitionTime": "", "observedGeneration": 1}
    return [{"type": "RotationComplete", "status": status, "reason": reason, **fields}]


@pytest.mark.parametrize(
    ("options", "field"), [((), "renewedAfter"), (("--reencrypt",), "reencryptedAfter")]
)
def test_the_field_is_set_to_now_and_the_end_is_waited_for(
    options: tuple[str, ...], field: str
) -> None:
    under_way = dataset(replacement={"phase": "Adding"}, conditions=condition("Adding", "False"))
    waits = dataset(
        keyId=NEW,
        replacement={"phase": "Draining"},
        conditions=condition("AwaitingConsumers", "False"),
    )
    cluster = Asked(dataset(), under_way, waits, dataset(keyId=NEW))
    result = leeward("dataset", "rewrap", "intake", *options, cluster=cluster)
    assert result.exit_code == 0, result.stderr
    assert cluster.written[0]["rotation"] == {field: "2027-03-01T12:00:00Z"}
    assert NEW in result.stderr


def test_why_it_failed_is_told() -> None:
    failed = dataset(replacement={"phase": "Waiting"}, conditions=condition("VolumeFull", "False"))
    cluster = Asked(dataset(), failed)
    result = leeward("dataset", "rewrap", "intake", "--reencrypt", cluster=cluster)
    assert result.exit_code == 1
    assert "VolumeFull" in result.stderr


def test_when_the_time_is_over_it_is_told_what_it_waits_for() -> None:
    inspected = {**condition("Inspected", "True")[0], "type": "Ready", "message": "2 rows"}
    waits = {**condition("AwaitingConsumers", "False")[0], "message": "KeyDelivery clinic/mute"}
    stays = dataset(replacement={"phase": "Draining"}, conditions=[inspected, waits])
    cluster = Asked(dataset(), stays)
    result = leeward("dataset", "rewrap", "intake", "--timeout", "5s", cluster=cluster)
    assert result.exit_code != 0
    assert "within 5 seconds: AwaitingConsumers: KeyDelivery clinic/mute" in result.stderr


def test_asking_alone_does_not_wait() -> None:
    cluster = Asked(dataset())
    assert leeward("dataset", "rewrap", "intake", "--no-wait", cluster=cluster).exit_code == 0
    assert cluster.written


def test_a_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    cluster = Asked(dataset())
    header = leeward("dataset", "rewrap", "intake", "--dry-run", cluster=cluster).stdout
    whole = leeward("dataset", "rewrap", "intake", "--dry-run", "--reencrypt", cluster=cluster)
    assert KEY in header
    assert "--reencrypt" in header
    assert "as much room" in whole.stdout
    assert "public half" in whole.stdout
    assert not cluster.written


def test_the_keys_of_a_file_in_a_bucket_are_not_replaced() -> None:
    there = dataset()
    there["spec"]["location"] = {"s3": {"bucket": "clinic"}}
    cluster = Asked(there)
    result = leeward("dataset", "rewrap", "intake", cluster=cluster)
    assert (result.exit_code, cluster.written) == (1, [])
    assert "bucket" in result.stderr
    assert "deletionPolicy Shred" in result.stderr


def test_a_plain_file_has_no_keys() -> None:
    result = leeward("dataset", "rewrap", "intake", cluster=Asked(dataset(sealed=False)))
    assert result.exit_code == 1
    assert "plain" in result.stderr
