"""What masking has taken from a column, and what stands out in what is left."""

from typing import Final

import numpy as np
import polars as pl

from leeward.formats.report import THRESHOLD, Outliers, Utility
from leeward_masking.report.distributions import Floats, numbers_of
from leeward_masking.values.canonical import column_type

_FENCE: Final = 3.0
"""Interquartile ranges beyond the quartiles that make an outlier (Tukey 1977: "far out")."""
_FEW: Final = 50
"""Distinct values up to which information is measured row by row: above, a sample has too few rows
of each pair."""


def utility(before: pl.Series, after: pl.Series) -> Utility:
    """How much of a column is gone.

    The loss is 1 - I / H: of the bits that a value told (its entropy H) those that its masked value
    still tells (their mutual information I). Where there are too many values to count pairs, it is
    1 - H(after) / H(before), which is the same wherever equal values have equal results; of numbers
    and dates it is at least 1 - r², the variance that the masked value does not explain.

    Args:
        before: A column of the sample.
        after: The same rows, after.
    """
    had, has = entropy(before), entropy(after)
    correlation = _correlation(before, after)
    loss = max(0.0, 1 - has / had) if had else 0.0
    if 0 < before.drop_nulls().n_unique() <= _FEW and had:
        loss = max(loss, 1 - _mutual(before, after, had, has) / had)
    elif correlation is not None:
        loss = max(loss, 1 - correlation**2)
    distance = _distance(before, after)
    return Utility(
        loss=_share(loss),
        entropy_before=f"{had:.2f}",
        entropy_after=f"{has:.2f}",
        distance=None if distance is None else _share(distance),
        correlation=None if correlation is None else f"{correlation:.3f}",
    )


def entropy(values: pl.Series) -> float:
    """Bits that one value tells (Shannon 1948); a missing one is a value, too."""
    if not len(values):
        return 0.0
    return _bits(values.value_counts().get_column("count"))


def outliers(after: pl.Series) -> Outliers | None:
    """Rows far from all others; None: no numbers and dates, or no such rows."""
    numbers = numbers_of(after)
    if numbers is None or len(numbers) < THRESHOLD:
        return None
    low, high = np.quantile(numbers, (0.25, 0.75))
    reach = _FENCE * (high - low)
    if not reach:
        return None
    above = int(np.count_nonzero(numbers > high + reach))
    below = int(np.count_nonzero(numbers < low - reach))
    if not above + below:
        return None
    ends = [name for name, rows in (("bottom", below), ("top", above)) if rows]
    return Outliers(
        rows=above + below,
        share=_share((above + below) / len(after)),
        remedy=f"topBottomCode with {' and '.join(ends)}, or wider intervals (generalize)",
    )


def _bits(counts: pl.Series) -> float:
    shares = counts.to_numpy() / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _mutual(before: pl.Series, after: pl.Series, had: float, has: float) -> float:
    pairs = pl.DataFrame([before.alias("before"), after.alias("after")])
    return max(0.0, had + has - _bits(pairs.group_by("before", "after").len().get_column("len")))


def _correlation(before: pl.Series, after: pl.Series) -> float | None:
    both = before.is_not_null() & after.is_not_null()
    first, second = numbers_of(before.filter(both)), numbers_of(after.filter(both))
    if first is None or second is None or len(first) != len(second) or len(first) < THRESHOLD:
        return None
    # Squares of huge numbers overflow, and it does not depend on the scale.
    first, second = (side / (np.abs(side).max() or 1.0) for side in (first, second))
    if not first.std() or not second.std():
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _distance(before: pl.Series, after: pl.Series) -> float | None:
    first, second = numbers_of(before), numbers_of(after)
    if first is not None and second is not None:
        return _kolmogorov_smirnov(first, second) if len(first) and len(second) else None
    if column_type(before.dtype) != column_type(after.dtype) or not len(before) or not len(after):
        return None
    counted = [
        side.alias("v").value_counts(name=name).with_columns(pl.col(name) / len(side))
        for name, side in (("before", before), ("after", after))
    ]
    joined = counted[0].join(counted[1], on="v", how="full", nulls_equal=True, coalesce=True)
    shares = joined.select(pl.col("before", "after").fill_null(0.0))
    return float((shares["before"] - shares["after"]).abs().sum()) / 2


def _kolmogorov_smirnov(first: Floats, second: Floats) -> float:
    both = np.sort(np.concatenate((first, second)))
    one, other = (
        np.searchsorted(np.sort(side), both, side="right") / len(side) for side in (first, second)
    )
    return float(np.abs(one - other).max())


def _share(value: float) -> str:
    return f"{min(1.0, max(0.0, value)):.3f}"
