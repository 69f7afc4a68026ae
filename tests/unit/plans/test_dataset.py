"""Dataset: its key, its inspection, and what an inspection can find."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from leeward.api.meta import API_VERSION
from leeward.formats.jobconfig import InspectConfig, parse_job_config
from leeward.formats.result import Result
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    DeliverKeys,
    Manifest,
    ObjectRef,
    Outcome,
    PublishArtefactKey,
)
from unit.plans.clinic import COLUMNS, DIGEST, FILE_ID, NAMESPACE, clinic, dataset_spec, resource
from unit.plans.simulator import PEM, Engine, World, condition, ready, stamp

DATA = ObjectRef(API_VERSION, "Dataset", NAMESPACE, "visits")
OTHER_KEY = "77" * 16


def dataset(sealed: str | None = None, **changes: Any) -> tuple[World, Engine]:
    world, engine = clinic()
    if sealed is not None:
        changes["sealedWith"] = {"vault": {"name": "vault"}, "key": sealed}
    world.add(resource(DATA, dataset_spec(**changes)))
    return world, engine


def found(**changes: Any) -> Manifest:
    return {
        "formatVersion": 1,
        "outcome": "Succeeded",
        "source": {
            "path": "/data/source/raw/people.csv",
            "digest": DIGEST,
            "bytes": 100,
            "rows": 3,
            "columns": COLUMNS,
            **changes,
        },
    }


def fails(world: World, code: str, **error: Any) -> None:
    message = {
        "formatVersion": 1,
        "outcome": "Failed",
        "error": {"code": code, "message": "what is wrong", "remedy": "what to do", **error},
    }
    world.fail(exitCode=2, message=json.dumps(message))


def record(world: World, key_id: str, **changes: Any) -> None:
    """An artefact key that is in the store already."""
    info = {
        "id": key_id,
        "vault_id": world.keysets[NAMESPACE, "vault"].vault_id,
        "key": "intake",
        "version": 1,
        "algorithm": "HPKE_X25519",
        "namespace": NAMESPACE,
        "owner": "Dataset/other/uid",
        "published": True,
        "public_key": PEM,
        **changes,
    }
    world.keys[key_id] = ArtefactKeyInfo(**info)


def config(world: World) -> InspectConfig:
    name = world.only("Job")["metadata"]["name"]
    stored = world.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, name)]
    parsed = parse_job_config(stored["data"]["job.json"].encode())
    assert isinstance(parsed, InspectConfig)
    return parsed


# --- plain --------------------------------------------------------------------------------------


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
    assert "nope" in ready(status)[2]
    assert world.done == []


def test_image_missing() -> None:
    world, engine = dataset()
    engine.settle(DATA)
    world.start_pod(waiting={"reason": "ImagePullBackOff"})
    assert ready(engine.settle(DATA))[1] == "ImageMissing"


# --- sealed by its owner to its public half -----------------------------------------------------


def test_public_half_is_there_before_the_data() -> None:
    world, engine = dataset("intake", location={"volume": {"claimName": "nope", "path": "x"}})
    status = engine.settle(DATA)
    assert status["publicKey"] == PEM
    published = world.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, "lds-visits-public-key")]
    assert published["data"]["public.pem"] == PEM
    jwk = json.loads(published["data"]["public.jwk"])
    assert (jwk["kty"], jwk["crv"], jwk["kid"]) == ("OKP", "X25519", status["keyId"])
    raw = base64.urlsafe_b64decode(jwk["x"] + "=")
    assert base64.b64encode(raw).decode() == "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="


def test_public_half_edited_by_hand_is_put_back() -> None:
    world, engine = dataset("intake")
    engine.settle(DATA)
    ref = ObjectRef("v1", "ConfigMap", NAMESPACE, "lds-visits-public-key")
    world.change(ref, data={"public.pem": "mine"})
    engine.settle(DATA)
    assert world.objects[ref]["data"]["public.pem"] == PEM


def test_sealed_file_is_inspected_with_its_key_which_is_then_taken_away() -> None:
    world, engine = dataset("intake")
    status = engine.settle(DATA)
    assert config(world).source.key_role == "source"
    (secret,) = world.of_kind("Secret")
    assert secret["keys"] == [("source", status["keyId"])]
    world.succeed(found(fileId=FILE_ID, keyIds=[status["keyId"]]))
    status = engine.settle(DATA)
    assert ready(status)[:2] == ("True", "Inspected")
    assert (status["sealed"], status["sourceId"]) == (True, FILE_ID)
    assert world.of_kind("Secret") == []
    assert world.keys[status["keyId"]].published


def test_awaiting_sealed_data_says_how_to_seal() -> None:
    world, engine = dataset("intake")
    engine.settle(DATA)
    fails(world, "FileMissing")
    message = ready(engine.settle(DATA))[2]
    assert "leeward dataset public-key visits" in message
    assert "leeward seal" in message
    assert world.of_kind("Secret") == []


@pytest.mark.parametrize(
    ("changes", "adopted"),
    [
        ({}, True),
        ({"published": False, "owner": "Dataset/visits/earlier"}, True),
        ({"published": False}, False),
        ({"namespace": "lab"}, False),
        ({"key": "data"}, False),
        ({"vault_id": "99" * 16}, False),
    ],
)
def test_file_sealed_with_an_earlier_key(changes: Manifest, adopted: bool) -> None:
    world, engine = dataset("intake")
    engine.settle(DATA)
    record(world, OTHER_KEY, **changes)
    fails(world, "SealedWithOtherKey", keyIds=[OTHER_KEY])
    status = engine.settle(DATA)
    assert (status["keyId"] == OTHER_KEY) is adopted
    if adopted:
        assert ready(status)[1] == "Inspecting"
        (secret,) = world.of_kind("Secret")
        assert secret["keys"] == [("source", OTHER_KEY)]
    else:
        assert ready(status)[1] == "SealedWithOtherKey"
        assert OTHER_KEY in ready(status)[2]


def test_key_that_was_adopted_and_still_does_not_open_is_not_adopted_again() -> None:
    world, engine = dataset("intake")
    engine.settle(DATA)
    record(world, OTHER_KEY)
    fails(world, "SealedWithOtherKey", keyIds=[OTHER_KEY])
    engine.settle(DATA)
    fails(world, "SealedWithOtherKey", keyIds=[OTHER_KEY])
    assert ready(engine.settle(DATA))[1] == "SealedWithOtherKey"


def test_key_is_made_after_a_crash_and_lost_only_once_it_was_shown() -> None:
    world, engine = dataset("intake")
    world.change(DATA, status={"keyId": OTHER_KEY})
    assert engine.settle(DATA)["publicKey"] == PEM
    assert OTHER_KEY in world.keys
    world.keys.clear()
    status = engine.settle(DATA)
    assert ready(status)[1] == "KeyLost"
    assert world.keys == {}


# --- sealed with a symmetric key ----------------------------------------------------------------


def test_symmetric_key_is_found_in_the_file() -> None:
    world, engine = dataset("data")
    engine.settle(DATA)
    assert config(world).sealed is True
    assert config(world).source.key_role is None
    assert world.of_kind("Secret") == []
    record(world, OTHER_KEY, key="data", algorithm="AES256_GCM", public_key=None)
    world.succeed(found(keyIds=[OTHER_KEY]))
    status = engine.settle(DATA)
    assert status["keyId"] == OTHER_KEY
    assert "digest" not in status
    assert config(world).source.key_role == "source"


def test_unknown_symmetric_key() -> None:
    world, engine = dataset("data")
    engine.settle(DATA)
    world.succeed(found(keyIds=[OTHER_KEY]))
    assert ready(engine.settle(DATA))[1] == "SealedWithOtherKey"


# --- what is in the way -------------------------------------------------------------------------


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


# --- made by a job ------------------------------------------------------------------------------


def produced(world: World, *, uid: str) -> None:
    made = world.objects[DATA]
    metadata = {
        **made["metadata"],
        "annotations": {"leeward.dev/produced-by": f"MaskingJob/mask/{uid}"},
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
    record(world, OTHER_KEY, key="data", algorithm="AES256_GCM")
    assert ready(engine.settle(DATA)) == ("True", "Published", "3 rows, written by MaskingJob mask")
    world.annotate(DATA, inspect=stamp(world.now))
    assert ready(engine.settle(DATA))[1] == "Inspecting"
