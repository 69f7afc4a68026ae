"""Dataset: its inspection, and what is in the way of one."""

from __future__ import annotations

import json

import pytest

from leeward.api.meta import API_VERSION
from leeward.formats.result import Result
from leeward.plans.shared.model import (
    DeliverKeys,
    Manifest,
    ObjectRef,
    Outcome,
    PublishArtefactKey,
)
from leeward.plans.shared.names import ref_of
from unit.plans.clinic import COLUMNS, DIGEST, NAMESPACE, dataset_spec
from unit.plans.datasets import DATA, OTHER_KEY, config, dataset, fails, found, record
from unit.plans.simulator import ready
from unit.plans.world import World, condition, stamp


def test_plain_file_is_inspected() -> None:
    world, engine = dataset()
    status = engine.settle(DATA)
    assert ready(status)[:2] == ("False", "Inspecting")
    assert config(world).sealed is False
    assert world.of_kind("Secret") == []
    world.succeed(found())
    status = engine.settle(DATA)
    assert ready(status) == ("True", "Inspected", "3 rows, 4 columns")
    assert status["columns"] == COLUMNS
    assert (status["digest"], status["rows"], status["sealed"]) == (DIGEST, 3, False)
    assert world.of_kind("Job") == []
    assert engine.settle(DATA) == status


def test_policy_is_put_back_after_the_inspection() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.succeed(found())
    engine.settle(DATA)
    policy = world.only("NetworkPolicy")
    world.remove(ref_of(policy))
    assert ready(engine.settle(DATA))[1] == "Inspected"
    assert world.only("NetworkPolicy")["spec"] == policy["spec"]


def test_waiting_for_the_file() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    pod = world.start_pod()
    world.progress[pod["metadata"]["name"]] = {"done": 0, "total": 0, "unit": "waiting"}
    status = engine.settle(DATA)
    assert ready(status)[1] == "AwaitingData"
    assert "raw/people.csv" in ready(status)[2]


def test_inspections_for_a_missing_file_come_less_and_less_often() -> None:
    world, engine = dataset()
    delays = []
    for _ in range(3):
        engine.settle(DATA)
        fails(world, "FileMissing")
        plan = engine.reconcile(DATA)
        assert plan is not None
        assert ready(plan.status)[1] == "AwaitingData"
        assert plan.requeue_after is not None
        delays.append(plan.requeue_after)
        world.pass_time(plan.requeue_after)
    assert delays == [60, 120, 240]
    names = {ref.name for ref in world.created if ref.kind == "Job"}
    assert len(names) == 3


@pytest.mark.parametrize("how", ["annotation", "generation"])
def test_inspection_is_made_at_once_when_somebody_asks(how: str) -> None:
    world, engine = dataset()
    engine.settle(DATA)
    fails(world, "FileMissing")
    engine.settle(DATA)
    assert len(world.created) > 0
    before = world.only("Job")["metadata"]["name"]
    if how == "annotation":
        world.annotate(DATA, inspect="now")
    else:
        world.change(DATA, spec=dataset_spec(sensitivity="Masked"))
    engine.settle(DATA)
    assert world.only("Job")["metadata"]["name"] != before


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("FileEmpty", {}),
        ("MalformedData", {"row": 7, "column": "born"}),
        ("WrongEncoding", {"row": 3}),
        ("WrongFormat", {}),
        ("DuplicateColumn", {"column": "id"}),
        ("Tampered", {}),
    ],
)
def test_bad_file_is_named_with_place_and_remedy(code: str, place: Manifest) -> None:
    world, engine = dataset()
    engine.settle(DATA)
    fails(world, code, **place)
    status = engine.settle(DATA)
    value, reason, message = ready(status)
    assert (value, reason) == ("False", code)
    assert "what to do" in message
    assert "leeward.dev/inspect" in message
    assert all(str(part) in message for part in place.values())
    world.pass_time(100_000)
    world.done.clear()
    engine.settle(DATA)
    assert world.done == []


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "PodOutOfMemory"),
        ({"exitCode": 1}, "PodFailed"),
    ],
)
def test_passing_failures_are_tried_again(end: Manifest, reason: str) -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.fail(**end)
    plan = engine.reconcile(DATA)
    assert plan is not None
    assert ready(plan.status)[1] == reason
    assert plan.requeue_after == 60


def test_annotation_after_a_good_inspection_asks_for_another() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.succeed(found())
    engine.settle(DATA)
    world.annotate(DATA, inspect="again")
    assert ready(engine.settle(DATA))[:2] == ("False", "Inspecting")
    world.succeed(found(rows=4))
    assert engine.settle(DATA)["rows"] == 4


def test_new_grants_need_no_new_inspection() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.succeed(found())
    engine.settle(DATA)
    world.done.clear()
    world.change(DATA, spec=dataset_spec(grants=[]))
    assert ready(engine.settle(DATA))[0] == "True"
    assert world.done == []


def test_column_that_the_file_lacks() -> None:
    world, engine = dataset(
        subjectColumn="who", columns=[{"name": "born", "tags": []}, {"name": "note", "tags": []}]
    )
    engine.settle(DATA)
    world.succeed(found())
    status = engine.settle(DATA)
    assert ready(status)[1] == "ColumnMissing"
    assert '"note", "who"' in ready(status)[2]
    world.change(DATA, spec=dataset_spec())
    assert ready(engine.settle(DATA))[0] == "True"


