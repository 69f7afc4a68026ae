"""Every transform on columns that programs trip over: the right rows, or an error by its name.

What the values become is tested beside each transform; here, that none of them ends in another
error, tells a value, or makes one where none was.
"""

import datetime as dt
from decimal import Decimal
from math import inf, nan
from typing import Any

import polars as pl
import pytest

from leeward.api.privacymodel import PrivacyModel
from leeward.formats.jobconfig import PrivacyConfig, RuleConfig
from leeward_masking.errors import JobError, Place
from leeward_masking.rules.plan import compile_plan
from leeward_masking.transforms.gathering import gather, merged
from unit.masking.support import MATERIAL, keep, rule

SECRET = "SECRET-Žofie"
NUMBER = 123456789012345678901234567890
ROWS = 6
FIRST, LAST = dt.date(1, 1, 1), dt.date(9999, 12, 31)

COLUMNS: dict[str, pl.Series] = {
    "no value": pl.Series([None] * ROWS, dtype=pl.String),
    "no number": pl.Series([None] * ROWS, dtype=pl.Float64),
    "no date": pl.Series([None] * ROWS, dtype=pl.Date),
    "mixed": pl.Series([SECRET, "1", "", None, "2020-01-01", 'é\x00\n"']),
    "all unique": pl.Series([f"{SECRET}{row}" for row in range(ROWS)]),
    "all equal": pl.Series([SECRET] * ROWS),
    "equal numbers": pl.Series([7] * ROWS),
    "one row": pl.Series([SECRET]),
    "one number": pl.Series([7]),
    "infinities": pl.Series([inf, -inf, nan, None, 0.0, -0.0]),
    "not a number": pl.Series([nan] * ROWS),
    "ends of 64 bits": pl.Series([-(2**63), 2**63 - 1, None, 0, 0, 1]),
    "beyond 63 bits": pl.Series([2**64 - 1, 0, None, 5, 5, 2**63], dtype=pl.UInt64),
    "beyond 64 bits": pl.Series([NUMBER, -NUMBER, None, 1, 2, 3], dtype=pl.Int128),
    "decimals": pl.Series([Decimal(NUMBER), Decimal("-0.5"), None] * 2, dtype=pl.Decimal(38, 2)),
    "ends of dates": pl.Series([FIRST, LAST, None, dt.date(2024, 2, 29), FIRST, LAST]),
    "ends of times": pl.Series([dt.datetime.min, dt.datetime.max, None] * 2),
    "years of five digits": pl.Series([4_000_000, -1_000_000, None] * 2, dtype=pl.Int32).cast(
        pl.Date
    ),
    "zoned": pl.Series([dt.datetime(2024, 3, 31, 1, 30), None] * 3).dt.replace_time_zone("UTC"),
    "truths": pl.Series([True, False, None] * 2),
    "categories": pl.Series([SECRET, "b", None] * 2, dtype=pl.Categorical),
    "times of day": pl.Series([dt.time.min, dt.time.max, None] * 2),
    "bytes": pl.Series([b"\xff", b"", None] * 2),
    "spans": pl.Series([dt.timedelta.max, None] * 3),
    "lists": pl.Series([[1, 2], [], None, [None], [5], [6]]),
    "long": pl.Series([SECRET * 20_000, None] * 3),
}

