"""Which columns a rule of a MaskingJob is for: by name, or by what is known of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    SchemaError,
    SchemaValidator,
    core_schema,
)

from leeward.api.dataset import ColumnType, Detected, Tag
from leeward.api.meta import Cel, ColumnName, Model, Rules

MAX_PATTERN: Final = 128
MAX_PATTERNS: Final = 32
"""Rules of one job that have one. Compiled they take up to 4 MiB and 30 ms each, in an operator
that all namespaces share."""
_COSTLY: Final = r"[)}*+?][{]|\\[wWdDsS][{]|[{]([0-9]{2}|[0-9]*,[0-9]{2})"
"""Counted repetitions of groups, of repetitions, of large classes, and of ten or more: a few
characters of these make programs of any size."""
_PLAIN: Final = (
    "counts as {3} are of a single character or a [class], and at most 9: write [0-9]{3}, or [0-9]+"
)
_WANTED: Final = (
    "must be a regular expression (RE2) for the whole text, as addr_.* or (?i)phone[0-9]?"
)


def anchored(pattern: str) -> str:
    """The regular expression of texts that are of this one as a whole."""
    return rf"\A(?:{pattern})\z"


@lru_cache(maxsize=16)
def whole(pattern: str) -> Callable[[str], bool]:
    """Whether a text is, as a whole, of this form.

    Regular expressions as of RE2 and Rust's regex, which pydantic brings along: their time is
    linear in the text, whatever the pattern. Python's own could be made to run for years.

    Raises:
        ValueError: It is no regular expression, or one that grows too large.
    """
    if re.search(_COSTLY, pattern):
        raise ValueError(_PLAIN)
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=anchored(pattern)))
    except SchemaError:
        raise ValueError(_WANTED) from None
    return validator.isinstance_python


@dataclass(frozen=True, slots=True)
class RegularExpression:
    """Metadata of an ``Annotated`` string: it is a regular expression of RE2."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # The API server ends with an error of RE2 where it cannot read the expression.
        readable = Cel("''.matches(self) || !''.matches(self)", _WANTED)
        plain = Cel(f"!self.matches(r'{_COSTLY}')", _PLAIN)
        return Rules((readable, plain)).__get_pydantic_json_schema__(schema, handler)

    def _checked(self, text: str) -> str:
        try:
            whole(text)
        except ValueError as error:
            raise PydanticCustomError("pattern", "{wanted}", {"wanted": str(error)}) from None
        return text


Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), RegularExpression()]


class Match(Model):
    """Columns that one rule stands for: names, or else all that fit every other member given."""

    names: Annotated[list[ColumnName], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="Names of the columns. It stands alone."
    )
    pattern: Pattern | None = Field(
        default=None, description="Regular expression (RE2) that the whole name is of."
    )
    tag: Tag | None = Field(
        default=None, description="Tag that the column has in spec.columns of the Dataset."
    )
    type: ColumnType | None = Field(
        default=None, description="Type of its values, as in status.columns of the Dataset."
    )
    detected: Detected | None = Field(
        default=None,
        description="What the inspection took its values for, as in status.columns of the Dataset.",
    )
    cel: ClassVar = (
        Cel(
            "has(self.names) != (has(self.pattern) || has(self.tag) || has(self.type)"
            " || has(self.detected))",
            "match needs names alone, or one or more of pattern, tag, type, detected: remove the"
            " others",
        ),
    )

    def fault(self) -> tuple[str, str] | None:
        """What is wrong with the members together, and what to do; None: nothing."""
        others = (self.pattern, self.tag, self.type, self.detected)
        if (self.names is None) == all(member is None for member in others):
            return (
                "match has neither names alone nor one or more of pattern, tag, type, detected",
                "remove the others",
            )
        return None

    def fits(self, name: str, kind: ColumnType, tags: list[Tag], detected: Detected | None) -> bool:
        """Whether a column is one that is meant, where no names are given."""
        return (
            self.names is None
            and (self.pattern is None or whole(self.pattern)(name))
            and (self.tag is None or self.tag in tags)
            and (self.type is None or self.type == kind)
            and (self.detected is None or self.detected == detected)
        )

    @property
    def words(self) -> str:
        """What it asks for, in words."""
        asked = (
            ("pattern", self.pattern),
            ("tag", self.tag),
            ("type", self.type),
            ("detected", self.detected),
        )
        return " and ".join(f"{name} {value}" for name, value in asked if value is not None)
