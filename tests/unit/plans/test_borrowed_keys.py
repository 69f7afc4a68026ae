"""A key is given for what was granted, and to what was admitted: to nothing in its place."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from leeward.plans.shared.model import Manifest, ObjectRef, Outcome, PatchStatus, PublishArtefactKey
from unit.plans.clinic import (
    JOB,
    OUTPUT,
    OUTPUT_DIGEST,
    PREVIEW,
    SOURCE,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    inspected,
    preview_spec,
    resource,
    sealed_source,
    started,
)
from unit.plans.datasets import DATA, OTHER_KEY, dataset, record
from unit.plans.simulator import Engine, ready
from unit.plans.world import CrashError, World


@pytest.mark.parametrize("ref", [JOB, PREVIEW])
@pytest.mark.parametrize("lies", [{"key": "data"}, {"vault_id": "99" * 16}])
def test_grant_of_one_vault_key_opens_nothing_under_another(ref: ObjectRef, lies: Manifest) -> None:
    world, engine = clinic()
    key_id = sealed_source(world)
    owner = world.keys[key_id].owner
    record(world, key_id, owner=owner, **lies)
    world.add(resource(PREVIEW, preview_spec()))
    assert ready(engine.settle(ref))[1] == "SealedWithOtherKey"
    assert world.of_kind("Secret") == []
    record(world, key_id, owner=owner)
    engine.settle(ref)
    (secret,) = world.of_kind("Secret")
    assert ("source", key_id) in secret["keys"]


def test_inspection_is_not_given_a_key_of_another_vault_key() -> None:
    world, engine = dataset("intake")
    record(world, OTHER_KEY, key="data")
    world.change(DATA, status={"keyId": OTHER_KEY})
    assert ready(engine.settle(DATA))[1] == "SealedWithOtherKey"
    assert world.of_kind("Secret") == []


def test_every_pod_knows_the_config_that_it_must_find() -> None:
    world, engine = started()
    inspected_world, inspector = dataset()
    inspector.settle(DATA)
    world.fail(exitCode=2)
    engine.settle(JOB)
    jobs = [(world, job) for job in world.of_kind("Job")]
    jobs += [(inspected_world, inspected_world.only("Job"))]
    assert len(jobs) == 3
    for place, job in jobs:
        config = place.objects[config_ref(job["metadata"]["name"])]["data"]["job.json"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        (variable,) = container["env"]
        assert variable == {
            "name": "LEEWARD_CONFIG_DIGEST",
            "value": "sha256:" + hashlib.sha256(config.encode()).hexdigest(),
        }


def suspended(**job: Any) -> tuple[World, Engine, Manifest]:
    """A job that was started, and suspended before anything ran; its spec to go on with."""
    world, engine = started(**job)
    spec = world.objects[JOB]["spec"]
    world.change(JOB, spec={**spec, "suspend": True})
    engine.settle(JOB)
    return world, engine, {**spec, "suspend": False}


def test_suspended_job_goes_on_only_while_it_is_granted() -> None:
    world, engine, on = suspended()
    grants = dataset_spec()["grants"]
    world.change(SOURCE, spec=dataset_spec(grants=[]))
    world.change(JOB, spec=on)
    assert ready(engine.settle(JOB), "Running")[1] == "NotGranted"
    assert world.only("Job")["spec"]["suspend"] is True
    assert world.of_kind("Secret") == []
    world.change(SOURCE, spec=dataset_spec(grants=grants))
    engine.settle(JOB)
    assert world.only("Job")["spec"]["suspend"] is False
    assert len(world.of_kind("Secret")) == 1


def test_suspended_job_does_not_go_on_with_what_another_dataset_grants() -> None:
    world, engine, on = suspended()
    another = {**world.objects[SOURCE]["status"], "digest": OUTPUT_DIGEST}
    world.change(SOURCE, status=another)
    world.change(JOB, spec=on)
    assert ready(engine.settle(JOB), "Failed")[1] == "SourceChanged"
    assert not any(world.started.values())
    assert world.of_kind("Secret") == []


LABELLED = [{"name": "ward", "tags": ["Sensitive"]}]


def test_job_that_goes_on_is_published_as_what_it_was_admitted_with_last() -> None:
    world, engine, on = suspended()
    world.change(SOURCE, spec=dataset_spec(columns=LABELLED))
    world.change(JOB, spec=on)
    engine.settle(JOB)
    world.change(SOURCE, spec=dataset_spec())
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"
    assert world.objects[OUTPUT]["spec"]["columns"] == LABELLED


def test_key_admitted_earlier_is_not_given_on_the_word_of_another_dataset() -> None:
    world, engine = clinic()
    key_id = sealed_source(world)

    def killed_once_the_job_is_there() -> None:
        if world.of_kind("Job"):
            raise CrashError

    world.before_effect = killed_once_the_job_is_there
    with pytest.raises(CrashError):
        engine.settle(JOB)
    assert "jobUid" not in world.objects[JOB]["status"]
    world.before_effect = None
    world.change(SOURCE, spec=dataset_spec(), status=inspected(world))
    engine.settle(JOB)
    (secret,) = world.of_kind("Secret")
    assert ("source", key_id) not in secret["keys"]
    job = world.only("Job")
    assert world.objects[JOB]["status"]["jobUid"] == job["metadata"]["uid"]
    assert job["spec"]["suspend"] is False


@pytest.mark.parametrize(
    "lie",
    [
        {"sealedWith": {"vault": {"name": "mine"}, "key": "data"}},
        {"location": {"volume": {"claimName": "data", "path": "raw/people.csv"}}},
        {"format": "CSV"},
        {"grants": [{"name": "me", "kinds": ["MaskingJob"], "purposes": ["anything"]}]},
    ],
)
def test_output_is_not_published_as_a_dataset_that_only_pretends_to_be_its_own(
    lie: Manifest,
) -> None:
    world, engine = started()
    world.succeed(answer(world))
    world.refusals.append(
        lambda action: Outcome("Invalid") if isinstance(action, PublishArtefactKey) else None
    )
    engine.settle(JOB)
    metadata, spec = world.objects[OUTPUT]["metadata"], world.objects[OUTPUT]["spec"]
    world.change(OUTPUT, metadata=metadata, spec={**spec, **lie})
    world.refusals.clear()
    assert ready(engine.settle(JOB), "Failed")[1] == "OutputNameTaken"
    assert "keyId" not in world.objects[OUTPUT].get("status", {})
    assert not any(world.published.values())


def test_output_whose_grants_were_edited_while_it_was_filled_is_still_the_jobs() -> None:
    world, engine = started()
    world.succeed(answer(world))
    world.refusals.append(
        lambda action: Outcome("Invalid") if isinstance(action, PatchStatus) else None
    )
    engine.settle(JOB)
    assert any(world.published.values())
    spec = {**world.objects[OUTPUT]["spec"], "grants": []}
    world.change(OUTPUT, metadata=world.objects[OUTPUT]["metadata"], spec=spec)
    world.refusals.clear()
    assert ready(engine.settle(JOB), "Complete")[1] == "Published"
    assert world.objects[OUTPUT]["status"]["producedBy"]["name"] == "mask"
