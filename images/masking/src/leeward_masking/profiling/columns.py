"""A profile of each column of a table: what its owner looks at before writing rules."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from leeward.api.dataset import ColumnType
from leeward_masking.profiling.looks import Looks, looks
from leeward_masking.profiling.uniqueness import unique_share
from leeward_masking.values.canonical import column_type
from leeward_masking.values.nesting import list_depth, values_of

_TAIL: Final = 0.01
"""Share of rows at each end that a proposal codes as one value."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column.

    Attributes:
        rows, missing, distinct: Of the rows that were read; missing ones are no value. Of a column
            in lists: of their elements.
        unique: Share of rows whose value no other row has.
        looks: What its values look like; None: nothing that is known.
        tails: Of numbers with a long tail: rounded borders of the middle 98 %.
        in_list: Whether its values lie in lists, so that a row has any number of them.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int
    distinct: int
    unique: float
    looks: Looks | None
    tails: tuple[float, float] | None
    in_list: bool


def profile(frame: pl.DataFrame) -> list[ColumnProfile]:
    """Profile every column."""
    columns = [values_of(column) for column in frame.iter_columns()]
    seen = looks(columns)
    return [
        _profile(column, seen.get(column.name), list_depth(column.name, dtype) > 0)
        for column, dtype in zip(columns, frame.dtypes, strict=True)
    ]


def _profile(column: pl.Series, seen: Looks | None, in_list: bool) -> ColumnProfile:
    kind = column_type(column.dtype)
    nested = kind == "Other"
    values = column.drop_nulls()
    return ColumnProfile(
        name=column.name,
        type=kind,
        rows=len(column),
        missing=column.null_count(),
        distinct=0 if nested else values.n_unique(),
        unique=0.0 if nested else unique_share(column),
        looks=seen,
        tails=_tails(values) if kind in ("Integer", "Float", "Decimal") else None,
        in_list=in_list,
    )


def _tails(values: pl.Series) -> tuple[float, float] | None:
    """Where the tails begin, to two digits, so that no border is the value of a row."""
    numbers = values.cast(pl.Float64).to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if len(np.unique(numbers)) <= 2:
        return None
    low, high = (float(f"{edge:.2g}") for edge in np.quantile(numbers, (_TAIL, 1 - _TAIL)))
    return (low, high) if low < high else None
