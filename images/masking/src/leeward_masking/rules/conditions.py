"""when: which rows a rule is for, and what becomes of the values of the others."""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from leeward.api.columnmatch import anchored
from leeward.api.conditions import Otherwise, When
from leeward_masking.errors import JobError
from leeward_masking.transforms import basic
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable
from leeward_masking.values.exact import digits_of, is_exact, limits_of, literal, to_counts
from leeward_masking.values.nesting import map_values, value_dtype

_HOLDS: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "atLeast": lambda value, border: value >= border,
    "greaterThan": lambda value, border: value > border,
    "atMost": lambda value, border: value <= border,
    "lessThan": lambda value, border: value < border,
}
_ROUNDED_UP: Final = frozenset({"atLeast", "lessThan"})
"""x >= b holds for a whole number x exactly where x >= ceil(b) does; x <= b, where x <= floor(b)
does."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Which rows a rule is for, and what becomes of the values of the others.

    Attributes:
        when: The condition; its column is in every block, as it is in the source.
        otherwise: The transform of all other rows; None: their values are removed.
    """

    when: When
    otherwise: basic.Transform | None

    def holds(self, frame: pl.DataFrame) -> pl.Series:
        """Boolean, without nulls, of as many rows as the block.

        Raises:
            JobError: ``UnsuitableColumn``: its column cannot be compared like that.
        """
        values = frame.get_column(self.when.column)
        tests = [_null(values) == self.when.is_null] if self.when.is_null is not None else []
        tests += _text_tests(self.when, values) if self.when.reads_text else []
        tests += _border_tests(self.when, values) if self.when.borders else []
        return pl.select(pl.all_horizontal(tests)).to_series()

    def mask(
        self, frame: pl.DataFrame, name: str, apply: Callable[[pl.DataFrame], pl.Series]
    ) -> pl.Series:
        """The column of a block: one transform where the condition holds, the other elsewhere.

        Where the two give different types the result is text, in every block: types are all that
        it depends on. Exact numbers stay numbers, where those of the transform are only wider.

        Args:
            frame: The block.
            name: Of the column.
            apply: The transform of rows for which the condition holds.

        Raises:
            JobError: ``UnsuitableColumn``; its row is counted from the first one of the block.
        """
        holds = self.holds(frame)
        chosen, rest = holds.arg_true(), (~holds).arg_true()
        masked = _placed(partial(apply, frame[chosen]), chosen)
        if self.otherwise is None:
            other = masked.clear(len(rest))
        else:
            other = _placed(partial(map_values, frame.get_column(name)[rest], self.otherwise), rest)
        if other.dtype != masked.dtype:
            masked, other = _of_one_type(masked.alias(name), other.alias(name))
        order = np.argsort(np.concatenate([chosen.to_numpy(), rest.to_numpy()]), kind="stable")
        return masked.append(other).gather(order).alias(name)


def condition(when: When, otherwise: Otherwise) -> Condition:
    """The condition of a rule."""
    if otherwise.replace is not None:
        return Condition(when, basic.replace(otherwise.replace.value))
    if otherwise.partial_mask is not None:
        return Condition(when, basic.partial_mask(otherwise.partial_mask))
    return Condition(when, None if otherwise.redact else basic.keep)


def _of_one_type(masked: pl.Series, other: pl.Series) -> tuple[pl.Series, pl.Series]:
    wide, narrow = value_dtype(masked.name, masked.dtype), value_dtype(other.name, other.dtype)
    if not _holds_all(wide, narrow):
        return map_values(masked, canonical_text), map_values(other, canonical_text)
    return masked, map_values(other, lambda values: values.cast(wide))


def _holds_all(wide: pl.DataType, narrow: pl.DataType) -> bool:
    """Whether one type has all numbers of another one, written alike."""
    if column_type(wide) != column_type(narrow) or not is_exact(wide):
        return False
    least, most = limits_of(wide)
    low, high = limits_of(narrow)
    return digits_of(wide) == digits_of(narrow) and least <= low and high <= most


def _placed(work: Callable[[], pl.Series], rows: pl.Series) -> pl.Series:
    """What a transform makes of some rows of a block; its errors name the row of the block."""
    try:
        return work()
    except JobError as error:
        if error.row is None:
            raise
        raise error.at_row(int(rows[error.row - 1]) + 1) from None


def _null(values: pl.Series) -> pl.Expr:
    return pl.lit(values).is_null()


def _text_tests(when: When, values: pl.Series) -> list[pl.Expr]:
    text = pl.lit(canonical_text(values))
    tests: list[pl.Expr] = []
    if when.equals is not None:
        tests.append((text == when.equals).fill_null(value=False))
    if when.one_of is not None:
        tests.append(text.is_in(when.one_of).fill_null(value=False))
    if when.none_of is not None:
        tests.append(~text.is_in(when.none_of).fill_null(value=False))
    if when.pattern is not None:
        tests.append(text.str.contains(anchored(when.pattern)).fill_null(value=False))
    return tests


def _border_tests(when: When, values: pl.Series) -> list[pl.Expr]:
    compared, border_of = _dates(values) if when.is_of_dates else _numbers(values)
    return [
        _HOLDS[name](compared, border_of(name, border)).fill_null(value=False)
        for name, border in when.borders.items()
    ]


_Compared = tuple[pl.Expr, Callable[[str, str], pl.Expr]]


def _dates(values: pl.Series) -> _Compared:
    """The days that are compared; with a time zone as calendars there show."""
    if column_type(values.dtype) not in ("Date", "Datetime"):
        raise unsuitable(values.name, "holds no dates: the borders of when are dates")
    days = values if values.dtype == pl.Date else values.dt.date()
    return pl.lit(days), lambda _, border: pl.lit(dt.date.fromisoformat(border))


def _numbers(values: pl.Series) -> _Compared:
    if column_type(values.dtype) not in ("Integer", "Float", "Decimal"):
        raise unsuitable(values.name, "holds no numbers: the borders of when are numbers")
    if not is_exact(values.dtype):
        # Not-a-number is neither above nor below anything; Polars has it above all.
        return pl.lit(values.cast(pl.Float64).fill_nan(None)), lambda _, b: pl.lit(float(b))

    def border(name: str, text: str) -> pl.Expr:
        count = Fraction(text) * 10 ** digits_of(values.dtype)
        return literal(math.ceil(count) if name in _ROUNDED_UP else math.floor(count))

    return pl.lit(to_counts(values)), border
