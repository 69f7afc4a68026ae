"""randomMask: random values in place of the values, or random values removed."""

import math
import os
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import polars as pl

from leeward.api.valuetransforms import NumberRange
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.exact import (
    INTEGER,
    digits_of,
    from_counts,
    is_exact,
    limits_of,
    literal,
)
from leeward_masking.values.randomness import WORDS, Random, below, uniform, words

_WANTED = "holds neither numbers nor lists of numbers, which randomMask.range needs"


def suppress(probability: str, random: Random = os.urandom) -> Callable[[pl.Series], pl.Series]:
    """Null in place of each value, a list as a whole, with this probability.

    Args:
        probability: An exact decimal, above 0 and at most 1.
        random: Where random bytes come from.
    """
    # The exact probability, cut to 64 bits.
    threshold = int(Fraction(probability) * WORDS)

    def apply(values: pl.Series) -> pl.Series:
        drawn = words(len(values), random)
        # One less, since 64 bits cannot hold the threshold of probability 1.
        gone = drawn <= np.uint64(threshold - 1)
        frame = values.to_frame("v").with_columns(pl.Series("gone", gone))
        kept = pl.when(pl.col("gone").not_()).then(pl.col("v"))
        return frame.select(kept.alias(values.name)).to_series()

    return apply


class RangeMask:
    """A random number of the range for each number, all equally likely; null stays null.

    Args:
        bounds: The range.
        random: Where random bytes come from.
    """

    def __init__(self, bounds: NumberRange, random: Random = os.urandom) -> None:
        self._lower = Fraction(bounds.lower)
        self._upper = Fraction(bounds.upper)
        self._random = random

    def __call__(self, values: pl.Series) -> pl.Series:
        """A column of the same type; shorter integers become those of 64 bits.

        In lists every number is replaced, whatever there are of them and of nulls stays.

        Raises:
            JobError: ``UnsuitableColumn``: it holds no numbers, or its type none of the range.
        """
        dtype = values.dtype
        if isinstance(dtype, pl.Array):
            lists = self(values.arr.to_list())
            return lists.list.to_array(dtype.size)
        if isinstance(dtype, pl.List):
            # What holds no numbers is refused here, also where all lists are empty.
            made = self(pl.Series(values.name, [], dtype.inner)).dtype
            masked = pl.element().map_batches(self, made, is_elementwise=True)
            return pl.select(pl.lit(values).list.eval(masked).alias(values.name)).to_series()
        if is_exact(dtype):
            drawn = self._exact(values.name, dtype, len(values))
        elif column_type(dtype) == "Float":
            drawn = self._floats(len(values)).cast(dtype)
        else:
            raise unsuitable(values.name, _WANTED)
        return drawn.set(values.is_null(), None).alias(values.name)

    def _floats(self, count: int) -> pl.Series:
        low, high = float(self._lower), float(self._upper)
        drawn = low + uniform(words(count, self._random)) * (high - low)
        return pl.Series(drawn.clip(low, high))

    def _exact(self, column: str, dtype: pl.DataType, count: int) -> pl.Series:
        result = dtype if isinstance(dtype, pl.Decimal) else pl.Int64()
        digits = digits_of(dtype)
        # As many digits as 64 random bits have room for.
        shown = next((d for d in range(digits, -1, -1) if self._size(d) <= WORDS), 0)
        size, low = self._size(shown), math.ceil(self._lower * 10**shown)
        step = 10 ** (digits - shown)
        least, most = limits_of(result)
        ends = low * step, (low + size - 1) * step
        if not 1 <= size <= WORDS or ends[0] < least or ends[1] > most:
            raise unsuitable(column, f"has the type {result}, which cannot hold this range")
        offsets = pl.Series(below(size, count, self._random)).cast(INTEGER)
        counts = (pl.lit(offsets) + literal(low)) * literal(step)
        return from_counts(pl.select(counts).to_series(), result)

    def _size(self, digits: int) -> int:
        """How many numbers with that many digits after the point are in the range."""
        units: int = 10**digits
        return math.floor(self._upper * units) - math.ceil(self._lower * units) + 1
