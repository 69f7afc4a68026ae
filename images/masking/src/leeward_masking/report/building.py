"""From a sample of rows to the large report."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from leeward.formats.report import (
    ColumnDetail,
    Identifying,
    LargeReport,
    ReportSection,
    ReportSubject,
)
from leeward.formats.result import ColumnReport, MaskingReport
from leeward_masking.profiling.looks import FREE_TEXT, Looks, looks
from leeward_masking.profiling.uniqueness import telling, unique_share, worst_combinations
from leeward_masking.report.distributions import frequencies, scale_of, spread, summary
from leeward_masking.report.relations import relations
from leeward_masking.report.sample import PRIORITY, RowSample, Share
from leeward_masking.report.sections import sections_of
from leeward_masking.report.utility import outliers, utility
from leeward_masking.rules.plan import MaskPlan
from leeward_masking.values.canonical import column_type

COMPARED: Final = frozenset(
    {
        "keep",
        "generalize",
        "topBottomCode",
        "noise",
        "timePart",
        "dateShift",
        "shuffle",
        "randomMask",
    }
)
"""Transforms whose values are shown before and after. Of the others, that would tell what was to be
hidden: frequencies of values beside those of their pseudonyms lead from one to the other."""
GONE: Final = frozenset({"drop", "redact", "replace"})
"""Transforms that leave nothing of the values."""
_STILL_REAL: Final = frozenset({"keep", "shuffle", "partialMask", "freeText", "topBottomCode"})
"""Transforms that leave values, or parts of them, as they were: what looks personal then is."""
_PSEUDONYMS: Final = frozenset({"hash", "tokenize", "encrypt", "formatPreserving", "fake"})
"""Transforms whose results say nothing of a person to who has no key."""
_WITHHELD: Final = "Its values stay hidden: how many rows share one is shown instead."
_NAMES_PEOPLE: Final = "It is tagged DirectIdentifier, so its values are not shown."
_NOTHING_LEFT: Final = "Nothing of its values is left, and none of them are shown."


def sample_of(
    plan: MaskPlan, schema: pl.Schema, seed: int | None = None, *, share: Share | None = None
) -> RowSample:
    """An empty sample of what the report needs to see of each column.

    Args:
        plan: What is done to the columns.
        schema: Of the source.
        seed: Of the sample.
        share: What it is a part of; None: it is of all rows.
    """
    before = {
        column.name: column.transform in COMPARED and column.condition is None
        for column in plan.columns
        if column_type(schema[column.name]) != "Other"
        and (column.transform not in GONE or column.condition is not None)
    }
    empty = plan.mask(pl.DataFrame(schema=schema)).frame
    after = {
        name: True
        for name, dtype in empty.schema.items()
        if column_type(dtype) != "Other" and name in before
    }
    return RowSample(before, after, seed, share=share)


def large_report(
    about: ReportSubject,
    counts: MaskingReport,
    sample: RowSample,
    *,
    withheld: Sequence[str] = (),
    sections: Sequence[ReportSection] = (),
) -> LargeReport:
    """Put the report together.

    Args:
        about: What it is about.
        counts: What was counted of all rows.
        sample: Rows before and after.
        withheld: Columns whose values are not shown, whatever their transform.
        sections: What was measured besides.
    """
    tables = sample.tables()
    before, after = tables["before"].sort(PRIORITY), tables["after"].sort(PRIORITY)
    kept = before.filter(pl.col(PRIORITY).is_in(after.get_column(PRIORITY).implode()))
    there = [entry for entry in counts.columns if entry.name in after.columns]
    real = looks(
        [
            after.get_column(e.name)
            for e in there
            if e.transform in _STILL_REAL or e.applied is not None
        ]
    )
    details = [
        _detail(entry, (before, kept, after), entry.name in withheld, real.get(entry.name))
        for entry in counts.columns
    ]
    shown = [detail.counts.name for detail in details if detail.withheld is None]
    related = relations(kept, after, shown)
    left = after.select(
        e.name for e in there if e.transform not in _PSEUDONYMS or e.applied is not None
    )
    return LargeReport(
        about=about,
        rows_before=counts.rows,
        rows_after=counts.rows if counts.written is None else counts.written,
        sampled=after.height,
        columns=details,
        combinations=worst_combinations(left, telling(left)),
        sections=[*sections_of(counts), *sections, *([related] if related else [])],
    )


def _detail(
    counts: ColumnReport,
    sides: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    withheld: bool,
    seen: Looks | None,
) -> ColumnDetail:
    """Args: ``sides``: all rows before, those of them that stay, and these after."""
    name = counts.name
    before, kept, after = sides
    if counts.transform in GONE and counts.applied is None:
        return ColumnDetail(counts=counts, withheld=_NOTHING_LEFT)
    if name not in before.columns or name not in after.columns:
        return ColumnDetail(counts=counts)
    old, new = before.get_column(name), after.get_column(name)
    identifying = _identifying(new, seen)
    if counts.transform not in COMPARED or counts.applied is not None or withheld:
        why = _NAMES_PEOPLE if withheld else _WITHHELD
        return ColumnDetail(
            counts=counts,
            before=frequencies(old),
            after=frequencies(new),
            withheld=why,
            utility=utility(kept.get_column(name), new),
            identifying=identifying,
        )
    shared = scale_of((old, new))
    return ColumnDetail(
        counts=counts,
        before=spread(old, shared or scale_of((old,))),
        after=spread(new, shared or scale_of((new,))),
        summary_before=summary(old),
        summary_after=summary(new),
        outliers=outliers(new),
        utility=utility(kept.get_column(name), new),
        identifying=identifying,
    )


def _identifying(values: pl.Series, seen: Looks | None) -> Identifying:
    unique = f"{unique_share(values):.3f}"
    if seen is None or (seen.entity == FREE_TEXT and seen.within is None):
        return Identifying(unique=unique)
    entity = seen.within or seen.entity
    return Identifying(unique=unique, detected=entity, detected_share=f"{seen.share:.3f}")
