"""Transforms of values: timePart, topBottomCode, noise, randomMask, shuffle."""

from datetime import date
from decimal import Decimal as Number
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from leeward.api.meta import DECIMAL_PATTERN, Cel, ColumnName, Decimal, Model, Text
from leeward.api.transformbase import Transform

_DATE_PATTERN: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_NUMBER: Final = DECIMAL_PATTERN.removeprefix("^").removesuffix("$")
_DATE: Final = _DATE_PATTERN.removeprefix("^").removesuffix("$")

Border = Annotated[
    str,
    Field(max_length=40, description="An exact decimal number, or a date, written as a string."),
    Text(
        f"^({_NUMBER}|{_DATE})$",
        'must be a decimal number, as "90" or "0.5" (at most 19 digits before the point and 18'
        ' after it), or a date, as "1930-01-01"',
    ),
]
PositiveDecimal = Annotated[
    str,
    Field(max_length=40, description="An exact decimal number above 0, written as a string."),
    Text(
        r"^[0-9]{1,19}([.][0-9]{1,18})?$",
        'must be a decimal number above 0, as "2" or "0.5" (at most 19 digits before the point and'
        " 18 after it)",
        also="self.matches('[1-9]')",
    ),
]
Probability = Annotated[
    str,
    Field(max_length=20, description="A decimal number above 0, at most 1, written as a string."),
    Text(
        r"^(0[.][0-9]{1,18}|1([.]0{1,18})?)$",
        'must be a probability above 0, at most 1, as "0.25" (at most 18 digits after the point)',
        also="self.matches('[1-9]')",
    ),
]


def _not_above(low: str, high: str) -> Cel:
    """Two decimals that may be left out, the first not above the second.

    The API server compares the nearest binary numbers. Where these are the same, only equal texts
    are sure to be in order.
    """
    return Cel(
        f"!has(self.{low}) || !has(self.{high})"
        f" || [self.{low}, self.{high}].exists(b, !b.matches(r'{DECIMAL_PATTERN}'))"
        f" || double(self.{low}) < double(self.{high}) || self.{low} == self.{high}",
        ": ".join(_above(low, high)),
        field_path=f".{low}",
    )


def _above(low: str, high: str) -> tuple[str, str]:
    return (
        f"{low} is above {high}, or too near to tell",
        "exchange them, or write equal ones alike",
    )


def _is_above(low: str, high: str) -> bool:
    """As the API server sees two decimals: too near to tell counts, too."""
    return Number(low) > Number(high) or (float(low) == float(high) and low != high)


def _zero(name: str) -> tuple[str, str]:
    return f"{name} is 0", f"give {name} a decimal number above 0"


class TimePart(Transform):
    """One part of a date or time, as a whole number."""

    part: Literal["Year", "Quarter", "Month", "Week", "Weekday", "Hour"] = Field(
        description="The part. Week: 1 to 53 as in ISO 8601. Weekday: 1 (Monday) to 7 (Sunday)."
        " Hour: 0 to 23.",
    )


class TopBottomCode(Transform):
    """Values beyond a border become that border. At least one of the two."""

    bottom: Border | None = Field(
        default=None,
        description='Values below become this: a decimal number or a date, in quotes: "18".',
    )
    top: Border | None = Field(
        default=None,
        description='Values above become this: a decimal number or a date, in quotes: "90".',
    )
    cel: ClassVar = (
        Cel(
            "has(self.bottom) || has(self.top)",
            "topBottomCode needs bottom, top or both",
        ),
        Cel(
            "!has(self.bottom) || !has(self.top) || [self.bottom, self.top].exists(b,"
            f" !b.matches(r'^({_NUMBER}|{_DATE})$'))"
            f" || self.bottom.matches(r'{_DATE_PATTERN}') == self.top.matches(r'{_DATE_PATTERN}')",
            "bottom and top must both be numbers, or both dates: correct one of them",
            field_path=".bottom",
        ),
        Cel(
            "!has(self.bottom) || !has(self.top)"
            f" || ([self.bottom, self.top].all(b, b.matches(r'{DECIMAL_PATTERN}'))"
            " ? double(self.bottom) < double(self.top) || self.bottom == self.top"
            f" : [self.bottom, self.top].exists(b, !b.matches(r'{_DATE_PATTERN}'))"
            " || self.bottom <= self.top)",
            ": ".join(_above("bottom", "top")),
            field_path=".bottom",
        ),
    )

    @property
    def is_of_dates(self) -> bool:
        """Whether the borders are dates."""
        return "-" in (self.bottom or self.top or "")[1:]

    def fault(self) -> tuple[str, str] | None:
        """See the base."""
        given = [border for border in (self.bottom, self.top) if border is not None]
        if not given:
            return "topBottomCode has no border", "give it bottom, top or both"
        dates = ["-" in border[1:] for border in given]
        if any(dates) != all(dates):
            return "bottom is a number and top a date, or the reverse", "correct one of them"
        low, high = given[0], given[-1]
        if not self.is_of_dates:
            return _above("bottom", "top") if _is_above(low, high) else None
        try:
            above = date.fromisoformat(low) > date.fromisoformat(high)
        except ValueError:
            return "a border is a date that does not exist", "correct bottom or top"
        return _above("bottom", "top") if above else None


