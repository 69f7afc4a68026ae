"""Exact numbers: columns of integers and decimals as counts of their smallest unit.

A count is a 128-bit integer: of hundredths in a column with two digits after the point. So numbers
are compared, rounded and added without binary floats.
"""

from fractions import Fraction
from typing import Final

import polars as pl

from leeward_masking.values.canonical import column_type, unsuitable

INTEGER: Final = pl.Int128


def literal(number: int) -> pl.Expr:
    """A 128-bit integer in an expression."""
    return pl.lit(number, INTEGER)


def is_exact(dtype: pl.DataType) -> bool:
    """Whether a column holds integers or decimals."""
    return column_type(dtype) in ("Integer", "Decimal")


def digits_of(dtype: pl.DataType) -> int:
    """Digits after the point."""
    return dtype.scale if isinstance(dtype, pl.Decimal) else 0


def limits_of(dtype: pl.DataType) -> tuple[int, int]:
    """The smallest and the largest count that the type holds."""
    if isinstance(dtype, pl.Decimal):
        most = 10 ** (dtype.precision or 38) - 1
        return -most, most
    ends = pl.select(pl.lit(0, dtype).lower_bound(), pl.lit(0, dtype).upper_bound().alias("upper"))
    low, high = ends.row(0)
    return int(low), int(high)


def to_counts(values: pl.Series) -> pl.Series:
    """The counts of a column of integers or decimals; nulls stay null."""
    return values.to_physical().cast(INTEGER)


def from_counts(counts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A column of this type; all counts lie within its limits."""
    if not isinstance(dtype, pl.Decimal):
        return counts.cast(dtype)
    return counts.to_frame("c").select(pl.col("c").reinterpret(dtype=dtype)).to_series()


def whole_count(column: str, parameter: str, text: str, digits: int) -> int:
    """A parameter as a count.

    Args:
        column: For the message.
        parameter: Its name, likewise.
        text: An exact decimal.
        digits: Digits after the point that the column has.

    Raises:
        JobError: ``UnsuitableColumn``: it has more digits after the point than the column.
    """
    count = Fraction(text) * 10**digits
    if count.denominator != 1:
        holds = "whole numbers" if not digits else f"numbers with {digits} digits after the point"
        raise unsuitable(column, f"holds {holds}, and {parameter} has more: shorten {parameter}")
    return int(count)
