"""The distribution of a column's values: exact for few distinct ones, then a sample of its rows.

A row is in the sample where a random 64-bit number of its own is below a threshold, which is halved
when the sample becomes too large (threshold sampling; Cohen and Kaplan 2007). So samples of parts
are joined by taking the smaller threshold, and every row of the whole is as likely to be in it as
any other.
"""

import os
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.transforms.gathering import Tables
from leeward_masking.values.detaching import detached
from leeward_masking.values.randomness import WORDS, Random, words

MAX_VALUES: Final = 1 << 20
"""Distinct values that are counted; of a sample at least so many rows are kept, where they fit."""
MAX_BYTES: Final = 64 << 20
"""Of the values in memory."""
_CHUNK: Final = 1 << 20
VALUE, ROWS, _MARK = "value", "rows", "mark"
_PLACE = "place"
_COUNTS, _SAMPLE, _THRESHOLD = "counts", "sample", "threshold"


class Distribution:
    """The values of a column with their numbers of rows; nulls and not-a-number are left out.

    Args:
        dtype: Type of the values.
        random: Where random bytes come from.
        max_values: See ``MAX_VALUES``.
        max_bytes: See ``MAX_BYTES``.
    """

    def __init__(
        self,
        dtype: pl.DataType,
        random: Random = os.urandom,
        *,
        max_values: int = MAX_VALUES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._random = random
        self._max_values = max_values
        self._max_bytes = max_bytes
        self._threshold: int = WORDS
        self._frames = [pl.DataFrame(schema={VALUE: dtype, ROWS: pl.UInt64})]
        self._height = self._bytes = 0

    def add(self, values: pl.Series) -> None:
        """Count the values of another block; all of one type."""
        there = values.drop_nulls().rename(VALUE)
        if there.dtype.is_float():
            there = there.drop_nans()
        if self.sampled:
            self._push(self._marked(there.to_frame()))
        else:
            self._push(_counted(there.to_frame()))

    @property
    def sampled(self) -> bool:
        """Whether there is a sample in place of counts."""
        return self._threshold < WORDS

    def tables(self) -> Tables:
        """See ``Gatherer``."""
        self._compact()
        frame = pl.concat(self._frames)
        if not self.sampled:
            return {_COUNTS: frame}
        threshold = pl.DataFrame({_THRESHOLD: [self._threshold]}, {_THRESHOLD: pl.UInt64})
        return {_SAMPLE: frame, _THRESHOLD: threshold}

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``; to be called on a new one."""
        for part in parts:
            threshold = part[_THRESHOLD].item() if _SAMPLE in part else WORDS
            if threshold < self._threshold:
                self._sample_below(threshold)
            if not self.sampled:
                self._push(part[_COUNTS])
            elif _SAMPLE in part:
                self._push(part[_SAMPLE].filter(pl.col(_MARK) < self._threshold))
            else:
                self._push(self._drawn(part[_COUNTS]))
        return self.tables()

    def _push(self, frame: pl.DataFrame) -> None:
        frame = detached(frame)
        self._frames.append(frame)
        self._height += frame.height
        self._bytes += int(frame.estimated_size())
        if self._height > 2 * self._max_values or self._bytes > 2 * self._max_bytes:
            self._compact()

    def _compact(self) -> None:
        frame = pl.concat(self._frames)
        if not self.sampled:
            frame = frame.group_by(VALUE).agg(pl.col(ROWS).sum())
        self._hold([frame])
        if not self.sampled and self._is_too_large():
            share = min(1.0, 2 * self._max_values / max(1, frame[ROWS].sum()))
            self._sample_below(min(int(share * WORDS), WORDS - 1))
        while self.sampled and self._is_too_large(2):
            self._sample_below(self._threshold // 2)

    def _is_too_large(self, times: int = 1) -> bool:
        return self._height > times * self._max_values or self._bytes > self._max_bytes

    def _hold(self, frames: list[pl.DataFrame]) -> None:
        self._frames = [detached(frame) for frame in frames]
        self._height = sum(frame.height for frame in frames)
        self._bytes = sum(int(frame.estimated_size()) for frame in frames)

    def _sample_below(self, threshold: int) -> None:
        """Lower the threshold; counts become rows of a sample."""
        counted, self._threshold = not self.sampled, threshold
        below = pl.col(_MARK) < threshold
        self._hold([self._drawn(f) if counted else f.filter(below) for f in self._frames])

    def _marked(self, frame: pl.DataFrame) -> pl.DataFrame:
        marks = words(frame.height, self._random)
        chosen = np.flatnonzero(marks < np.uint64(self._threshold))
        return frame[chosen].with_columns(pl.Series(_MARK, marks[chosen]))

    def _drawn(self, counts: pl.DataFrame) -> pl.DataFrame:
        """Rows of the sample, from counts, without all rows being there at once."""
        ends = counts[ROWS].cum_sum().to_numpy()
        total = int(ends[-1]) if len(ends) else 0
        frames = [self._marked(pl.DataFrame({_PLACE: np.arange(0)}))]
        for start in range(0, total, _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, total))
            frames.append(
                self._marked(pl.DataFrame({_PLACE: np.searchsorted(ends, rows, "right")}))
            )
        drawn = pl.concat(frames)
        return drawn.select(counts[VALUE].gather(drawn[_PLACE]), _MARK)


def counts_of(tables: Tables) -> pl.DataFrame:
    """The distinct values, rising, as ``VALUE``, and as ``ROWS`` how many rows have each.

    Of a sample: how many rows of the sample.
    """
    if _SAMPLE in tables:
        return _counted(tables[_SAMPLE]).sort(VALUE)
    return tables[_COUNTS].sort(VALUE)


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.group_by(VALUE).agg(pl.len().cast(pl.UInt64).alias(ROWS))


def is_sampled(tables: Tables) -> bool:
    """Whether the counts are those of a sample."""
    return _SAMPLE in tables


def leaves(values: pl.Series) -> pl.Series:
    """What lists hold, in one column; other columns as they are."""
    while isinstance(values.dtype, (pl.List, pl.Array)):
        values = values.drop_nulls().explode(empty_as_null=False)
    return values


class DistributionGatherer:
    """Gathers the distribution of one column.

    Args:
        name: Of the gathering.
        column: Whose values.
        dtype: Their type.
        values_of: Makes the values that are counted of the column; None: they are its own.
    """

    def __init__(
        self,
        name: str,
        column: str,
        dtype: pl.DataType,
        values_of: Callable[[pl.Series], pl.Series] | None = None,
    ) -> None:
        self.name = name
        self._column = column
        self._values_of = values_of
        self._found = Distribution(dtype)

    def add(self, block: pl.DataFrame) -> None:
        """See ``Gatherer``."""
        values = block.get_column(self._column)
        self._found.add(self._values_of(values) if self._values_of else values)

    def tables(self) -> Tables:
        """See ``Gatherer``."""
        return self._found.tables()