class Noise(Transform):
    """A random number added to each value. Of each single value only (attribute-level).

    It gives no differential privacy: rows stay visible, and so do other columns.
    """

    distribution: Literal["Laplace", "Gaussian"] = Field(
        default="Laplace", description="The distribution of what is added; its mean is 0."
    )
    scale: PositiveDecimal = Field(
        description="Laplace: the scale b (mean absolute change). Gaussian: the standard deviation."
        ' A decimal number in quotes: "500".'
    )
    round_to: PositiveDecimal | None = Field(
        default=None,
        description='Results are rounded to multiples of this, in quotes: "0.1". Left out: whole'
        " numbers stay whole, decimals keep their digits.",
    )
    lower: Decimal | None = Field(
        default=None, description='Smaller results become this, in quotes: "0".'
    )
    upper: Decimal | None = Field(
        default=None, description='Larger results become this, in quotes: "100".'
    )
    cel: ClassVar = (_not_above("lower", "upper"),)

    def fault(self) -> tuple[str, str] | None:
        """See the base."""
        if not Number(self.scale):
            return _zero("scale")
        if self.round_to is not None and not Number(self.round_to):
            return _zero("roundTo")
        if self.lower is None or self.upper is None or not _is_above(self.lower, self.upper):
            return None
        return _above("lower", "upper")


class NumberRange(Model):
    """The numbers from ``lower`` to ``upper``."""

    lower: Decimal = Field(description='The smallest, in quotes: "0".')
    upper: Decimal = Field(description='The largest, in quotes: "100".')
    cel: ClassVar = (_not_above("lower", "upper"),)


class OwnDistribution(Model):
    """The distribution of the column's own values."""

    min_rows: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=5,
        description="Values that fewer rows have are not drawn. Of numbers and dates, those between"
        " such values are.",
    )


class RandomMask(Transform):
    """Random values in place of the values, or random values removed. Exactly one member."""

    range: NumberRange | None = Field(
        default=None,
        description="Every number becomes a random one from this range, all equally likely; in"
        " lists, too.",
    )
    distribution: OwnDistribution | None = Field(
        default=None,
        description="Every value becomes a random one that is distributed as those of the column;"
        " in lists, too. The source is read twice.",
    )
    suppress: Probability | None = Field(
        default=None,
        description="Every value is removed (null) with this probability, above 0 and at most 1, in"
        ' quotes: "0.25".',
    )
    cel: ClassVar = (
        Cel(
            "[has(self.range), has(self.distribution), has(self.suppress)].filter(x, x).size()"
            " == 1",
            "randomMask needs exactly one of range, distribution, suppress",
        ),
    )

    def fault(self) -> tuple[str, str] | None:
        """See the base."""
        given = [one for one in (self.range, self.distribution, self.suppress) if one is not None]
        if len(given) != 1:
            return (
                "randomMask has not exactly one parameter",
                "give one of range, distribution, suppress",
            )
        if self.suppress is not None:
            return None if Number(self.suppress) else _zero("suppress")
        if self.range is None or not _is_above(self.range.lower, self.range.upper):
            return None
        return _above("range.lower", "range.upper")


class Shuffle(Transform):
    """The values of the column in other rows, within groups of rows. The source is read twice."""

    within: Annotated[list[ColumnName], Field(max_length=8)] = Field(
        default=[],
        description="Columns: values stay among rows that are equal in all of these, as they are in"
        " the source. Left out: all rows are one group.",
    )
    min_group: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=2, description="Rows that a group must have."
    )
    unsuitable: Literal["Fail", "Redact"] = Field(
        default="Fail",
        description="What becomes of the values in a smaller group: the job fails, or they are"
        " removed (null).",
    )
