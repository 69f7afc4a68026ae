"""How far masking has changed what columns tell of each other: what models are trained on."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
import polars as pl

from leeward.formats.report import ReportSection, ReportTable
from leeward_masking.report.distributions import Floats
from leeward_masking.values.canonical import column_type

FEWEST_ROWS: Final = 100
"""Rows from which on a correlation is told."""
MOST_COLUMNS: Final = 40
_SHOWN: Final = 8
_CONSTANT: Final = 1e-9
"""Standard deviation, in parts of the largest value, up to which a column is constant."""
_NUMBERS: Final = ("Integer", "Float", "Decimal", "Date", "Datetime")


def relations(
    before: pl.DataFrame, after: pl.DataFrame, names: Sequence[str]
) -> ReportSection | None:
    """Correlations of pairs of columns (Pearson), before and after.

    Args:
        before: Rows of the sample that stayed.
        after: The same rows, after.
        names: Columns that may be told of.

    Returns:
        None: there are no two columns of numbers or dates, or too few rows with all of them.
    """
    chosen = [name for name in names if _is_number(before, name) and _is_number(after, name)]
    chosen = chosen[:MOST_COLUMNS]
    if len(chosen) < 2:
        return None
    old, new = _matrix(before, chosen), _matrix(after, chosen)
    whole = np.isfinite(old).all(axis=1) & np.isfinite(new).all(axis=1)
    old, new = old[whole], new[whole]
    if len(old) < FEWEST_ROWS:
        return None
    moving = [
        place
        for place in range(len(chosen))
        if min(old[:, place].std(), new[:, place].std()) > _CONSTANT
    ]
    if len(moving) < 2:
        return None
    was, now = (np.atleast_2d(np.corrcoef(side[:, moving].T)) for side in (old, new))
    pairs = [
        (abs(now[a, b] - was[a, b]), chosen[moving[a]], chosen[moving[b]], was[a, b], now[a, b])
        for a, b in combinations(range(len(moving)), 2)
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    mean = sum(pair[0] for pair in pairs) / len(pairs)
    rows = [
        [f"{one}, {other}", _two_digits(a), _two_digits(b)]
        for _, one, other, a, b in pairs[:_SHOWN]
    ]
    return ReportSection(
        name="Relations",
        title="Relations between columns",
        notes=[
            f"The correlation of two columns of numbers or dates has changed by {mean:.2f} on"
            f" average, of {len(pairs)} pairs, in {len(old):,} rows of the sample."
        ],
        tables=[
            ReportTable(
                caption="Pairs that changed most (Pearson's correlation)",
                header=["Columns", "Before", "After"],
                rows=rows,
            )
        ],
    )


def _two_digits(number: float) -> str:
    # Not -0.00.
    return f"{round(number, 2) + 0.0:.2f}"


def _is_number(frame: pl.DataFrame, name: str) -> bool:
    return name in frame.columns and column_type(frame.schema[name]) in _NUMBERS


def _matrix(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Shape (rows, columns); dates as days, what is missing as NaN; 1 is the largest value."""
    columns = []
    for name in names:
        values = frame.get_column(name)
        if column_type(values.dtype) in ("Date", "Datetime"):
            values = values.cast(pl.Date).cast(pl.Int32)
        numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
        there = np.isfinite(numbers)
        numbers[~there] = np.nan
        # Squares of huge numbers overflow, and of tiny ones nothing is left.
        columns.append(numbers / (np.abs(numbers[there]).max(initial=0.0) or 1.0))
    return np.column_stack(columns)
