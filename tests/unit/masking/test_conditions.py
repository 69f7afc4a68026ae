"""when and otherwise: which rows a rule is for, and what becomes of the others."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from leeward.formats.jobconfig import RuleConfig
from leeward_masking.errors import JobError, Place
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.conditions import condition
from leeward_masking.rules.plan import compile_plan
from unit.masking.support import KEY_REF, MATERIAL, rule, rule_with

FRAME = pl.DataFrame(
    {
        "age": [15, 18, None, 64],
        "weight": [61.5, float("nan"), None, 70.0],
        "price": pl.Series([Decimal("0.10"), Decimal("0.20"), None, Decimal("0.30")]),
        "seen": [dt.datetime(2026, 1, 31, 9), dt.datetime(2026, 2, 1), None, None],
        "born": [dt.date(2010, 1, 1), dt.date(2000, 1, 1), None, dt.date(1960, 1, 1)],
        "ward": ["A", "B", None, "A1"],
        "agreed": [True, False, None, True],
    }
)


def when(column: str, **tests: Any) -> RuleConfig:
    return rule_with(
        "age", {"redact": {}}, when={"column": column, **tests}, otherwise={"keep": {}}
    )


def rows(column: str, **tests: Any) -> list[int]:
    found = when(column, **tests).rule
    assert found.when is not None
    assert found.otherwise is not None
    assert found.fault() is None
    return condition(found.when, found.otherwise).holds(FRAME).arg_true().to_list()


@pytest.mark.parametrize(
    ("column", "tests", "held"),
    [
        ("ward", {"equals": "A"}, [0]),
        ("ward", {"oneOf": ["A", "B"]}, [0, 1]),
        ("ward", {"noneOf": ["A", "B"]}, [2, 3]),
        ("ward", {"pattern": "A[0-9]?"}, [0, 3]),
        ("ward", {"pattern": "[0-9]"}, []),
        ("ward", {"isNull": True}, [2]),
        ("ward", {"isNull": False}, [0, 1, 3]),
        ("ward", {"isNull": False, "noneOf": ["A"]}, [1, 3]),
        ("agreed", {"equals": "true"}, [0, 3]),
        ("age", {"equals": "18"}, [1]),
        ("age", {"lessThan": "18"}, [0]),
        ("age", {"lessThan": "17.5"}, [0]),
        ("age", {"atMost": "18"}, [0, 1]),
        ("age", {"atMost": "18.5"}, [0, 1]),
        ("age", {"greaterThan": "17.5"}, [1, 3]),
        ("age", {"atLeast": "18", "lessThan": "64"}, [1]),
        ("age", {"atLeast": "9" * 19}, []),
        ("weight", {"atLeast": "0"}, [0, 3]),
        ("weight", {"lessThan": "70"}, [0]),
        ("price", {"atMost": "0.2"}, [0, 1]),
        ("price", {"atLeast": "0.205"}, [3]),
        ("born", {"lessThan": "2000-01-01"}, [3]),
        ("born", {"atMost": "2000-01-01"}, [1, 3]),
        ("seen", {"atMost": "2026-01-31"}, [0]),
        ("seen", {"greaterThan": "2026-01-31"}, [1]),
    ],
)
def test_rows_for_which_it_holds(column: str, tests: dict[str, Any], held: list[int]) -> None:
    assert rows(column, **tests) == held


def masked(name: str, transform: dict[str, Any], **other: Any) -> pl.Series:
    config = rule_with(name, transform, when={"column": "ward", "pattern": "A.*"}, otherwise=other)
    plan = compile_plan([config], FRAME.schema, lambda _: MATERIAL)
    return plan.mask(FRAME).frame.get_column(name)


@pytest.mark.parametrize(
    ("name", "transform", "otherwise", "expected"),
    [
        ("age", {"redact": {}}, {"keep": {}}, [None, 18, None, None]),
        ("age", {"topBottomCode": {"bottom": "18"}}, {"redact": {}}, [18, None, None, 64]),
        ("age", {"replace": {"value": "?"}}, {"keep": {}}, ["?", "18", None, "?"]),
        ("born", {"generalize": {"dateTo": "Decade"}}, {"keep": {}}, None),
        ("born", {"timePart": {"part": "Year"}}, {"redact": {}}, [2010, None, None, 1960]),
        (
            "born",
            {"timePart": {"part": "Year"}},
            {"keep": {}},
            ["2010", "2000-01-01", None, "1960"],
        ),
        ("age", {"replace": {"value": "x"}}, {"replace": {"value": "y"}}, ["x", "y", None, "x"]),
        ("ward", {"redact": {}}, {"partialMask": {"symbol": "#"}}, [None, "#", None, None]),
    ],
)
def test_one_transform_where_it_holds_and_the_other_elsewhere(
    name: str, transform: dict[str, Any], otherwise: dict[str, Any], expected: list[Any] | None
) -> None:
    decades = [dt.date(2010, 1, 1), dt.date(2000, 1, 1), None, dt.date(1960, 1, 1)]
    assert masked(name, transform, **otherwise).to_list() == (expected or decades)


@pytest.mark.parametrize("part", [FRAME.head(0), FRAME.head(1), FRAME[1:3], FRAME])
def test_types_do_not_depend_on_the_values_of_a_block(part: pl.DataFrame) -> None:
    others: list[dict[str, Any]] = [{"keep": {}}, {"redact": {}}]
    for other in others:
        config = rule_with(
            "born",
            {"timePart": {"part": "Year"}},
            when={"column": "age", "atLeast": "18"},
            otherwise=other,
        )
        plan = compile_plan([config], FRAME.schema, lambda _: MATERIAL)
        assert plan.mask(part).frame.schema == plan.mask(FRAME).frame.schema


@pytest.mark.parametrize(
    ("dtype", "transform", "expected"),
    [
        (pl.Int32(), {"noise": {"scale": "0.001"}}, pl.Int64()),
        (pl.Decimal(9, 2), {"noise": {"scale": "0.00001"}}, pl.Decimal(38, 2)),
        (pl.Int16(), {"randomMask": {"range": {"lower": "1", "upper": "1"}}}, pl.Int64()),
        (pl.UInt64(), {"randomMask": {"range": {"lower": "1", "upper": "1"}}}, pl.String()),
        (pl.Int32(), {"hash": {"key": KEY_REF, "length": 64}}, pl.String()),
    ],
)
def test_numbers_stay_numbers_beside_wider_ones(
    dtype: pl.DataType, transform: dict[str, Any], expected: pl.DataType
) -> None:
    frame = pl.DataFrame({"n": pl.Series([1, 5, None]).cast(dtype), "ward": ["A", "B", "B"]})
    config = rule_with(
        "n",
        transform,
        key="HMAC_SHA256",
        when={"column": "ward", "equals": "A"},
        otherwise={"keep": {}},
    )
    made = compile_plan([config], frame.schema, lambda _: MATERIAL).mask(frame).frame["n"]
    assert made.dtype == expected
    assert made.tail(2).cast(pl.Float64).to_list() == [5, None]
    if expected != pl.String:
        assert made[0] == 1


def test_the_condition_looks_at_the_source_whatever_its_column_becomes() -> None:
    configs = [
        rule("ward", "redact"),
        rule_with(
            "age",
            {"redact": {}},
            when={"column": "ward", "equals": "B"},
            otherwise={"keep": {}},
        ),
    ]
    plan = compile_plan(configs, FRAME.schema, lambda _: MATERIAL)
    assert plan.mask(FRAME).frame.get_column("age").to_list() == [15, None, None, 64]


def test_a_value_that_does_not_suit_is_named_by_its_own_row() -> None:
    shape = {"key": {"vault": {"name": "v"}, "key": "k"}, "alphabet": "Digits"}
    config = rule_with(
        "ward",
        {"formatPreserving": shape},
        when={"column": "age", "atLeast": "18"},
        otherwise={"redact": {}},
        key="FF1_AES256",
    )
    plan = compile_plan([config], FRAME.schema, lambda _: MATERIAL[:32])
    with pytest.raises(JobError) as raised:
        plan.mask(FRAME, Place(101))
    assert raised.value.row == 102


def test_tokens_are_those_of_rules_without_a_condition() -> None:
    key = {"key": {"vault": {"name": "v"}, "key": "k"}}
    whole = compile_plan(
        [rule_with("ward", {"tokenize": key}, key="AES256_SIV")], FRAME.schema, lambda _: MATERIAL
    ).mask(FRAME)
    config = rule_with(
        "ward",
        {"tokenize": key},
        when={"column": "age", "isNull": False},
        otherwise={"redact": {}},
        key="AES256_SIV",
    )
    some = compile_plan([config], FRAME.schema, lambda _: MATERIAL).mask(FRAME)
    assert some.frame.get_column("ward").to_list() == whole.frame.get_column("ward").to_list()


def test_the_report_says_for_how_many_rows_it_held() -> None:
    config = when("ward", equals="A")
    plan = compile_plan([config], FRAME.select("age", "ward").schema, lambda _: MATERIAL)
    report = ReportBuilder(plan, FRAME.select("age", "ward").schema)
    report.add(FRAME, plan.mask(FRAME))
    column = report.report(0.0).columns[0]
    assert (column.applied, column.changed) == (1, 1)
    assert (column.distinct_before, column.distinct_after) == (3, 2)


@pytest.mark.parametrize(
    ("column", "tests", "code"),
    [
        ("ward", {"lessThan": "5"}, "UnsuitableColumn"),
        ("age", {"lessThan": "2000-01-01"}, "UnsuitableColumn"),
        ("nobody", {"isNull": True}, "ColumnMissing"),
        ("age", {"lessThan": "5", "atLeast": "2000-01-01"}, "InvalidConfig"),
        ("age", {}, "InvalidConfig"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_work(
    column: str, tests: dict[str, Any], code: str
) -> None:
    def begin() -> None:
        compile_plan([when(column, **tests)], FRAME.schema, lambda _: MATERIAL).check(FRAME.schema)

    with pytest.raises(JobError) as raised:
        begin()
    assert raised.value.code == code


def test_numbers_in_lists_become_text_beside_text() -> None:
    name = "visits[].days"
    frame = pl.DataFrame({name: [[1, 2], [3]], "ward": ["A", "B"]})
    config = rule_with(
        name,
        {"replace": {"value": "?"}},
        when={"column": "ward", "equals": "A"},
        otherwise={"keep": {}},
    )
    plan = compile_plan([config], frame.schema, lambda _: MATERIAL)
    assert plan.mask(frame).frame.get_column(name).to_list() == [["?", "?"], ["3"]]