DIGITS = {"alphabet": "Digits"}
SEARCH = {"languages": ["en"], "entities": ["Mail"], "replacement": {"label": {}}}
RULES: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "keep": ("keep", {}, None),
    "redact": ("redact", {}, None),
    "replace": ("replace", {"value": "x"}, None),
    "partialMask": ("partialMask", {"keepLast": 2}, None),
    "hash": ("hash", {}, "HMAC_SHA256"),
    "tokenize": ("tokenize", {}, "AES256_SIV"),
    "encrypt, GCM": ("encrypt", {}, "AES256_GCM"),
    "encrypt, SIV": ("encrypt", {}, "AES256_SIV"),
    "formatPreserving": ("formatPreserving", DIGITS, "FF1_AES256"),
    "formatPreserving, Redact": (
        "formatPreserving",
        DIGITS | {"unsuitable": "Redact"},
        "FF1_AES256",
    ),
    "bins": ("generalize", {"bins": ["0", "5"]}, None),
    "quantiles": ("generalize", {"quantiles": 3}, None),
    "week": ("generalize", {"dateTo": "Week"}, None),
    "decade": ("generalize", {"dateTo": "Decade"}, None),
    "prefix": ("generalize", {"prefix": 2}, None),
    "ipPrefix": ("generalize", {"ipPrefix": {}}, None),
    "ipPrefix, Redact": ("generalize", {"ipPrefix": {"unsuitable": "Redact"}}, None),
    "dateShift": ("dateShift", {"maxDays": 3}, "AES256_SIV"),
    "fake": ("fake", {"kind": "Name"}, "HMAC_SHA256"),
    "year": ("timePart", {"part": "Year"}, None),
    "week of the year": ("timePart", {"part": "Week"}, None),
    "hour": ("timePart", {"part": "Hour"}, None),
    "topBottomCode": ("topBottomCode", {"bottom": "1", "top": "5"}, None),
    "topBottomCode, dates": ("topBottomCode", {"bottom": "1930-01-01"}, None),
    "noise": ("noise", {"scale": "1000000000000", "lower": "0"}, None),
    "range": ("randomMask", {"range": {"lower": "1", "upper": "9"}}, None),
    "distribution": ("randomMask", {"distribution": {"minRows": 1}}, None),
    "suppress": ("randomMask", {"suppress": "0.5"}, None),
    "shuffle": ("shuffle", {}, None),
    "shuffle in groups": ("shuffle", {"within": ["g"], "unsuitable": "Redact"}, None),
    "freeText": ("freeText", SEARCH, None),
}
MAKES_VALUES = frozenset({"replace", "suppress", "shuffle", "shuffle in groups"})
"""Where null does not stay null in its row."""


def masked(
    frame: pl.DataFrame, rules: list[RuleConfig], privacy: PrivacyConfig | None = None
) -> pl.DataFrame:
    plan = compile_plan(rules, frame.schema, lambda role: MATERIAL, privacy)
    while plan.gatherings:
        blocks = [(block, Place()) for block in frame.iter_slices(1)]
        plan = plan.finished(merged(plan.gatherings, [gather(plan.gatherings, blocks)]))
    return plan.mask(frame).frame


def check_refusal(error: JobError) -> None:
    assert error.code in ("UnsuitableColumn", "InvalidConfig", "PrivacyModelUnmet")
    told = error.result().model_dump_json()
    assert SECRET not in told
    assert str(NUMBER) not in told
    assert (error.column in ("c", "c[]")) == (error.code == "UnsuitableColumn")
    assert error.remedy


@pytest.mark.parametrize("name", COLUMNS)
def test_every_transform(name: str) -> None:
    column = COLUMNS[name].alias("c[]" if name == "lists" else "c")
    frame = pl.DataFrame([column, pl.Series("g", [row % 2 for row in range(len(column))])])
    done = 0
    for title, (transform, parameters, key) in RULES.items():
        given = rule(column.name, transform, parameters, key=key, subject="g")
        try:
            found = masked(frame, [given, keep("g")])
        except JobError as error:
            check_refusal(error)
            continue
        done += 1
        assert found.height == frame.height, title
        if title not in MAKES_VALUES:
            after = found.get_column(column.name)
            assert (after.is_null() | column.is_not_null()).all(), title
    assert done >= 3


@pytest.mark.parametrize("name", COLUMNS)
def test_a_privacy_model(name: str) -> None:
    frame = pl.DataFrame([COLUMNS[name].alias("c")])
    anonymity = {"k": 2, "quasiIdentifiers": ["c"], "maxSuppression": "0.2"}
    model = PrivacyModel.model_validate({"kAnonymity": anonymity})
    try:
        found = masked(frame, [keep("c")], PrivacyConfig(model=model))
    except JobError as error:
        check_refusal(error)
        return
    assert found["c"].value_counts()["count"].min() != 1
