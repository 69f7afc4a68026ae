"""What others put beside the children of a resource is not taken for one of them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from leeward.plans.shared.model import Manifest
from unit.plans.clinic import JOB, answer, started
from unit.plans.datasets import DATA, dataset, found
from unit.plans.simulator import ready
from unit.plans.world import World, condition

FORGERIES: list[Any] = [
    lambda references: [],
    lambda references: [{**references[0], "controller": False}],
    lambda references: [{**references[0], "uid": "another"}],
]


def forge(world: World, pod: Manifest, forgery: Any, result: Manifest) -> None:
    """A pod with the labels of the Job's own, which answers first."""
    forged = copy.deepcopy(pod)
    metadata = forged["metadata"]
    metadata["name"] = "a-forged-pod"
    metadata["ownerReferences"] = forgery(metadata["ownerReferences"])
    forged = world.add(forged)
    world.end_pod(forged, "Succeeded", exitCode=0, message=json.dumps(result))


@pytest.mark.parametrize("forgery", FORGERIES)
def test_answer_of_a_pod_that_is_not_the_jobs_is_not_published(forgery: Any) -> None:
    world, engine = started()
    pod = world.start_pod()
    forge(world, pod, forgery, answer(world))
    condition(world.only("Job"), "Complete", "")
    world.end_pod(pod, "Succeeded", exitCode=0)
    assert ready(engine.settle(JOB), "Failed")[1] == "ResultLost"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_a_pod_of_others_says_of_a_file_is_not_believed(forgery: Any) -> None:
    world, engine = dataset()
    engine.settle(DATA)
    pod = world.start_pod()
    forge(world, pod, forgery, found(rows=9))
    condition(world.only("Job"), "Complete", "")
    world.end_pod(pod, "Succeeded", exitCode=0, message=json.dumps(found(rows=3)))
    assert engine.settle(DATA)["rows"] == 3
