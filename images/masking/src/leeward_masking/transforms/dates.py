"""Dates: those of one subject moved by the same number of days, or one part of each."""

import datetime as dt
from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.api.valuetransforms import TimePart
from leeward_masking.ciphers.keys import derive
from leeward_masking.ciphers.siv import KEY_SIZE, BatchSiv
from leeward_masking.errors import JobError
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable
from leeward_masking.values.exact import INTEGER

_WORDS: Final = 1 << 64
_FIRST_DAY: Final = (dt.date(1, 1, 1) - dt.date(1970, 1, 1)).days
_LAST_DAY: Final = (dt.date(9999, 12, 31) - dt.date(1970, 1, 1)).days
_UNITS: Final = {unit: 86_400 * 10**digits for unit, digits in (("ms", 3), ("us", 6), ("ns", 9))}
"""Of a day."""
_MOST: Final = (1 << 63) - 1


class DateShift:
    """Shifts drawn by a keyed PRF (S2V of RFC 5297) over the subject's canonical text.

    Args:
        material: Artefact key of the rule.
        max_days: Shifts are whole days in -max_days..max_days without 0, all equally likely.
    """

    def __init__(self, material: bytes, max_days: int) -> None:
        self._siv = BatchSiv(derive(material, "dateShift", KEY_SIZE))
        self._max_days = max_days
        # Above this the last, incomplete run of remainders begins: taking it would favour some.
        self._limit = np.uint64(_WORDS - 1 - _WORDS % (2 * max_days))

    def days(self, subjects: pl.Series) -> NDArray[np.int64]:
        """The shift of each subject, shape (n,)."""
        drawn = self._siv.prf(canonical_text(subjects).cast(pl.Binary))
        words = drawn.view(">u8")[:, 0].astype(np.uint64)
        while (rejected := words > self._limit).any():
            again = pl.Series([row.tobytes() for row in drawn[rejected]], dtype=pl.Binary)
            drawn[rejected] = self._siv.prf(again)
            words = drawn.view(">u8")[:, 0].astype(np.uint64)
        steps = (words % np.uint64(2 * self._max_days)).astype(np.int64)
        shifted = steps - self._max_days
        return np.where(shifted >= 0, shifted + 1, shifted)

    def __call__(self, values: pl.Series, subjects: pl.Series) -> pl.Series:
        """Move the dates; null where the value or its subject is null.

        Raises:
            JobError: ``UnsuitableColumn``: no column of dates or datetimes, or one of them leaves
                the years 1 to 9999, which ISO 8601 can write, or what nanoseconds reach.
        """
        if values.dtype.base_type() not in (pl.Date, pl.Datetime):
            raise unsuitable(values.name, "holds no dates: dateShift needs a Date or Datetime")
        days = pl.Series(self.days(subjects)).set(subjects.is_null(), None)
        # A day is 24 hours, also where the column has a time zone with summer time.
        unit = _UNITS[values.dtype.time_unit] if isinstance(values.dtype, pl.Datetime) else 1
        moved = pl.lit(values.to_physical().cast(INTEGER)) + pl.lit(days.cast(INTEGER)) * unit
        numbers = pl.select(moved.alias(values.name)).to_series()
        _check_years(numbers, unit)
        return numbers.cast(pl.Int64 if unit > 1 else pl.Int32).cast(values.dtype)


def _check_years(numbers: pl.Series, unit: int) -> None:
    """Args: ``numbers``: of units, of which a day has so many."""
    first, last = _FIRST_DAY * unit, (_LAST_DAY + 1) * unit - 1
    years = "1 to 9999"
    if last > _MOST:
        first, last, years = -_MOST, _MOST, "1678 to 2261, which its nanoseconds reach"
    wrong = numbers.is_between(pl.lit(first, INTEGER), pl.lit(last, INTEGER)).not_().arg_true()
    if len(wrong):
        raise JobError(
            "UnsuitableColumn",
            f'a date in column "{numbers.name}" would be moved out of the years {years}',
            "leave such dates out of the rule by when (they often stand for no end: lessThan"
            ' "9999-01-01"), or mask them by another rule',
            row=int(wrong[0]) + 1,
            column=numbers.name,
        )


_PARTS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "Year": lambda moment: moment.dt.year(),
    "Quarter": lambda moment: moment.dt.quarter(),
    "Month": lambda moment: moment.dt.month(),
    "Week": lambda moment: moment.dt.week(),
    "Weekday": lambda moment: moment.dt.weekday(),
    "Hour": lambda moment: moment.dt.hour(),
}


def time_part(rule: TimePart, values: pl.Series) -> pl.Series:
    """One part of each date or time, an integer; in a column with a time zone as clocks there show.

    Raises:
        JobError: ``UnsuitableColumn``: it holds no dates, or for Hour no times.
    """
    wanted = ("Datetime", "Time") if rule.part == "Hour" else ("Date", "Datetime")
    if column_type(values.dtype) not in wanted:
        raise unsuitable(
            values.name, f"holds none of {' and '.join(wanted)}: timePart {rule.part} needs it"
        )
    part = _PARTS[rule.part](pl.lit(values)).cast(pl.Int32)
    return pl.select(part.alias(values.name)).to_series()
