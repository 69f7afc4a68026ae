"""When a rule of a MaskingJob applies to a row, and what becomes of the value where it does not."""

from datetime import date
from decimal import Decimal as Number
from typing import Annotated, ClassVar, Final

from pydantic import Field

from leeward.api.columnmatch import Pattern
from leeward.api.meta import Cel, ColumnName, Empty, Model
from leeward.api.plaintransforms import PartialMask, Replace
from leeward.api.valuetransforms import Border

ConditionText = Annotated[str, Field(max_length=256)]
_BORDERS: Final = ("atLeast", "greaterThan", "atMost", "lessThan")
_TESTS: Final = ("equals", "oneOf", "noneOf", "pattern", "isNull", *_BORDERS)
_ANY: Final = " || ".join(f"has(self.{test})" for test in _TESTS)
_OUTCOMES: Final = ("keep", "redact", "replace", "partialMask")
_COUNT: Final = "[" + ", ".join(f"has(self.{name})" for name in _OUTCOMES) + "].filter(x, x).size()"


class When(Model):
    """A condition on another column, or on the same one, as it is in the source.

    All members that are given must hold. A missing value is none of ``noneOf``, and ``isNull``;
    nothing else holds for it.
    """

    column: ColumnName = Field(description="The column that is looked at.")
    equals: ConditionText | None = Field(
        default=None, description='Its value is this, written as text: "true", "2026-01-31", "7".'
    )
    one_of: Annotated[list[ConditionText], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Its value is one of these, written as text."
    )
    none_of: Annotated[list[ConditionText], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Its value is missing, or none of these, written as text."
    )
    pattern: Pattern | None = Field(
        default=None, description="Its whole text is of this regular expression (RE2)."
    )
    is_null: bool | None = Field(
        default=None, description="True: its value is missing. False: it is there."
    )
    at_least: Border | None = Field(
        default=None, description="Its value is not below this decimal number or date, in quotes."
    )
    greater_than: Border | None = Field(
        default=None, description="Its value is above this decimal number or date, in quotes."
    )
    at_most: Border | None = Field(
        default=None, description="Its value is not above this decimal number or date, in quotes."
    )
    less_than: Border | None = Field(
        default=None, description="Its value is below this decimal number or date, in quotes."
    )
    cel: ClassVar = (
        Cel(_ANY, f"when says nothing of the column: give it one or more of {', '.join(_TESTS)}"),
    )

    @property
    def borders(self) -> dict[str, str]:
        """The borders that are given, by name as in a manifest."""
        given = (self.at_least, self.greater_than, self.at_most, self.less_than)
        return {name: border for name, border in zip(_BORDERS, given, strict=True) if border}

    @property
    def is_of_dates(self) -> bool:
        """Whether the borders are dates."""
        return any("-" in border[1:] for border in self.borders.values())

    @property
    def reads_text(self) -> bool:
        """Whether it compares the text of values."""
        asked = (self.equals, self.one_of, self.none_of, self.pattern)
        return any(member is not None for member in asked)

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the members together, and what to do; None: nothing."""
        if not self.borders and not self.reads_text and self.is_null is None:
            return "when says nothing of the column", f"give it one or more of {', '.join(_TESTS)}"
        if len({"-" in border[1:] for border in self.borders.values()}) > 1:
            return "borders of when are numbers and dates", "correct one of them"
        try:
            for border in self.borders.values():
                date.fromisoformat(border) if self.is_of_dates else Number(border)
        except ValueError:
            return "a border of when is a date that does not exist", "correct it"
        return None


class OtherReplace(Replace):
    """A constant in place of every value that is there."""

    keeps_unknown: ClassVar = False


class OtherPartialMask(PartialMask):
    """A symbol in place of every character but the first and last few.

    A value that is not longer than what would be kept is masked entirely.
    """

    keeps_unknown: ClassVar = False


class Otherwise(Model):
    """What becomes of the values of all other rows. Exactly one member."""

    keep: Empty | None = Field(default=None, description="They stay as they are.")
    redact: Empty | None = Field(default=None, description="They are removed (null).")
    replace: OtherReplace | None = Field(default=None, description="A constant takes their place.")
    partial_mask: OtherPartialMask | None = Field(
        default=None, description="Symbols in place of their middle."
    )
    cel: ClassVar = (
        Cel(
            f"{_COUNT} == 1",
            f"otherwise needs exactly one of {', '.join(_OUTCOMES)} (keep: {{}})",
        ),
    )

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the members together, and what to do; None: nothing."""
        given = (self.keep, self.redact, self.replace, self.partial_mask)
        if sum(member is not None for member in given) != 1:
            return "otherwise has not exactly one member", f"give one of {', '.join(_OUTCOMES)}"
        return None
