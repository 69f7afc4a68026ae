"""The table of counts: what the models need to know of the rows, and nothing else of them.

Tables of blocks are merged; merging is associative and commutative, so workers may count parts and
somebody else merges. Memory is that of the distinct combinations, and of the distinct pairs of
combination and subject until ``settle``; ``merge`` refuses more than a limit.

A subject counts once per class, in whichever of its combinations. Subjects with one combination
are counted there (``settled``), and no later join of combinations changes that; only those with
several are kept one by one (``open_*``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from leeward_masking.anonymity.grouping import (
    BoolArray,
    CodeArray,
    IntArray,
    SubjectArray,
    densify,
    group,
    representatives,
    sums,
)
from leeward_masking.errors import JobError

MAX_ENTRIES: Final = 50_000_000
"""Combinations, pairs with subjects, or pairs with sensitive values: some 3 GiB."""


@dataclass(frozen=True, slots=True)
class SensitiveCounts:
    """How many rows of each combination have each value of one sensitive attribute.

    Only pairs that occur, ordered by combination and value.

    Attributes:
        size: How many values there are.
        entry: The combination; shape (pairs,).
        value: Code of the value; shape (pairs,).
        rows: Shape (pairs,).
    """

    size: int
    entry: IntArray
    value: IntArray
    rows: IntArray

    def joined(self, numbers: IntArray, count: int) -> Self:
        """The same where combination i has become combination ``numbers[i]`` of ``count``."""
        return self.of(self.size, numbers[self.entry], self.value, self.rows, count)

    @classmethod
    def of(cls, size: int, entry: IntArray, value: IntArray, rows: IntArray, count: int) -> Self:
        """Add up equal pairs; ``count``: how many combinations there are."""
        pairs, found = group([entry, value], [count, size])
        first = representatives(pairs, found)
        return cls(size, entry[first], value[first], sums(pairs, rows, found))

    def totals(self) -> IntArray:
        """Rows per value in the whole table; shape (size,)."""
        return sums(self.value, self.rows, self.size)


@dataclass(frozen=True, slots=True)
class CountTable:
    """Counts per distinct combination of quasi-identifier codes, ordered lexicographically.

    Attributes:
        sizes: How many codes each attribute has.
        codes: Shape (attributes, combinations).
        rows: Shape (combinations,).
        settled: Subjects that have no other combination; shape (combinations,). Without a subject
            column every row is a subject.
        open_entry: Combinations of the other subjects, each pair once; shape (pairs,).
        open_subject: The subjects; shape (pairs,).
        sensitive: One per sensitive attribute.
    """

    sizes: tuple[int, ...]
    codes: CodeArray
    rows: IntArray
    settled: IntArray
    open_entry: IntArray
    open_subject: SubjectArray
    sensitive: tuple[SensitiveCounts, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def entries(self) -> int:
        """How much there is to keep: combinations, and pairs with subjects and values."""
        return len(self) + len(self.open_entry) + sum(len(s.entry) for s in self.sensitive)

    @property
    def total(self) -> int:
        """Rows in all."""
        return int(self.rows.sum())

    def subjects(self) -> IntArray:
        """Distinct subjects per combination; shape (combinations,)."""
        return self.settled + np.bincount(self.open_entry, minlength=len(self))

    def joined(self, codes: CodeArray, sizes: tuple[int, ...]) -> Self:
        """The table with other codes of its combinations; those that are equal now become one.

        Args:
            codes: Shape (attributes, combinations).
            sizes: How many codes each attribute has.
        """
        numbers, count = group(list(codes), sizes)
        entry, subject = _distinct_pairs(numbers[self.open_entry], self.open_subject, count)
        return type(self)(
            sizes,
            np.ascontiguousarray(codes[:, representatives(numbers, count)]),
            sums(numbers, self.rows, count),
            sums(numbers, self.settled, count),
            entry,
            subject,
            tuple(sensitive.joined(numbers, count) for sensitive in self.sensitive),
        )

    def settle(self) -> Self:
        """Count subjects that are left with one combination there.

        To be asked only where no other table has rows of these subjects: at the end, or when rows
        were divided among workers by subject.
        """
        _, inverse, times = np.unique(self.open_subject, return_inverse=True, return_counts=True)
        alone: BoolArray = times[inverse] == 1
        return type(self)(
            self.sizes,
            self.codes,
            self.rows,
            self.settled + np.bincount(self.open_entry[alone], minlength=len(self)),
            self.open_entry[~alone],
            self.open_subject[~alone],
            self.sensitive,
        )


def count_block(
    codes: CodeArray,
    sizes: Sequence[int],
    subjects: tuple[SubjectArray, BoolArray] | None = None,
    sensitive: Sequence[tuple[npt.NDArray[np.integer], int]] = (),
) -> CountTable:
    """The table of one block of rows.

    Args:
        codes: Quasi-identifiers at level 0; shape (attributes, rows).
        sizes: How many codes each attribute has.
        subjects: An id per row, and whether there is one; shapes (rows,). A row without one counts
            for no subject: it may belong to any of the others. None: every row is a subject.
        sensitive: Per sensitive attribute codes of shape (rows,), and how many there are. A
            missing value has a code of its own.

    Raises:
        ValueError: Shapes differ, or there is no attribute.
    """
    attributes, rows = codes.shape
    if not attributes or attributes != len(sizes):
        raise ValueError("codes and sizes must name the same attributes, at least one")
    every = np.arange(rows)
    ones = np.ones(rows, np.int64)
    if subjects is None:
        settled, entry, subject = ones, every[:0], np.empty(0, np.uint64)
    else:
        ids, known = subjects
        settled, entry, subject = np.zeros(rows, np.int64), every[known], ids[known]
    values = tuple(
        SensitiveCounts(size, every, value.astype(np.int64), ones) for value, size in sensitive
    )
    raw = CountTable(tuple(sizes), codes, ones, settled, entry, subject, values)
    return raw.joined(codes, tuple(sizes))


def merge(tables: Sequence[CountTable], limit: int = MAX_ENTRIES) -> CountTable:
    """One table of several that count different rows; associative and commutative.

    Args:
        tables: At least one; all with the same sizes.
        limit: Most combinations, or pairs, that the result may have.

    Raises:
        JobError: ``TooLarge``.
        ValueError: The tables are of different attributes.
    """
    first = tables[0]
    if any(table.sizes != first.sizes for table in tables):
        raise ValueError("tables of different attributes cannot be merged")
    starts = np.cumsum([0, *(len(table) for table in tables)])
    shifted = list(zip(tables, starts.tolist(), strict=False))
    sensitive = tuple(
        SensitiveCounts(
            part.size,
            np.concatenate([table.sensitive[i].entry + start for table, start in shifted]),
            np.concatenate([table.sensitive[i].value for table in tables]),
            np.concatenate([table.sensitive[i].rows for table in tables]),
        )
        for i, part in enumerate(first.sensitive)
    )
    codes = np.concatenate([table.codes for table in tables], axis=1)
    merged = CountTable(
        first.sizes,
        codes,
        np.concatenate([table.rows for table in tables]),
        np.concatenate([table.settled for table in tables]),
        np.concatenate([table.open_entry + start for table, start in shifted]),
        np.concatenate([table.open_subject for table in tables]),
        sensitive,
    ).joined(codes, first.sizes)
    _check_size(merged, limit)
    return merged


def _check_size(table: CountTable, limit: int) -> None:
    if len(table) > limit:
        raise JobError(
            "TooLarge",
            f"the quasi-identifiers have more than {limit:,} combinations",
            "let the hierarchies begin coarser (years for days, say), or name fewer columns",
        )
    if len(table.open_entry) > limit:
        raise JobError(
            "TooLarge",
            f"privacyModel: there are more than {limit:,} people, or people in combinations of the"
            " quasi-identifiers",
            "set kAnonymity.count to Rows where every row is of another person; or split the data",
        )
    if any(len(counts.entry) > limit for counts in table.sensitive):
        raise JobError(
            "TooLarge",
            f"the quasi-identifiers have more than {limit:,} combinations with values of the"
            " sensitive column",
            "generalize the sensitive column, or let the hierarchies begin coarser",
        )


def _distinct_pairs(
    entry: IntArray, subject: SubjectArray, count: int
) -> tuple[IntArray, SubjectArray]:
    """Each pair once, ordered by combination and subject."""
    if not len(entry):
        return entry, subject
    ids, inverse = np.unique(subject, return_inverse=True)
    pairs, found = densify(entry * len(ids) + inverse, count * len(ids))
    first = representatives(pairs, found)
    return entry[first], subject[first]
