"""noise: a random number added to each value, rounded and clamped.

Of single values only (attribute-level). It is no differential privacy: rows stay visible, and
nothing is accounted for.

Sums are taken on a grid. The last bits of a float would else tell values and noise apart (Mironov,
On significance of the least significant bits for differential privacy, CCS 2012): for one result
not all values are possible. On a grid every result can have come from every value nearby. In
columns of integers and decimals it is their own smallest unit; in columns of floats the largest
power of two that is at most a millionth of the scale, so that nothing is rounded but to the grid.
"""

import math
import os
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.api.valuetransforms import Noise
from leeward_masking.transforms.topbottom import clip_numbers
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.exact import (
    INTEGER,
    digits_of,
    from_counts,
    is_exact,
    limits_of,
    literal,
    to_counts,
    whole_count,
)
from leeward_masking.values.randomness import Random, gaussian, laplace

Floats: TypeAlias = NDArray[np.float64]

GRID_BITS: Final = 20
_EXACT: Final = 2.0**53
"""Below it, every whole number is a float."""
_MOST: Final = 2.0**125
"""Noise that is larger is cut: a value, it and half of roundTo together stay within 128 bits."""


class NoiseMask:
    """See the module.

    Args:
        rule: The parameters.
        random: Where random bytes come from.
    """

    def __init__(self, rule: Noise, random: Random = os.urandom) -> None:
        self._rule = rule
        self._random = random
        self._draw = laplace if rule.distribution == "Laplace" else gaussian

    def __call__(self, values: pl.Series) -> pl.Series:
        """Integers stay integers (of 64 bits), decimals keep their digits; null and NaN stay.

        Raises:
            JobError: ``UnsuitableColumn``: it holds no numbers, or roundTo, lower or upper have
                digits that its type cannot hold.
        """
        if is_exact(values.dtype):
            noisy = self._exact(values)
        elif column_type(values.dtype) == "Float":
            noisy = self._floats(values)
        else:
            raise unsuitable(values.name, "holds no numbers: noise needs a numeric column")
        return clip_numbers(noisy, ("lower", self._rule.lower), ("upper", self._rule.upper))

    def _exact(self, values: pl.Series) -> pl.Series:
        digits = digits_of(values.dtype)
        scale = float(Fraction(self._rule.scale) * 10**digits)
        drawn = np.rint(self._draw(len(values), self._random) * scale).clip(-_MOST, _MOST)
        total = pl.lit(to_counts(values)) + pl.lit(pl.Series(drawn).cast(INTEGER))
        if self._rule.round_to is not None:
            step = whole_count(values.name, "roundTo", self._rule.round_to, digits)
            total = (total + literal(step // 2)).floordiv(literal(step)) * literal(step)
        result = _wide(values.dtype)
        least, most = limits_of(result)
        counts = pl.select(total.clip(literal(least), literal(most))).to_series()
        return from_counts(counts, result).alias(values.name)

    def _floats(self, values: pl.Series) -> pl.Series:
        scale = float(self._rule.scale)
        grid = 2.0 ** (math.floor(math.log2(scale)) - GRID_BITS)
        drawn = self._draw(len(values), self._random) * scale
        numbers = values.cast(pl.Float64).fill_null(0.0).to_numpy()
        total = _on_grid(numbers, grid) + _on_grid(drawn, grid)
        if self._rule.round_to is not None:
            total = _round(total, Fraction(self._rule.round_to))
        noisy = pl.Series(values.name, total).cast(values.dtype)
        return noisy.set(values.is_null(), None)


def _on_grid(numbers: Floats, grid: float) -> Floats:
    """The nearest multiples of a power of two; not-a-number and infinities stay."""
    # Larger ones are multiples already, and their quotient may be infinite.
    fine = np.abs(numbers) < _EXACT * grid
    return np.where(fine, np.rint(np.where(fine, numbers, 0.0) / grid) * grid, numbers)


def _round(numbers: Floats, step: Fraction) -> Floats:
    """Multiples of the step: of each the float that is nearest to the decimal.

    A product with a step as 0.1 would give 0.30000000000000004; a quotient of whole numbers
    is rounded once. Not-a-number and infinities stay, and so do numbers that have no digits there.
    """
    fine = np.abs(numbers) < _EXACT * float(step)
    steps = np.rint(np.where(fine, numbers, 0.0) * step.denominator / step.numerator)
    # Adding zero leaves no negative one.
    return np.where(fine, steps * step.numerator / step.denominator + 0.0, numbers)


def _wide(dtype: pl.DataType) -> pl.DataType:
    """The type of results: noise leads out of the range of short integers and decimals."""
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(38, dtype.scale)
    return dtype if dtype in (pl.UInt64, INTEGER) else pl.Int64()
