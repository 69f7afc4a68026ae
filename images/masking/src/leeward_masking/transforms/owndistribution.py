"""randomMask.distribution: random values that are distributed as those of the column."""

import os
from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.transforms.distribution import (
    ROWS,
    VALUE,
    Distribution,
    DistributionGatherer,
    counts_of,
    is_sampled,
)
from leeward_masking.transforms.gathering import Finished, Gatherer, Tables
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.exact import INTEGER, from_counts
from leeward_masking.values.randomness import Random, below, uniform, words

MAX_STRETCHES: Final = 1024
_WITHOUT_STEPS: Final = frozenset({"String", "Boolean"})
"""Types in which nothing lies between two values."""
_NARROW: Final = 1 << 61
_LOW, _HIGH, _ROW = "low", "high", "row"
_PHYSICAL: Final[dict[type[pl.DataType], type[pl.DataType]]] = {
    pl.Date: pl.Int32,
    pl.Datetime: pl.Int64,
    pl.Time: pl.Int64,
}
_WHOLE: Final = frozenset({"Integer", "Decimal", "Date", "Datetime", "Time"})


def leaf_type(dtype: pl.DataType) -> pl.DataType:
    """The type of what lists hold; of other columns their own."""
    while isinstance(dtype, (pl.List, pl.Array)):
        dtype = pl.Series(dtype=dtype.inner).dtype
    return dtype


