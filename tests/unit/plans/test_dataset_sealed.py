"""Dataset: the artefact key of a sealed file."""

from __future__ import annotations

import base64
import json

import pytest

from leeward.plans.shared.model import (
    Manifest,
    ObjectRef,
)
from unit.plans.clinic import FILE_ID, NAMESPACE
from unit.plans.datasets import DATA, OTHER_KEY, config, dataset, fails, found, record, shared
from unit.plans.simulator import ready
from unit.plans.world import PEM


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


def test_key_that_was_just_made_is_not_taken_for_lost() -> None:
    world, engine = dataset("intake")
    engine.reconcile(DATA)
    assert ready(world.objects[DATA]["status"])[1] == "Inspecting"


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


def test_file_that_names_two_keys_and_opens_with_neither_is_not_tried_with_each_in_turn() -> None:
    world, engine = dataset("intake")
    engine.settle(DATA)
    both = [OTHER_KEY, "88" * 16]
    for key_id in both:
        record(world, key_id)
    fails(world, "SealedWithOtherKey", keyIds=both)
    assert engine.settle(DATA)["keyId"] == both[0]
    fails(world, "SealedWithOtherKey", keyIds=both)
    status = engine.settle(DATA)
    assert (status["keyId"], ready(status)[1]) == (both[0], "SealedWithOtherKey")


def test_key_named_by_its_public_half_is_not_adopted_twice() -> None:
    world, engine = dataset("intake")
    status = engine.settle(DATA)
    fingerprint = "ab" * 16
    world.keys[fingerprint] = world.keys[status["keyId"]]
    fails(world, "SealedWithOtherKey", keyIds=[fingerprint])
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


def test_a_file_that_a_partner_sealed_with_the_imported_key() -> None:
    """The file names the key by its fingerprint, which no record here has."""
    world, engine = shared()
    status = engine.settle(DATA)
    assert config(world).source.key_role == "source"
    (secret,) = world.of_kind("Secret")
    assert secret["keys"] == [("source", status["keyId"])]
    world.succeed(found(fileId=FILE_ID, keyIds=["ab" * 16]))
    assert ready(engine.settle(DATA))[1] == "Inspected"
    assert engine.settle(DATA)["keyId"] == status["keyId"]


def test_a_file_that_a_job_sealed_under_the_imported_key() -> None:
    world, engine = shared()
    before = engine.settle(DATA)["keyId"]
    record(world, OTHER_KEY, key="data", algorithm="AES256_GCM", public_key=None)
    fails(world, "SealedWithOtherKey", keyIds=[OTHER_KEY])
    status = engine.settle(DATA)
    assert status["keyId"] == OTHER_KEY != before
    assert config(world).source.key_role == "source"


def test_a_copy_of_a_shared_key_is_lost_only_once_it_opened_the_file() -> None:
    world, engine = shared()
    key_id = engine.settle(DATA)["keyId"]
    del world.keys[key_id]
    assert engine.settle(DATA)["keyId"] == key_id
    assert key_id in world.keys
    world.succeed(found(fileId=FILE_ID, keyIds=[key_id]))
    assert ready(engine.settle(DATA))[1] == "Inspected"
    del world.keys[key_id]
    assert ready(engine.settle(DATA))[1] == "KeyLost"
