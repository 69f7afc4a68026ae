"""generalize.quantiles: intervals that have about as many rows each."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.transforms.basic import interval_labels
from leeward_masking.transforms.distribution import (
    ROWS,
    VALUE,
    Distribution,
    DistributionGatherer,
    counts_of,
    is_sampled,
    leaves,
)
from leeward_masking.transforms.gathering import Finished, Gatherer, Tables
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable
from leeward_masking.values.exact import to_counts

ALL: Final = "*"
"""The one interval of a column whose values are all equal."""


class Quantiles:
    """What ``count`` intervals of one column need to know.

    The border before interval i is the value in row floor(i * rows / count) of the sorted rows,
    counted from 0. Equal borders are one, and none is the smallest value: so there may be fewer
    intervals.

    Args:
        column: Its name.
        dtype: Its type; of lists that of the numbers in them, which are looked at.
        count: How many intervals, at least 2.

    Raises:
        JobError: ``UnsuitableColumn``: it holds no numbers.
    """

    def __init__(self, column: str, dtype: pl.DataType, count: int) -> None:
        if column_type(dtype) not in ("Integer", "Float", "Decimal"):
            raise unsuitable(column, "holds no numbers: quantiles need a numeric column")
        self.name: Final = f"column:{column}"
        self._column = column
        self._dtype = dtype
        self._count = count

    def gatherer(self) -> Gatherer:
        """See ``Gathering``."""
        return DistributionGatherer(self.name, self._column, self._dtype, leaves)

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``."""
        return Distribution(self._dtype).merge(parts)

    def finish(self, tables: Tables, part: int) -> Finished:
        """See ``RuleGathering``; the same for all parts."""
        note = "the borders of the intervals are values of the column"
        if is_sampled(tables):
            note += ", taken from a random sample of its rows"
        return IntervalMask(_borders(counts_of(tables), self._count)), note


class IntervalMask:
    """Labels of half-open intervals; null stays null, and not-a-number becomes null.

    Args:
        borders: Numbers of the column's type, rising.
    """

    def __init__(self, borders: pl.Series) -> None:
        self._borders = _comparable(borders)
        texts = canonical_text(borders).to_list()
        self._labels = interval_labels(texts) if texts else pl.Series([ALL])

    def __call__(self, values: pl.Series) -> pl.Series:
        """A column of text."""
        numbers = _comparable(values)
        if numbers.dtype.is_float():
            numbers = numbers.fill_nan(None)
        place = self._borders.search_sorted(numbers, side="right").set(numbers.is_null(), None)
        return self._labels.gather(place).alias(values.name)


def _comparable(numbers: pl.Series) -> pl.Series:
    return to_counts(numbers) if numbers.dtype.is_decimal() else numbers


def _borders(counts: pl.DataFrame, count: int) -> pl.Series:
    ends = counts[ROWS].cum_sum().to_numpy()
    total = int(ends[-1]) if len(ends) else 0
    rows = [place * total // count for place in range(1, count)] if total else []
    places = np.unique(np.searchsorted(ends, rows, "right"))
    return counts[VALUE].gather(places[places > 0])
