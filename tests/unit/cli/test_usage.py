"""keys usage."""

import json

from leeward.api.dataset import DATASET
from leeward.api.keyvault import KEYVAULT
from leeward.cli.errors import ApiError
from leeward.cli.kinds import resource_of
from leeward.cli.port import Manifest
from unit.cli.fake_cluster import FakeCluster, condition, leeward, resource

ADMISSIONS = {"kind": "Dataset", "namespace": "clinic", "name": "admissions", "artefactKeys": 1}


def version(number: int, state: str, count: int, *dependents: Manifest) -> Manifest:
    return {
        "version": number,
        "state": state,
        "createdAt": "2027-03-01T11:00:00Z",
        "artefactKeys": count,
        "resources": len(dependents) + (count > 3),
        "dependents": list(dependents),
    }


def key(name: str, *versions: Manifest) -> Manifest:
    made = "2027-03-01T11:00:00Z"
    return {
        "name": name,
        "algorithm": "AES256_GCM",
        "primaryVersion": len(versions),
        "createdAt": made,
        "rotatedAt": made,
        "versions": list(versions),
    }


def dataset(name: str, key_id: str | None, **vault: str) -> Manifest:
    sealed = {"vault": {"name": "vault", **vault}, "key": "data"}
    status = {} if key_id is None else {"keyId": key_id}
    return resource("Dataset", name, spec={"sealedWith": sealed}, **status)


def clinic() -> FakeCluster:
    cluster = FakeCluster()
    cluster.put(
        resource_of(KEYVAULT),
        resource(
            "KeyVault",
            "vault",
            condition("Ready", "True", "KeysReady"),
            keys=[
                key("data", version(2, "Primary", 4), version(1, "Enabled", 1, ADMISSIONS)),
                key("tokens", version(1, "Primary", 2)),
            ],
        ),
    )
    for made in (dataset("admissions", "a" * 32), dataset("visits", "b" * 32)):
        cluster.put(resource_of(DATASET), made)
    cluster.put(resource_of(DATASET), dataset("elsewhere", "c" * 32, namespace="lab"))
    cluster.put(resource_of(DATASET), resource("Dataset", "plain", spec={}))
    return cluster


def test_counts_and_datasets_are_put_side_by_side() -> None:
    result = leeward("keys", "usage", "vault", cluster=clinic())
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1][:4] == ["data", "2", "Primary", "4"]
    assert rows[2] == ["data", "1", "Enabled", "1", "Dataset", "clinic/admissions"]
    assert ["clinic/admissions", "data", "1", "a" * 32] in rows
    assert ["clinic/visits", "data", "?", "b" * 32] in rows
    assert "elsewhere" not in result.stdout
    assert "5 artefact keys beside those" in result.stderr


def test_one_version_of_one_key_as_json() -> None:
    args = ("keys", "usage", "vault", "data", "--version", "1", "-o", "json")
    found = json.loads(leeward(*args, cluster=clinic()).stdout)
    assert [v["artefactKeys"] for k in found["keys"] for v in k["versions"]] == [1]
    assert [d["name"] for d in found["datasets"]] == ["admissions"]
    assert found["otherArtefactKeys"] == 0


def test_who_may_not_list_everywhere_is_told_so() -> None:
    cluster = clinic()
    cluster.refused[resource_of(DATASET).path()] = ApiError(403, "datasets is forbidden")
    result = leeward("keys", "usage", "vault", "-o", "json", cluster=cluster)
    assert json.loads(result.stdout)["allNamespaces"] is False
    assert "you may not list" in result.stderr or result.stderr == ""
    shown = leeward("keys", "usage", "vault", cluster=cluster)
    assert "namespaces that you may not list" in shown.stderr


def test_a_key_or_version_that_there_is_not_is_said() -> None:
    unknown = leeward("keys", "usage", "vault", "nope", cluster=clinic())
    assert (unknown.exit_code, "use one of data, tokens" in unknown.stderr) == (1, True)
    assert leeward("keys", "usage", "vault", "--version", "7", cluster=clinic()).exit_code == 1
    assert leeward("keys", "usage", "nobody", cluster=clinic()).exit_code == 1
