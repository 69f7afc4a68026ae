"""The large report on any table: it is made, hides small counts, and names no value of few."""

import datetime
import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.jobconfig import RuleConfig
from leeward.formats.report import THRESHOLD, LargeReport, ReportSubject
from leeward_masking.profiling.columns import profile
from leeward_masking.report.archive import archive
from leeward_masking.report.building import large_report
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.rules.plan import compile_plan
from leeward_masking.values.canonical import canonical_text

ABOUT = ReportSubject(job="j", source="s", output="o")
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt8(): st.integers(0, 255),
    pl.Float64(): st.floats(),
    pl.Float32(): st.floats(width=32),
    pl.Boolean(): st.booleans(),
    pl.String(): st.text(max_size=30) | st.sampled_from(["a", "b", "a@b.example"]),
    pl.Date(): st.dates(),
    pl.Datetime("us"): st.datetimes(),
    pl.Time(): st.times(),
    pl.Decimal(20, 3): st.decimals(-(10**9), 10**9, places=3),
    pl.Binary(): st.binary(max_size=4),
    pl.List(pl.Int64()): st.lists(st.integers(0, 3), max_size=2),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Up to four columns of any type, with few or many values, and nulls."""
    rows = draw(st.sampled_from([1, 2, 9, 10, 11, 40, 150]))
    columns = []
    for place in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(list(VALUES)))
        pool = draw(st.lists(VALUES[dtype], min_size=1, max_size=draw(st.sampled_from([2, 30]))))
        picks = draw(st.lists(st.integers(-1, len(pool) - 1), min_size=rows, max_size=rows))
        values = [None if pick < 0 else pool[pick] for pick in picks]
        columns.append(pl.Series(f"c{place}", values, dtype))
    return pl.DataFrame(columns)


def reported(frame: pl.DataFrame, transforms: Sequence[str]) -> LargeReport:
    given = [
        RuleConfig.model_validate({"rule": {"name": name, transform: {}}, "columns": [name]})
        for name, transform in zip(frame.columns, transforms, strict=False)
    ]
    plan = compile_plan(given, frame.schema, lambda role: b"")
    report = ReportBuilder(plan, frame.schema)
    for block in frame.iter_slices(37):
        report.add(block, plan.mask(block))
    return large_report(ABOUT, report.report(1.0), report.sample)


def shared_by_few(column: pl.Series) -> set[str]:
    """Texts of values that fewer rows than the threshold have, and long enough to tell."""
    counts = Counter(text for text in canonical_text(column).to_list() if text is not None)
    return {text for text, rows in counts.items() if rows < THRESHOLD and len(text) > 6}


@given(tables(), st.lists(st.sampled_from(["keep", "redact"]), min_size=3, max_size=3))
def test_a_report_is_made_of_any_table_and_tells_of_no_few(
    frame: pl.DataFrame, transforms: list[str]
) -> None:
    report = reported(frame, ["keep", *transforms])
    assert archive(report)
    assert LargeReport.parse(report.canonical()) == report
    shown = [side for column in report.columns for side in (column.before, column.after) if side]
    for side in shown:
        if side.kind != "Frequencies":
            assert not any(bar.rows is not None and 0 < bar.rows < THRESHOLD for bar in side.bars)
    for column in report.columns:
        values = frame.get_column(column.counts.name)
        if values.dtype == pl.String:
            told = {
                bar.label for side in (column.before, column.after) if side for bar in side.bars
            }
            assert not told & shared_by_few(values)


@given(tables())
def test_any_table_can_be_profiled(frame: pl.DataFrame) -> None:
    found = profile(frame)
    assert [column.name for column in found] == frame.columns
    assert all(0 <= column.unique <= 1 for column in found)


def test_a_day_far_off_is_no_label() -> None:
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(day % 400) for day in range(4000)]
    frame = pl.DataFrame({"born": [*days, datetime.date(1823, 7, 9)], "n": [Decimal("1.5")] * 4001})
    text = json.dumps(reported(frame, ["keep", "keep"]).model_dump(mode="json"))
    assert "1823" not in text
