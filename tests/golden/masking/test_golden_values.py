"""Transforms without a key: what they make of the same data and random bytes stays the same."""

import hashlib
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from leeward.api.valuetransforms import Noise, NumberRange, Shuffle
from leeward.formats.jobconfig import RuleConfig
from leeward_masking.errors import FIRST
from leeward_masking.tasks.preview import first_rows, preview_frame
from leeward_masking.transforms.gathering import RuleGathering, gather
from leeward_masking.transforms.noise import NoiseMask
from leeward_masking.transforms.owndistribution import OwnDistribution
from leeward_masking.transforms.randommask import RangeMask, suppress
from leeward_masking.transforms.shuffle import ShuffleGathering
from leeward_masking.values.canonical import canonical_text
from leeward_masking.values.randomness import Random
from unit.masking.support import rule

FOLDER = Path(__file__).parent
ICD = "J45.0;J45;Respiratory\nJ18;J18;Respiratory\nE11.9;E11;Endocrine\n"
PLACE = {"configMap": {"name": "icd", "key": "icd.csv"}}
GENERALIZED: dict[str, tuple[str, dict[str, object]]] = {
    "networks": ("ip", {"ipPrefix": {}}),
    "short networks": ("ip", {"ipPrefix": {"v4": 9, "v6": 17}}),
    "quarters": ("income", {"quantiles": 4}),
    "halves": ("age", {"quantiles": 2}),
    "chapters": ("icd", {"hierarchy": PLACE | {"level": 2}}),
    "weeks": ("seen", {"dateTo": "Week"}),
}
PARTS = ("Year", "Quarter", "Month", "Week", "Weekday", "Hour")
BORDERS: dict[str, tuple[str, dict[str, object]]] = {
    "ages": ("age", {"bottom": "18", "top": "90"}),
    "incomes": ("income", {"top": "50000.25"}),
    "days": ("seen", {"bottom": "2000-01-01", "top": "2026-12-31"}),
}


def from_digests() -> Random:
    """Bytes that are the same each time; SHA-256 of a counter."""
    numbers = count()

    def random(size: int) -> bytes:
        blocks = (hashlib.sha256(bytes([next(numbers) % 256])).digest() for _ in range(size))
        return b"".join(blocks)[:size]

    return random


def of_rules(frame: pl.DataFrame) -> dict[str, pl.Series]:
    made = {name: (column, "generalize", given) for name, (column, given) in GENERALIZED.items()}
    made |= {part: ("seen", "timePart", {"part": part}) for part in PARTS}
    made |= {name: (column, "topBottomCode", given) for name, (column, given) in BORDERS.items()}
    found = {}
    for name, (column, transform, given) in made.items():
        config = rule(column, transform, given).model_dump(by_alias=True) | {"hierarchy": ICD}
        masked = preview_frame(frame, [RuleConfig.model_validate(config)], lambda role: b"")
        found[name] = masked.frame.to_series()
    return found


def finished(made: RuleGathering, frame: pl.DataFrame) -> Callable[..., pl.Series]:
    (tables,) = gather([made], [(frame, FIRST)])
    return made.finish(made.merge([tables]), 0)[0]


def of_random_bytes(frame: pl.DataFrame) -> dict[str, pl.Series]:
    age, income, group = frame["age"], frame["income"], frame["group"]
    bounds = NumberRange(lower="-5", upper="99.5")
    within = Shuffle(within=["ward"], unsuitable="Redact")
    types = frame.schema
    groups = ShuffleGathering("age", age.dtype, within, types, from_digests())
    whole = ShuffleGathering("income", income.dtype, Shuffle(), types, from_digests())
    frequent = OwnDistribution("group", group.dtype, 2, from_digests())
    numbers = OwnDistribution("age", age.dtype, 3, from_digests())
    return {
        "laplace": NoiseMask(Noise(scale="10"), from_digests())(age),
        "gaussian": NoiseMask(
            Noise(distribution="Gaussian", scale="500", round_to="0.5"), from_digests()
        )(income),
        "range": RangeMask(bounds, from_digests())(age),
        "range of floats": RangeMask(bounds, from_digests())(income),
        "suppressed": suppress("0.4", from_digests())(group),
        "shuffled": finished(whole, frame)(income),
        "shuffled in groups": finished(groups, frame)(age, frame["ward"]),
        "frequent texts": finished(frequent, frame)(group),
        "numbers between": finished(numbers, frame)(age),
    }


@pytest.mark.parametrize(
    ("golden", "made"), [("values.masked.json", of_rules), ("values.random.json", of_random_bytes)]
)
def test_golden_values(golden: str, made: Callable[[pl.DataFrame], dict[str, pl.Series]]) -> None:
    columns = made(first_rows(FOLDER / "values.csv", "CSV", 10))
    found = {name: canonical_text(column).to_list() for name, column in columns.items()}
    path = FOLDER / golden
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    assert found == json.loads(path.read_text())
