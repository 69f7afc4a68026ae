"""topBottomCode: values beyond a border become that border."""

import datetime as dt
from typing import Final

import polars as pl

from leeward.api.valuetransforms import TopBottomCode
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.exact import (
    digits_of,
    from_counts,
    is_exact,
    limits_of,
    literal,
    to_counts,
    whole_count,
)


def top_bottom_code(rule: TopBottomCode, values: pl.Series) -> pl.Series:
    """The column with the same type; null and not-a-number stay.

    Raises:
        JobError: ``UnsuitableColumn``: it holds neither numbers nor dates as the borders do, or its
            type cannot hold a border.
    """
    if rule.is_of_dates:
        return _clip_dates(values, rule.bottom, rule.top)
    return clip_numbers(values, ("bottom", rule.bottom), ("top", rule.top))


def clip_numbers(
    values: pl.Series, lower: tuple[str, str | None], upper: tuple[str, str | None]
) -> pl.Series:
    """Numbers, those beyond a border replaced by it; null and not-a-number stay.

    Args:
        values: Of any type of numbers.
        lower: Name of the parameter, for errors, and its exact decimal, or None.
        upper: Likewise.

    Raises:
        JobError: ``UnsuitableColumn``: these are no numbers, or their type cannot hold a border.
    """
    if is_exact(values.dtype):
        return _clip_exact(values, lower, upper)
    if column_type(values.dtype) != "Float":
        raise unsuitable(values.name, "holds no numbers: the borders are numbers")
    # A value beyond the exact border is not on the other side of the nearest number to it.
    low, high = (None if b is None else pl.lit(float(b), values.dtype) for _, b in (lower, upper))
    return pl.select(pl.lit(values).clip(low, high)).to_series()


def _clip_exact(
    values: pl.Series, lower: tuple[str, str | None], upper: tuple[str, str | None]
) -> pl.Series:
    least, most = limits_of(values.dtype)
    digits = digits_of(values.dtype)
    low, high = (
        None if text is None else whole_count(values.name, name, text, digits)
        for name, text in (lower, upper)
    )
    if (low is not None and low > most) or (high is not None and high < least):
        raise unsuitable(values.name, f"has the type {values.dtype}, which cannot hold the border")
    # A border beyond the type is never reached.
    clipped = pl.lit(to_counts(values)).clip(
        literal(least if low is None else max(low, least)),
        literal(most if high is None else min(high, most)),
    )
    return from_counts(pl.select(clipped).to_series(), values.dtype).alias(values.name)


_UTC: Final = "UTC"


def _clip_dates(values: pl.Series, bottom: str | None, top: str | None) -> pl.Series:
    kind = column_type(values.dtype)
    if kind not in ("Date", "Datetime"):
        raise unsuitable(values.name, "holds no dates: the borders are dates")
    low, high = (_moment(border, values.dtype) for border in (bottom, top))
    return pl.select(pl.lit(values).clip(low, high)).to_series()


def _moment(border: str | None, dtype: pl.DataType) -> pl.Expr | None:
    """Midnight that the day begins with; in a column with a time zone that of UTC."""
    if border is None:
        return None
    day = pl.Series([dt.date.fromisoformat(border)])
    if not isinstance(dtype, pl.Datetime):
        return pl.lit(day).first()
    moment = day.cast(pl.Datetime(dtype.time_unit))
    if dtype.time_zone is not None:
        moment = moment.dt.replace_time_zone(_UTC).dt.convert_time_zone(dtype.time_zone)
    return pl.lit(moment).first()
