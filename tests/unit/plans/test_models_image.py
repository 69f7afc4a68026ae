"""Jobs whose rules want a language model run in the image that has some; others do not."""

from typing import Any

import pytest

from leeward.plans.shared.model import Manifest
from unit.plans.clinic import JOB, RULES, clinic
from unit.plans.simulator import ready
from unit.plans.world import IMAGE, World

MODELS = "registry.example/leeward-masking-models:1"


def started(engine: str, models_image: str | None) -> tuple[World, tuple[str, str, str]]:
    note = {"name": "ward", "freeText": {"languages": ["en"], "engine": engine}}
    world, loop = clinic(columns=[*(rule for rule in RULES if rule["name"] != "ward"), note])
    world.models_image = models_image
    return world, ready(loop.settle(JOB), "Admitted")


def pod(world: World) -> Manifest:
    (job,) = [found for ref, found in world.objects.items() if ref.kind == "Job"]
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(("engine", "image"), [("Model", MODELS), ("Patterns", IMAGE)])
def test_the_image_is_that_of_the_rules(engine: str, image: str) -> None:
    world, (status, _, _) = started(engine, MODELS)
    assert status == "True"
    assert pod(world)["containers"][0]["image"] == image
    assert world.objects[JOB]["status"]["admission"]["image"] == image


def test_without_such_an_image_the_job_waits_and_says_how_to_make_one() -> None:
    world, (_, reason, message) = started("Model", None)
    assert reason == "ModelsMissing"
    assert message.startswith('rule "ward" sets freeText.engine to Model, and this installation')
    assert "images/masking-models" in message
    assert "masking.modelsImage.repository" in message
    assert not [ref for ref in world.objects if ref.kind == "Job"]
