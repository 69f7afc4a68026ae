"""Transforms that need nothing but the value: keep, drop, redact, replace, partialMask."""

from typing import Annotated

from pydantic import Field

from leeward.api.transformbase import Transform


class NoParameters(Transform):
    """A transform that has no parameters."""


class Replace(Transform):
    """A constant in place of every value that is there."""

    value: Annotated[str, Field(max_length=256)] = Field(description="The constant.")


class PartialMask(Transform):
    """A symbol in place of every character but the first and last few.

    A value that is not longer than what would be kept is masked entirely.
    """

    keep_first: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, description="Characters kept at the start."
    )
    keep_last: Annotated[int, Field(ge=0, le=64)] = Field(
        default=0, description="Characters kept at the end."
    )
    symbol: Annotated[str, Field(min_length=1, max_length=1)] = Field(
        default="*", description="What stands in place of the others."
    )
