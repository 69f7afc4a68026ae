"""Two jobs that would make a Dataset of one name: one is admitted, the other one says why not."""

from __future__ import annotations

from contextlib import suppress

import pytest

from leeward.plans.shared.model import ArtefactKeyOf, Create, Manifest, ObjectRef
from unit.plans.clinic import (
    JOB,
    NAMESPACE,
    OUTPUT,
    PREVIEW,
    SOURCE,
    answer,
    clinic,
    config_ref,
    dataset_spec,
    error,
    job_spec,
    preview_spec,
    resource,
    started,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import CrashError, StaleError, World

OTHER = ObjectRef(JOB.api_version, JOB.kind, NAMESPACE, "other")
CLAIM = config_ref("output-people-masked")


def rivals() -> tuple[World, Engine]:
    """A job that runs, and another one with the same output."""
    world, engine = started()
    world.add(resource(OTHER, job_spec()))
    return world, engine


def refused(status: Manifest) -> None:
    assert ready(status, "Admitted")[:2] == ("False", "OutputNameTaken")
    assert "MaskingJob mask is about to make a Dataset people-masked" in ready(status)[2]
    assert "spec.output.dataset" in ready(status)[2]


def test_the_second_job_is_refused_before_it_makes_anything() -> None:
    world, engine = rivals()
    world.done.clear()
    refused(engine.settle(OTHER))
    assert world.done == []


def test_of_two_that_find_the_name_free_one_gets_it() -> None:
    world, engine = clinic()
    world.add(resource(OTHER, job_spec()))

    def overtake() -> None:
        world.before_effect = None
        engine.settle(JOB)

    world.before_effect = overtake
    plan = Engine(world, seed=2).reconcile(OTHER)
    while plan is None or not ready(plan.status, "Admitted")[0]:
        plan = Engine(world, seed=2).reconcile(OTHER)
    refused(plan.status)
    assert len(world.of_kind("Job")) == 1
    assert not [key for key in world.keys if world.look(ArtefactKeyOf(key)).owner.count("/other/")]


def test_a_job_that_failed_leaves_the_name_to_the_next() -> None:
    world, engine = rivals()
    engine.settle(OTHER)
    world.fail(exitCode=2, message=error("MalformedData"))
    engine.settle(JOB)
    assert CLAIM not in world.objects
    assert ready(engine.settle(OTHER), "Admitted")[0] == "True"


def test_a_job_that_is_deleted_leaves_the_name_to_the_next() -> None:
    world, engine = rivals()
    engine.settle(OTHER)
    world.remove(JOB)
    assert CLAIM not in world.objects
    assert ready(engine.settle(OTHER), "Admitted")[0] == "True"


def test_a_job_that_published_leaves_the_name_to_its_dataset() -> None:
    world, engine = rivals()
    world.succeed(answer(world))
    engine.settle(JOB)
    assert CLAIM not in world.objects
    status = engine.settle(OTHER)
    assert ready(status, "Admitted")[1] == "OutputNameTaken"
    assert "a Dataset people-masked exists" in ready(status)[2]
    world.remove(OUTPUT)
    assert ready(engine.settle(OTHER), "Admitted")[0] == "True"


def test_a_job_that_may_not_start_any_more_gives_the_name_back() -> None:
    world, engine = clinic()
    world.crash_after = 4
    with suppress(CrashError):
        engine.reconcile(JOB)
    assert CLAIM in world.objects
    world.change(SOURCE, spec=dataset_spec(grants=[]))
    assert ready(engine.settle(JOB))[1] == "NotGranted"
    assert CLAIM not in world.objects


def test_a_claim_that_outlived_its_job_holds_nobody_up() -> None:
    """A job made again under its name comes before the garbage collector; or it never came."""
    world, engine = started()
    left = world.objects[CLAIM]
    world.remove(JOB)
    world.objects[CLAIM] = left
    world.add(resource(JOB, job_spec()))
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"
    assert world.objects[CLAIM]["metadata"]["annotations"] != left["metadata"]["annotations"]


def test_of_two_that_find_a_claim_left_over_one_gets_the_name() -> None:
    world, engine = started()
    left = world.objects[CLAIM]
    world.remove(JOB)
    world.objects[CLAIM] = left
    for ref in (JOB, OTHER):
        world.add(resource(ref, job_spec()))

    def overtake() -> None:
        world.before_effect = None
        engine.settle(JOB)

    world.before_effect = overtake
    with pytest.raises(StaleError):
        engine.settle(OTHER)
    refused(engine.settle(OTHER))
    assert len(world.of_kind("Job")) == 1


@pytest.mark.parametrize("kind", [None, "Unicorn"])
def test_a_config_map_of_somebody_else_is_left_alone(kind: str | None) -> None:
    world, engine = clinic()
    theirs: Manifest = {"name": CLAIM.name, "namespace": NAMESPACE}
    if kind is not None:
        named = {"role": "output-name", "kind": kind, "name": "sparkle"}
        theirs["labels"] = {f"leeward.dev/{name}": value for name, value in named.items()}
    world.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": theirs})
    status = engine.settle(JOB)
    assert ready(status)[1] == "OutputNameTaken"
    assert "ConfigMap output-people-masked" in ready(status)[2]
    assert CLAIM in world.objects


def test_a_preview_claims_nothing() -> None:
    world, engine = clinic()
    world.add(resource(PREVIEW, preview_spec()))
    engine.settle(PREVIEW)
    made = [a.manifest["metadata"]["name"] for a in world.done if isinstance(a, Create)]
    assert not [name for name in made if name.startswith("output-")]