class OwnDistribution:
    """What random values of a column's own distribution need to know.

    Args:
        column: Its name.
        dtype: Its type; of lists (and lists of lists) the numbers in them are looked at.
        min_rows: Values that fewer rows have are not drawn.
        random: Where random bytes come from.

    Raises:
        JobError: ``UnsuitableColumn``: it is a struct or binary column, or a list of such.
    """

    def __init__(
        self, column: str, dtype: pl.DataType, min_rows: int, random: Random = os.urandom
    ) -> None:
        self._leaf = leaf_type(dtype)
        if column_type(self._leaf) == "Other":
            raise unsuitable(column, "holds neither text, numbers nor dates, nor lists of them")
        self.name: Final = f"column:{column}"
        self._column = column
        self._min_rows = min_rows
        self._random = random

    def gatherer(self) -> Gatherer:
        """See ``Gathering``."""
        return DistributionGatherer(self.name, self._column, self._leaf, _each_once_a_row)

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``."""
        return Distribution(self._leaf, self._random).merge(parts)

    def finish(self, tables: Tables, part: int) -> Finished:
        """See ``RuleGathering``; the same for all parts.

        Raises:
            JobError: ``UnsuitableColumn``: no value stands in enough rows.
        """
        counts = counts_of(tables)
        made = _stretches(counts, self._min_rows)
        if counts.height and not made.height:
            raise JobError(
                "UnsuitableColumn",
                f'no value of column "{self._column}" stands in {self._min_rows} rows or more, so'
                " none may be drawn",
                "lower randomMask.distribution.minRows, or replace or redact the column",
                column=self._column,
            )
        note = "random values of the column's own distribution: frequent ones stand there as before"
        if is_sampled(tables):
            note += "; taken from a random sample of its rows"
        return DrawnMask(made, self._random), note


def _each_once_a_row(values: pl.Series) -> pl.Series:
    """What lists hold; a row that has a value often must not make it look like that of many."""
    if not isinstance(values.dtype, (pl.List, pl.Array)):
        return values
    frame = values.alias(VALUE).to_frame().with_row_index(_ROW)
    while isinstance(frame.schema[VALUE], (pl.List, pl.Array)):
        frame = frame.drop_nulls(VALUE).explode(VALUE, empty_as_null=False)
    return frame.unique().get_column(VALUE)


def _stretches(counts: pl.DataFrame, min_rows: int) -> pl.DataFrame:
    """What is drawn: values that are frequent enough, and stretches from one rare value to another.

    Only numbers and dates have stretches; each is of at least ``min_rows`` rows.
    """
    frequent = pl.col(ROWS) >= min_rows
    dtype = counts.schema[VALUE]
    if column_type(dtype) in _WHOLE:
        counts = counts.with_columns(counts[VALUE].to_physical().cast(INTEGER))
    whole = counts.filter(frequent).select(
        pl.col(VALUE).alias(_LOW), pl.col(VALUE).alias(_HIGH), ROWS
    )
    if column_type(dtype) in _WITHOUT_STEPS:
        return whole
    rare = counts.filter(~frequent)
    if dtype.is_float():
        rare = rare.filter(pl.col(VALUE).is_finite())
    rows = int(rare[ROWS].sum())
    # Twice as wide as must be, since a value that begins before a stretch is not in it.
    number = min(MAX_STRETCHES, max(rows // (2 * min_rows), 1))
    if rows < min_rows:
        return whole
    begins = (rare[ROWS].cum_sum() - rare[ROWS]).cast(pl.Float64)
    stretch = (begins * number / rows).floor().cast(pl.UInt32).alias("stretch")
    joined = (
        rare.with_columns(stretch)
        .group_by("stretch", maintain_order=True)
        .agg(pl.col(VALUE).min().alias(_LOW), pl.col(VALUE).max().alias(_HIGH), pl.col(ROWS).sum())
    )
    return pl.concat([whole, joined.drop("stretch")])


def _narrowed(stretches: pl.DataFrame) -> pl.DataFrame:
    """Counts in 64 bits where their sums and differences fit, which is four times as fast."""
    low, high = stretches[_LOW], stretches[_HIGH]
    if low.dtype != INTEGER or max(high.max() or 0, -(low.min() or 0)) >= _NARROW:  # type: ignore[operator]
        return stretches
    return stretches.with_columns(pl.col(_LOW, _HIGH).cast(pl.Int64))


class DrawnMask:
    """A random value for each; null stays null, and lists keep their lengths.

    Args:
        stretches: Values from ``low`` to ``high``, and in how many rows. Empty: the column has no
            values.
        random: Where random bytes come from.
    """

    def __init__(self, stretches: pl.DataFrame, random: Random) -> None:
        self._stretches = _narrowed(stretches)
        self._ends = stretches[ROWS].cum_sum().to_numpy()
        self._random = random

    def __call__(self, values: pl.Series) -> pl.Series:
        """A column of the same type."""
        dtype = values.dtype
        if isinstance(dtype, pl.Array):
            return self(values.arr.to_list()).list.to_array(dtype.size)
        if isinstance(dtype, pl.List):
            masked = pl.element().map_batches(self, dtype.inner, is_elementwise=True)
            return pl.select(pl.lit(values).list.eval(masked).alias(values.name)).to_series()
        if not len(self._ends):
            return values
        drawn = below(int(self._ends[-1]), len(values), self._random)
        chosen = self._stretches[np.searchsorted(self._ends, drawn, "right")]
        frame = pl.DataFrame({"made": self._made(chosen, dtype), "gone": values.is_null()})
        kept = pl.when(~pl.col("gone")).then(pl.col("made"))
        return frame.select(kept.alias(values.name)).to_series()

    def _made(self, chosen: pl.DataFrame, dtype: pl.DataType) -> pl.Series:
        if column_type(dtype) in _WITHOUT_STEPS:
            return chosen[_LOW]
        drawn = 1.0 - uniform(words(chosen.height, self._random))
        chosen = chosen.with_columns(pl.Series("share", drawn))
        low, high, share = pl.col(_LOW), pl.col(_HIGH), pl.col("share")
        if dtype.is_float():
            # In this form a sum of the largest numbers does not become infinite.
            between = (low * (1.0 - share) + high * share).clip(low, high)
            made = pl.when(low == high).then(low).otherwise(between)
            return chosen.select(made.cast(dtype)).to_series()
        span = (high - low + 1).cast(pl.Float64)
        step = (span * share).floor().cast(chosen.schema[_LOW])
        made = pl.min_horizontal(low + step, high)
        counts = chosen.select(made).to_series()
        if isinstance(dtype, pl.Decimal):
            return from_counts(counts.cast(INTEGER), dtype)
        return counts.cast(_PHYSICAL.get(dtype.base_type(), dtype)).cast(dtype)
