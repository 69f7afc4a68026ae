"""Labelled notes that rules for free text are measured on: who may read them, who has their key."""

from typing import Any

import pytest

from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import ArtefactKeyInfo, ObjectRef
from unit.plans.clinic import (
    DIGEST,
    JOB,
    NAMESPACE,
    RULES,
    VAULT,
    clinic,
    dataset_spec,
    inspected,
    job_spec,
    resource,
    vault_spec,
)
from unit.plans.simulator import ready
from unit.plans.world import World

SAMPLE = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "labelled")
KEY_ID = "55" * 16
NOTES = [{"name": "note", "type": "String"}, {"name": "number", "type": "Integer"}]


def rule(dataset: str = "labelled", column: str = "note", name: str = "ward") -> dict[str, Any]:
    sample = {"dataset": {"name": dataset}, "column": column}
    return {"name": name, "freeText": {"languages": ["en"], "sample": sample}}


def job(*rules: dict[str, Any]) -> dict[str, Any]:
    named = {one["name"] for one in rules}
    kept = [one for one in RULES if one["name"] not in named]
    return job_spec(columns=[*kept, *rules])


def add_sample(world: World, **changes: Any) -> None:
    place = {"volume": {"claimName": "samples", "path": "labelled.csv"}}
    spec = dataset_spec(location=place, sealedWith={"vault": {"name": "vault"}, "key": "intake"})
    world.add(resource(SAMPLE, spec | changes))
    world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "samples", "namespace": NAMESPACE},
        }
    )
    world.keys[KEY_ID] = ArtefactKeyInfo(
        id=KEY_ID,
        vault_id=world.keysets[NAMESPACE, "vault"].vault_id,
        key="intake",
        version=1,
        algorithm="HPKE_X25519",
        namespace=NAMESPACE,
        owner=f"Dataset/labelled/{world.objects[SAMPLE]['metadata']['uid']}",
        published=True,
    )
    status = inspected(world, sealed=True, keyId=KEY_ID, columns=NOTES)
    world.change(SAMPLE, status=status)


def test_pod_is_given_the_notes_and_their_key() -> None:
    world, engine = clinic()
    world.change(JOB, spec=job(rule()))
    add_sample(world)
    status = engine.settle(JOB)
    assert {"role": "sample", "id": KEY_ID, "version": 1} in status["admission"]["keys"]
    assert status["sampleKeyId"] == KEY_ID
    assert "sourceKeyId" not in status
    (config,) = (o for r, o in world.objects.items() if r.kind == "ConfigMap" and o.get("data"))
    assert '"sample":{' in config["data"]["job.json"]
    assert f'"digest":"{DIGEST}"' in config["data"]["job.json"]
    (made,) = (o for r, o in world.objects.items() if r.kind == "Job")
    pod = made["spec"]["template"]["spec"]
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"][3:]}
    assert claims == {"data": "data", "sample": "samples"}
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "sample")
    assert mount == {"name": "sample", "mountPath": "/data/sample", "readOnly": True}


def test_notes_on_the_volume_of_the_source_are_mounted_once_more() -> None:
    world, engine = clinic()
    world.change(JOB, spec=job(rule()))
    add_sample(world, location={"volume": {"claimName": "data", "path": "labelled.csv"}})
    engine.settle(JOB)
    (made,) = (o for r, o in world.objects.items() if r.kind == "Job")
    pod = made["spec"]["template"]["spec"]
    assert [v["name"] for v in pod["volumes"]] == ["config", "tmp", "keys", "data"]
    mounts = [m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if m["name"] == "data"]
    assert mounts == ["/data/source", "/data/output", "/data/sample"]


@pytest.mark.parametrize(
    ("rules", "changes", "reason", "told"),
    [
        ([rule("nowhere")], {}, "SourceMissing", "Dataset nowhere"),
        ([rule()], {"grants": []}, "NotGranted", "Dataset labelled"),
        ([rule(column="text")], {}, "ColumnMissing", 'no column "text", which rule "ward" names'),
        ([rule(column="number")], {}, "UnsuitableColumn", "labelled notes are text"),
        (
            [rule(), rule("people", name="patient")],
            {},
            "SamplesDiffer",
            "2 Datasets of labelled notes",
        ),
    ],
)
def test_what_may_not_be_read_is_not(
    rules: list[dict[str, Any]], changes: dict[str, Any], reason: str, told: str
) -> None:
    world, engine = clinic()
    world.change(JOB, spec=job(*rules))
    add_sample(world, **changes)
    _, found, message = ready(engine.settle(JOB), "Admitted")
    assert found == reason
    assert told in message
    assert not [ref for ref in world.objects if ref.kind == "Job"]


def test_known_column_that_is_not_there_is_refused() -> None:
    world, engine = clinic()
    known = [{"column": "born", "entity": "DateOfBirth"}, {"column": "who", "entity": "Person"}]
    free_text = {"languages": ["en"], "known": known}
    world.change(JOB, spec=job({"name": "ward", "freeText": free_text}))
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == "ColumnMissing"
    assert 'no column "who", which rule "ward" names in freeText.known' in message
    assert '(it has "patient", "born", "income", "ward"): correct the name' in message


def test_key_without_a_grant_opens_no_notes() -> None:
    world, engine = clinic()
    world.change(JOB, spec=job(rule()))
    add_sample(world, sealedWith={"vault": {"name": "vault"}, "key": "tokens"})
    _, reason, _ = ready(engine.settle(JOB), "Admitted")
    assert reason == "KeyAlgorithmUnsuitable"


def test_the_key_of_the_notes_counts_as_one_of_the_jobs() -> None:
    world, engine = clinic()
    spec = vault_spec()
    grants = [{"name": "g", "kinds": ["MaskingJob"], "operations": ["Mask"]}]
    many = [{"name": f"k{n}", "algorithm": "HMAC_SHA256", "grants": grants} for n in range(21)]
    world.change(VAULT, spec={**spec, "keys": [*spec["keys"], *many]})
    engine.settle(VAULT)
    scopes = ("Vault", "Dataset", "Job")
    hashes = [
        {
            "name": f"r{n}",
            "hash": {
                "key": {"vault": {"name": "vault"}, "key": f"k{n // 3}"},
                "scope": scopes[n % 3],
            },
        }
        for n in range(62)
    ]
    world.change(JOB, spec=job_spec(columns=hashes))
    assert ready(engine.settle(JOB))[1] == "ColumnMissing"
    world.change(JOB, spec=job_spec(columns=[*hashes, rule()]))
    assert ready(engine.settle(JOB))[1] == "TooManyKeys"
