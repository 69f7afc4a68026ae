"""Only the grants of the Dataset that a key belongs to open its file: no other one widens them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leeward.plans.shared.model import AdoptArtefactKey, Manifest, ObjectRef, Outcome
from unit.plans.clinic import (
    JOB,
    OUTPUT,
    PREVIEW,
    SOURCE,
    answer,
    dataset_spec,
    inspected,
    preview_spec,
    resource,
    sealed_source,
    started,
)
from unit.plans.datasets import DATA, OTHER_KEY, dataset, fails, found, record
from unit.plans.simulator import Engine, ready
from unit.plans.world import World


def over_a_file_of_people() -> tuple[World, Engine, str]:
    """A Dataset that names the file of another one, and what its inspection finds."""
    world, engine = dataset("intake")
    key_id = sealed_source(world)
    engine.settle(DATA)
    fails(world, "SealedWithOtherKey", keyIds=[key_id])
    return world, engine, key_id


def test_second_dataset_over_a_sealed_file_is_not_given_its_key() -> None:
    world, engine, key_id = over_a_file_of_people()
    owner = world.keys[key_id].owner
    status = engine.settle(DATA)
    assert ready(status)[1] == "KeyOfOtherDataset"
    assert "Dataset people" in ready(status)[2]
    assert status["keyId"] != key_id
    assert world.keys[key_id].owner == owner
    assert world.of_kind("Secret") == []


@pytest.mark.parametrize("after", ["gone", "another of that name"])
def test_dataset_takes_the_file_over_from_one_that_is_gone(after: str) -> None:
    world, engine, key_id = over_a_file_of_people()
    world.remove(SOURCE)
    if after != "gone":
        world.add(resource(SOURCE, dataset_spec()))
    status = engine.settle(DATA)
    assert status["keyId"] == key_id
    uid = world.objects[DATA]["metadata"]["uid"]
    assert world.keys[key_id].owner == f"Dataset/visits/{uid}"
    world.succeed(found(keyIds=[key_id]))
    assert ready(engine.settle(DATA))[1] == "Inspected"


def test_of_two_that_take_a_file_over_one_gets_it() -> None:
    world, engine, key_id = over_a_file_of_people()
    world.remove(SOURCE)

    def third_is_quicker(action: object) -> Outcome | None:
        if isinstance(action, AdoptArtefactKey):
            world.keys[key_id] = replace(world.keys[key_id], owner="Dataset/third/uid-third")
            world.refusals.clear()
        return None

    world.add(resource(replace(DATA, name="third"), dataset_spec()))
    third = world.objects[replace(DATA, name="third")]["metadata"]
    third["uid"] = "uid-third"
    world.refusals.append(third_is_quicker)
    status = engine.settle(DATA)
    assert ready(status)[1] == "KeyOfOtherDataset"
    assert status["keyId"] != key_id
    assert world.keys[key_id].owner == "Dataset/third/uid-third"


def test_second_dataset_over_a_masked_output_is_not_given_its_key() -> None:
    world, engine = started()
    world.succeed(answer(world))
    engine.settle(JOB)
    output = world.objects[OUTPUT]
    key_id, uid = output["status"]["keyId"], output["metadata"]["uid"]
    assert world.keys[key_id].owner == f"Dataset/{OUTPUT.name}/{uid}"
    assert ready(engine.settle(OUTPUT))[1] == "Published"
    job = world.only("Job")
    world.remove(ObjectRef("batch/v1", "Job", DATA.namespace, job["metadata"]["name"]))
    spec = dataset_spec(**{name: output["spec"][name] for name in ("location", "format")})
    world.add(resource(DATA, {**spec, "sealedWith": output["spec"]["sealedWith"]}))
    engine.settle(DATA)
    world.succeed(found(keyIds=[key_id]), world.only("Job"))
    status = engine.settle(DATA)
    assert ready(status)[1] == "KeyOfOtherDataset"
    assert "keyId" not in status


@pytest.mark.parametrize("ref", [JOB, PREVIEW])
def test_workload_is_given_no_key_on_the_grants_of_a_dataset_that_it_does_not_belong_to(
    ref: ObjectRef,
) -> None:
    world, engine = dataset("intake")
    key_id = sealed_source(world)
    world.add(resource(PREVIEW, preview_spec()))
    for owner, told in (
        ("Dataset/visits/uid", "belongs to Dataset visits, of which"),
        ("Dataset/people/earlier", "belonged to an earlier Dataset people, which is gone"),
        ("MaskingJob/mask/uid", "is MaskingJob mask's, which has not published"),
    ):
        world.keys[key_id] = replace(world.keys[key_id], owner=owner)
        _, reason, message = ready(engine.settle(ref))
        assert reason == "KeyOfOtherDataset"
        assert told in message
        assert ("use that one" in message) == ("visits" in owner)
    assert world.of_kind("Secret") == []


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({}, "KeyOfOtherDataset"),
        ({"namespace": "lab"}, "SealedWithOtherKey"),
        ({"published": False}, "SealedWithOtherKey"),
    ],
)
@pytest.mark.parametrize("produced", [True, False])
def test_key_in_the_status_of_a_dataset_is_its_own(
    lie: Manifest, reason: str, produced: bool
) -> None:
    world, engine = dataset("intake")
    people = world.objects[SOURCE]["metadata"]["uid"]
    record(world, OTHER_KEY, **{"owner": f"Dataset/people/{people}", **lie})
    status = inspected(world, keyId=OTHER_KEY, sealed=True)
    if produced:
        status["producedBy"] = {"kind": "MaskingJob", "name": "mask", "uid": "uid"}
    world.change(DATA, status=status)
    assert ready(engine.settle(DATA))[:2] == ("False", reason)
    assert world.of_kind("Secret") == []


def test_dataset_that_was_restored_takes_its_key_over() -> None:
    world, engine = dataset("intake")
    record(world, OTHER_KEY, owner="Dataset/visits/earlier")
    status = inspected(world, keyId=OTHER_KEY, sealed=True)
    status["producedBy"] = {"kind": "MaskingJob", "name": "mask", "uid": "uid"}
    world.change(DATA, status=status)
    assert ready(engine.settle(DATA))[1] == "Published"
    assert world.keys[OTHER_KEY].owner == f"Dataset/visits/{world.objects[DATA]['metadata']['uid']}"