def test_answer_too_large_for_a_message() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    name = world.start_pod()["metadata"]["name"]
    result = Result.model_validate(found())
    world.progress[name] = {"done": 1, "unit": "result", "resultDigest": result.content_digest()}
    world.results[name] = json.loads(result.canonical())
    assert ready(engine.settle(DATA))[:2] == ("True", "Inspected")
    assert world.of_kind("Pod") == []


def test_lost_inspection_is_made_again() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    name = world.only("Job")["metadata"]["name"]
    world.remove(ObjectRef("batch/v1", "Job", NAMESPACE, name))
    engine.settle(DATA)
    assert world.only("Job")["metadata"]["name"] == name


def test_lost_answer_is_asked_for_again() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    condition(world.only("Job"), "Complete", "")
    plan = engine.reconcile(DATA)
    assert plan is not None
    assert ready(plan.status)[1] == "ResultLost"
    assert plan.requeue_after == 60


def test_claim_missing() -> None:
    world, engine = dataset(location={"volume": {"claimName": "nope", "path": "x.csv"}})
    status = engine.settle(DATA)
    assert ready(status)[1] == "VolumeClaimMissing"
    assert "nope does not exist" in ready(status)[2]
    assert "delete the Dataset and create it again" in ready(status)[2]
    assert world.done == []


def test_image_missing() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.start_pod(waiting={"reason": "ImagePullBackOff"})
    assert ready(engine.settle(DATA))[1] == "ImageMissing"
    world.image = "registry.example/corrected"
    assert ready(engine.settle(DATA, times=8))[1] == "Inspecting"
    container = world.only("Job")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == world.image


def test_inspection_that_an_admission_webhook_changed_is_not_made_again_and_again() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    job = world.only("Job")
    job["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.example/masking"
    world.start_pod(waiting={"reason": "ErrImagePull"})
    assert ready(engine.settle(DATA, times=8))[1] == "ImageMissing"
    assert world.only("Job")["metadata"]["uid"] == job["metadata"]["uid"]


@pytest.mark.parametrize(
    ("sealed_with", "reason"),
    [
        ({"vault": {"name": "nope"}, "key": "intake"}, "VaultMissing"),
        ({"vault": {"name": "vault"}, "key": "nope"}, "KeyMissing"),
        ({"vault": {"name": "vault"}, "key": "tokens"}, "KeyAlgorithmUnsuitable"),
    ],
)
def test_key_that_cannot_be_used(sealed_with: Manifest, reason: str) -> None:
    world, engine = dataset(sealedWith=sealed_with)
    assert ready(engine.settle(DATA))[1] == reason
    assert world.done == []


def test_namespace_not_enabled() -> None:
    world, engine = dataset("intake")
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, DeliverKeys) else None
    )
    status = engine.settle(DATA)
    assert ready(status)[1] == "NamespaceNotEnabled"
    assert "leeward namespace enable clinic" in ready(status)[2]
    world.refusals.clear()
    assert ready(engine.settle(DATA))[1] == "Inspecting"


def test_passing_key_fault_at_the_end_loses_nothing() -> None:
    world, engine = dataset("intake")
    key_id = engine.settle(DATA)["keyId"]
    world.succeed(found(keyIds=[key_id]))
    world.refusals.append(
        lambda action: Outcome("Missing") if isinstance(action, PublishArtefactKey) else None
    )
    assert ready(engine.settle(DATA))[0] == "False"
    world.refusals.clear()
    assert ready(engine.settle(DATA))[:2] == ("True", "Inspected")


def produced(world: World, *, uid: str, kind: str = "MaskingJob") -> None:
    made = world.objects[DATA]
    metadata = {
        **made["metadata"],
        "annotations": {"leeward.dev/produced-by": f"{kind}/mask/{uid}"},
    }
    world.change(DATA, metadata=metadata)


def test_unpublished_output_waits_for_its_job() -> None:
    world, engine = dataset("data")
    job = ObjectRef(API_VERSION, "MaskingJob", NAMESPACE, "mask")
    produced(world, uid=world.objects[job]["metadata"]["uid"])
    assert ready(engine.settle(DATA))[1] == "Publishing"
    assert world.of_kind("Job") == []
    world.remove(job)
    engine.settle(DATA)
    assert config(world).source.key_role is None


def test_output_of_something_that_is_no_workload_is_waited_for_by_nobody() -> None:
    world, engine = dataset("data")
    produced(world, uid="uid", kind="Unicorn")
    engine.settle(DATA)
    assert config(world).source.key_role is None


def test_published_output_whose_key_is_lost() -> None:
    world, engine = dataset("data")
    status = {
        "keyId": OTHER_KEY,
        "digest": DIGEST,
        "rows": 3,
        "producedBy": {"kind": "MaskingJob", "name": "mask", "uid": "u"},
    }
    world.change(DATA, status=status)
    assert ready(engine.settle(DATA))[1] == "KeyLost"
    record(world, OTHER_KEY, key="data", algorithm="AES256_GCM", public_key=None)
    assert ready(engine.settle(DATA)) == ("True", "Published", "3 rows, written by MaskingJob mask")
    world.annotate(DATA, inspect=stamp(world.now))
    assert ready(engine.settle(DATA))[1] == "Inspecting"
