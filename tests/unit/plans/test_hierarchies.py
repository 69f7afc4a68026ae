"""Hierarchies that a MaskingJob takes from a ConfigMap: looked at, and copied, at admission."""

import json
from typing import Any

import pytest

from leeward.plans.maskingjob.hierarchies import MAX_BYTES
from leeward.plans.shared.model import ObjectRef
from unit.plans.clinic import JOB, NAMESPACE, RULES, clinic, job_spec
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

TABLE = "A;Surgery;Any\nB;Surgery;Any\n"
PLACE = ObjectRef("v1", "ConfigMap", NAMESPACE, "wards")


def rule(level: int = 1) -> dict[str, Any]:
    place = {"configMap": {"name": "wards", "key": "wards.csv"}, "level": level}
    return {"name": "ward", "generalize": {"hierarchy": place}}


def with_rule(level: int = 1) -> tuple[World, Engine]:
    world, engine = clinic()
    kept = [one for one in RULES if one["name"] != "ward"]
    world.change(JOB, spec=job_spec(columns=[*kept, rule(level)]))
    return world, engine


def add(world: World, text: str, key: str = "wards.csv") -> None:
    metadata = {"name": "wards", "namespace": NAMESPACE}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    world.add(manifest | {"data": {key: text}})


@pytest.mark.parametrize(
    ("text", "key", "level", "expected", "words"),
    [
        (None, "", 1, "HierarchyMissing", "ConfigMap wards does not exist"),
        (
            TABLE,
            "other",
            1,
            "HierarchyMissing",
            "has no key wards.csv in its data (its keys: other)",
        ),
        (
            TABLE,
            "wards.csv",
            3,
            "HierarchyInvalid",
            'has 2 levels, and rule "ward" asks for level 3: ask for level 2 or a lower one',
        ),
        (
            "SECRET;x\nSECRET;y",
            "wards.csv",
            1,
            "HierarchyInvalid",
            "lines 1 and 2 are for the same",
        ),
        (
            "".join(f"{n};x\n" for n in range(MAX_BYTES // 6)),
            "wards.csv",
            1,
            "HierarchyTooLarge",
            "768 KiB",
        ),
    ],
)
def test_what_is_no_hierarchy(
    text: str | None, key: str, level: int, expected: str, words: str
) -> None:
    world, engine = with_rule(level)
    if text is not None:
        add(world, text, key)
    _, reason, message = ready(engine.settle(JOB), "Admitted")
    assert reason == expected
    assert words in message
    assert "SECRET" not in message
    assert world.of_kind("Job") == []


def test_the_table_is_copied_when_the_job_is_admitted() -> None:
    world, engine = with_rule()
    engine.settle(JOB)
    assert world.of_kind("Job") == []
    add(world, TABLE)
    engine.settle(JOB)
    job = world.only("Job")
    config = ObjectRef("v1", "ConfigMap", NAMESPACE, job["metadata"]["name"])
    told = json.loads(world.objects[config]["data"]["job.json"])
    assert [one.get("hierarchy") for one in told["rules"]] == [None, None, None, TABLE]
    world.change(PLACE, data={"wards.csv": "A;Other;Any\n"})
    engine.settle(JOB)
    assert json.loads(world.objects[config]["data"]["job.json"]) == told
