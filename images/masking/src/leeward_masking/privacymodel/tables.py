"""Levels of a quasi-identifier from a table that stands in a ConfigMap."""

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.values.canonical import canonical_text

Steps: TypeAlias = Sequence[tuple[str, pl.Series]]
"""Name and labels, one per value, of every level between the values and ``*``."""


def table_levels(values: pl.Series, columns: Sequence[pl.Series]) -> Steps:
    """The levels of a table whose first column holds the values; a missing value stays missing.

    Args:
        values: Distinct values.
        columns: Of the table.

    Raises:
        JobError: ``UnsuitableColumn``: it lacks values.
    """
    texts = canonical_text(values)
    lacking = int((~texts.is_in(columns[0].implode()) & texts.is_not_null()).sum())
    if lacking:
        raise JobError(
            "UnsuitableColumn",
            f'the hierarchy of privacyModel for column "{values.name}" lacks {lacking:,} of its'
            f" {len(texts):,} values",
            "add them to the table, each with its group per level, as they are once they are"
            " masked",
            column=values.name,
        )
    return _named(texts, columns[0], columns[1:], 1)


def levels_above(values: pl.Series, columns: Sequence[pl.Series], level: int) -> Steps:
    """The levels of a table above the one that a rule has made of the values.

    Args:
        values: What the rule has made of them. Others, of rows that it is not for, stay.
        columns: Of the table.
        level: That of the rule.

    Raises:
        JobError: ``InvalidConfig``: equal values of this level are apart at the next.
    """
    frame = pl.DataFrame([column.alias(str(at)) for at, column in enumerate(columns)])
    above = frame.select(str(at) for at in range(level, len(columns))).unique(maintain_order=True)
    if above.get_column(str(level)).is_duplicated().any():
        raise JobError(
            "InvalidConfig",
            f'the hierarchy of column "{values.name}" joins values at level {level} that are apart'
            " at a level above it",
            "let every level of the table join groups of the one before, and part none",
            column=values.name,
        )
    known, *coarser = above.get_columns()
    return _named(canonical_text(values), known, coarser, level + 1)


def _named(texts: pl.Series, known: pl.Series, columns: Sequence[pl.Series], first: int) -> Steps:
    return [
        (f"level {at}", texts.replace(known, column)) for at, column in enumerate(columns, first)
    ]
