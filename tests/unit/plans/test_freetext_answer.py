"""What a pod says of free text is held to what was asked, and told in the status."""

from typing import Any

import pytest

from leeward.plans.shared.model import Manifest
from unit.plans.clinic import JOB, RULES, answer, clinic
from unit.plans.simulator import ready
from unit.plans.world import World

NOTE = {"name": "ward", "freeText": {"languages": ["en"], "minRecall": "0.9"}}
COLUMNS = [*(rule for rule in RULES if rule["name"] != "ward"), NOTE]


def section(**changes: Any) -> Manifest:
    recall = [
        {"entity": entity, "language": "en", "labelled": 10, "recall": figure}
        for entity, figure in (("Mail", "1.000"), ("Person", "0.900"))
    ]
    found = {"Mail": 2, "Person": 3}
    return {"column": "ward", "rule": "ward", "found": found, "recall": recall, **changes}


def ended(*sections: Manifest) -> tuple[World, tuple[str, str, str]]:
    world, engine = clinic(columns=COLUMNS)
    engine.settle(JOB)
    given = answer(world)
    given["report"]["columns"][-1]["transform"] = "freeText"
    given["report"]["freeText"] = list(sections)
    world.succeed(given)
    return world, ready(engine.settle(JOB))


def test_findings_and_the_lowest_recall_are_told() -> None:
    world, (status, reason, _) = ended(section())
    assert (status, reason) == ("True", "Published")
    told = world.objects[JOB]["status"]["freeText"]
    assert told == {"findings": 5, "lowestRecall": "0.900"}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ([], 'how well the notes of rule "ward" were searched'),
        ([section(recall=[])], 'how well the notes of rule "ward" were searched'),
        (
            [section(recall=[{"entity": "Mail", "labelled": 10, "recall": "0.899"}])],
            'recall of rule "ward" is below its minRecall',
        ),
    ],
)
def test_what_was_not_measured_or_is_too_low_is_not_published(
    sections: list[Manifest], words: str
) -> None:
    _, (_, reason, message) = ended(*sections)
    assert reason == "ResultMismatch"
    assert words in message
