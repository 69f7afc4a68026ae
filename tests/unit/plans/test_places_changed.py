"""A Job that waits, while the Dataset that it reads comes to name another claim or Secret."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.plans.shared.model import DeliverKeys, Manifest, Outcome
from leeward.plans.shared.names import ref_of
from unit.plans.clinic import (
    JOB,
    NAMESPACE,
    SOURCE,
    answer,
    clinic,
    dataset_spec,
    inspected,
)
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

STORE: Manifest = {
    "endpoint": "https://s3.example:9000/",
    "bucket": "clinic",
    "path": "raw/people.csv",
    "credentialsRef": {"name": "reader"},
    "caRef": {"name": "authorities", "key": "s3.pem"},
    "cidrs": ["203.0.113.0/24"],
}
VOLUME: Manifest = {"claimName": "data", "path": "raw/people.csv"}
CLAIM = {"metadata": {"name": "moved", "namespace": NAMESPACE}}
CHANGES: dict[str, tuple[Manifest, Manifest]] = {
    "claim": ({"volume": VOLUME}, {"volume": VOLUME | {"claimName": "moved"}}),
    "credentials": ({"s3": STORE}, {"s3": STORE | {"credentialsRef": {"name": "other"}}}),
    "authorities": ({"s3": STORE}, {"s3": STORE | {"caRef": {"name": "other", "key": "s3.pem"}}}),
    "key of them": ({"s3": STORE}, {"s3": STORE | {"caRef": {"name": "authorities"}}}),
}


def place(before: Manifest) -> tuple[World, Engine]:
    world, engine = clinic()
    world.add({"apiVersion": "v1", "kind": "PersistentVolumeClaim"} | CLAIM)
    world.change(SOURCE, spec=dataset_spec(location=before), status=inspected(world))
    return world, engine


def move(world: World, after: Manifest) -> None:
    world.change(SOURCE, spec=dataset_spec(location=after))


def suspend(world: World, engine: Engine, on: bool) -> Manifest:
    world.change(JOB, spec=world.objects[JOB]["spec"] | {"suspend": on})
    return engine.settle(JOB, times=8)


def volumes(world: World) -> list[Any]:
    found: list[Any] = world.only("Job")["spec"]["template"]["spec"]["volumes"]
    return found


def expected(after: Manifest) -> list[Any]:
    """The volumes of a job that has never seen another place."""
    world, engine = place(after)
    engine.settle(JOB)
    return volumes(world)[3:]


@pytest.mark.parametrize("change", CHANGES)
def test_before_its_start_the_job_is_made_again(change: str) -> None:
    before, after = CHANGES[change]
    world, engine = place(before)
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, DeliverKeys) else None
    )
    first = engine.settle(JOB)["admission"]
    move(world, after)
    world.refusals.clear()
    second = engine.settle(JOB)["admission"]
    assert second["jobName"] != first["jobName"]
    assert second["keys"] == first["keys"]
    assert volumes(world)[3:] == expected(after)


@pytest.mark.parametrize("change", CHANGES)
def test_a_job_that_was_suspended_goes_on_as_another_one(change: str) -> None:
    before, after = CHANGES[change]
    world, engine = place(before)
    engine.settle(JOB)
    first = suspend(world, engine, True)["jobUid"]
    move(world, after)
    assert suspend(world, engine, False)["jobUid"] != first
    assert world.only("Job")["spec"]["suspend"] is False
    assert volumes(world)[3:] == expected(after)


def test_another_one_waits_for_the_last_pod_of_the_first() -> None:
    before, after = CHANGES["claim"]
    world, engine = place(before)
    engine.settle(JOB)
    pod, first = world.start_pod(), world.only("Job")
    suspend(world, engine, True)
    move(world, after)
    assert ready(suspend(world, engine, False), "Running")[:2] == ("False", "PlaceChanged")
    assert world.only("Job")["metadata"]["uid"] == first["metadata"]["uid"]
    assert world.only("Job")["spec"]["suspend"] is True
    world.remove(ref_of(pod))
    engine.settle(JOB, times=8)
    world.succeed(answer(world))
    assert ready(engine.settle(JOB))[1] == "Published"
    assert world.only("Job")["metadata"]["uid"] != first["metadata"]["uid"]


def test_addresses_that_changed_meanwhile_are_reached_by_the_job_that_goes_on() -> None:
    world, engine = place({"s3": STORE})
    engine.settle(JOB)
    first = suspend(world, engine, True)["jobUid"]
    move(world, {"s3": STORE | {"cidrs": ["198.51.100.0/24"]}})
    status = suspend(world, engine, False)
    assert status["jobUid"] == first
    assert status["admission"]["egress"] == [{"cidrs": ["198.51.100.0/24"], "port": 9000}]
    egress = world.only("NetworkPolicy")["spec"]["egress"]
    assert egress[0]["to"] == [{"ipBlock": {"cidr": "198.51.100.0/24"}}]
