"""Recall and precision on the labelled notes must not fall below what they are."""

from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from leeward_masking.freetext import FreeTextDetector, Score, evaluate, read_labelled

FOLDER = Path(__file__).parent
FORMED = [
    "Card",
    "DateOfBirth",
    "Iban",
    "Ip",
    "Mail",
    "MedicalRecordNumber",
    "NationalId",
    "Phone",
    "Url",
]
# Recall with nothing left of the value, and precision of overlapping spans.
FLOORS = {
    ("en", "Person"): (0.89, 0.96),
    ("zh", "Person"): (0.94, 0.97),
    ("en", "Address"): (1.0, 1.0),
    ("zh", "Address"): (1.0, 1.0),
    **{(language, entity): (1.0, 1.0) for language in ("en", "zh") for entity in FORMED},
}


@cache
def scores(language: str) -> MappingProxyType[str, Score]:
    lines = (FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    notes, labelled = read_labelled(lines)
    return MappingProxyType(dict(evaluate(labelled, FreeTextDetector().find(notes))))


@pytest.mark.parametrize(("language", "entity"), FLOORS)
def test_floor(language: str, entity: str) -> None:
    recall, precision = FLOORS[language, entity]
    score = scores(language)[entity]
    assert score.labelled
    assert score.recall >= recall
    assert score.precision >= precision


def test_every_labelled_entity_has_a_floor() -> None:
    assert {(one, entity) for one in ("en", "zh") for entity in scores(one)} == set(FLOORS)
