"""Hierarchies: how the values of a quasi-identifier become coarser, level by level."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
import polars as pl

from leeward_masking.anonymity.grouping import CodeArray
from leeward_masking.errors import JobError

ANY: Final = "*"
"""What stands for all values."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The levels of one quasi-identifier, from the values themselves (0) to the coarsest.

    Attributes:
        name: The column.
        levels: Per level the code of each value; shape (values,), codes from 0 without a gap.
            Level 0 gives every value a code of its own, in order.
        labels: Per level the text of each code; shape (codes of the level,). Null: the value is
            missing.

    Raises:
        JobError: ``InvalidConfig``: a level does not refine the next one, or shapes differ. The
            message names level and position of the value, never the value.
    """

    name: str
    levels: tuple[CodeArray, ...]
    labels: tuple[pl.Series, ...]

    def __post_init__(self) -> None:
        if not self.levels or len(self.levels) != len(self.labels):
            raise self._invalid("has no levels", "give at least the values themselves")
        values = len(self.labels[0])
        if not np.array_equal(self.levels[0], np.arange(values)):
            raise self._invalid("does not begin with the values", "number them in order at level 0")
        for level, (codes, labels) in enumerate(zip(self.levels, self.labels, strict=True)):
            if len(codes) != values:
                raise self._invalid(
                    f"has {len(codes)} values at level {level} and {values} at level 0",
                    "give every value at every level",
                )
            if not np.array_equal(np.unique(codes), np.arange(len(labels))):
                raise self._invalid(f"has a gap in the codes of level {level}", "number them anew")
        for level, (fine, coarse) in enumerate(pairwise(self.levels)):
            parent = np.zeros(len(self.labels[level]), np.int32)
            parent[fine[::-1]] = coarse[::-1]
            split = np.flatnonzero(parent[fine] != coarse)
            if len(split):
                raise self._invalid(
                    f"puts value {split[0] + 1} with another one at level {level}, and apart from"
                    f" it at level {level + 1}",
                    "let every level join groups of the one before, and part none",
                )

    def _invalid(self, fault: str, remedy: str) -> JobError:
        return JobError(
            "InvalidConfig",
            f'the hierarchy of column "{self.name}" {fault}',
            remedy,
            column=self.name,
        )

    @property
    def height(self) -> int:
        """How many levels there are."""
        return len(self.levels)

    @property
    def values(self) -> int:
        """How many values there are."""
        return len(self.labels[0])

    def size(self, level: int) -> int:
        """How many codes a level has."""
        return len(self.labels[level])

    def between(self, fine: int, coarse: int) -> CodeArray:
        """The code at level ``coarse`` of each code at level ``fine``; shape (codes of fine,)."""
        step = np.empty(self.size(fine), np.int32)
        step[self.levels[fine]] = self.levels[coarse]
        return step

    def with_any(self) -> Self:
        """The same with a last level that has one code for all; itself where it has one."""
        if self.size(self.height - 1) <= 1:
            return self
        return type(self)(
            self.name,
            (*self.levels, np.zeros(self.values, np.int32)),
            (*self.labels, pl.Series([ANY])),
        )


def from_columns(name: str, columns: Sequence[pl.Series]) -> Hierarchy:
    """A hierarchy from a table of levels, as a file has it.

    Args:
        name: The column that it is for.
        columns: Per level the text of each value; column 0 are the values, each once. Null is a
            value like another: the missing one.

    Raises:
        JobError: ``InvalidConfig``.
    """
    levels: list[CodeArray] = []
    labels: list[pl.Series] = []
    for level, column in enumerate(columns):
        text = column.cast(pl.String).alias("text")
        distinct = text.unique(maintain_order=True)
        if level == 0 and len(distinct) < len(text):
            again = int((~text.is_first_distinct()).arg_max() or 0)
            raise JobError(
                "InvalidConfig",
                f'the hierarchy of column "{name}" has value {again + 1} twice',
                "give every value once",
                column=name,
            )
        known = pl.DataFrame({"text": distinct, "code": np.arange(len(distinct), dtype=np.int32)})
        joined = text.to_frame().join(
            known, on="text", how="left", nulls_equal=True, maintain_order="left"
        )
        levels.append(joined.get_column("code").to_numpy().astype(np.int32))
        labels.append(distinct)
    return Hierarchy(name, tuple(levels), tuple(labels))
