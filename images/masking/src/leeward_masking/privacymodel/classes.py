"""Counts of rows whose values are not known beforehand, in tables that can be stored and merged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh

from leeward_masking.anonymity.counts import (
    MAX_ENTRIES,
    CountTable,
    SensitiveCounts,
    count_block,
    merge,
)
from leeward_masking.anonymity.grouping import CodeArray
from leeward_masking.values.canonical import canonical_text, column_type
from leeward_masking.values.detaching import detached
from leeward_masking.values.joining import joinable

_VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class Counted:
    """A table of counts, and the values that its codes stand for.

    Attributes:
        values: Per quasi-identifier its distinct values; the code is the place. Null is a value.
        sensitive: Likewise per sensitive column.
        table: The counts; not settled, as rows of the same subjects may follow.
    """

    values: tuple[pl.Series, ...]
    sensitive: tuple[pl.Series, ...]
    table: CountTable

    def tables(self) -> dict[str, pl.DataFrame]:
        """The same as data frames, to be stored."""
        table = self.table
        codes = {f"code{i}": codes for i, codes in enumerate(table.codes)}
        frames = {
            "classes": pl.DataFrame(codes | {"rows": table.rows, "settled": table.settled}),
            "subjects": pl.DataFrame({"entry": table.open_entry, "subject": table.open_subject}),
        }
        for i, values in enumerate(self.values):
            frames[f"values{i}"] = values.alias(_VALUE).to_frame()
        for i, (values, counts) in enumerate(zip(self.sensitive, table.sensitive, strict=True)):
            frames[f"sensitiveValues{i}"] = values.alias(_VALUE).to_frame()
            frames[f"sensitive{i}"] = pl.DataFrame(
                {"entry": counts.entry, "value": counts.value, "rows": counts.rows}
            )
        return frames

    @classmethod
    def of(cls, frames: Mapping[str, pl.DataFrame]) -> "Counted":
        """The counts that were stored."""
        classes, subjects = frames["classes"], frames["subjects"]
        values = _stored(frames, "values")
        sensitive = _stored(frames, "sensitiveValues")
        codes = [classes[f"code{i}"].to_numpy() for i in range(len(values))]
        counts = [
            SensitiveCounts(len(known), *(frame[n].to_numpy() for n in ("entry", "value", "rows")))
            for i, known in enumerate(sensitive)
            for frame in [frames[f"sensitive{i}"]]
        ]
        table = CountTable(
            tuple(map(len, values)),
            np.stack(codes),
            classes["rows"].to_numpy(),
            classes["settled"].to_numpy(),
            subjects["entry"].to_numpy(),
            subjects["subject"].to_numpy(),
            tuple(counts),
        )
        return cls(values, sensitive, table)


def count_rows(
    quasi_identifiers: Sequence[pl.Series],
    sensitive: Sequence[pl.Series],
    subjects: pl.Series | None,
) -> Counted:
    """Count one block of rows.

    Args:
        quasi_identifiers: At least one column.
        sensitive: Columns of which values are counted per class.
        subjects: Whose row each is; None: each row is of another subject. A null counts for nobody.
            Subjects are told apart by 64 bits of a hash: two that have the same count as one, so
            classes may be taken for smaller than they are, and never for larger.
    """
    values = tuple(distinct(column) for column in quasi_identifiers)
    kinds = tuple(distinct(column) for column in sensitive)
    codes = [encode(column, known) for column, known in zip(quasi_identifiers, values, strict=True)]
    ids = None
    if subjects is not None:
        ids = stable_hash(subjects).fill_null(0).to_numpy(), subjects.is_not_null().to_numpy()
    counted = [
        (encode(column, known), len(known)) for column, known in zip(sensitive, kinds, strict=True)
    ]
    table = count_block(np.stack(codes), [len(known) for known in values], ids, counted)
    return Counted(values, kinds, table)


def merge_counts(parts: Sequence[Counted], limit: int = MAX_ENTRIES) -> Counted:
    """One table of several that count different rows; in any order, up to the order of values.

    Args:
        parts: At least one; of the same columns.
        limit: Most combinations, or pairs, that the result may have.

    Raises:
        JobError: ``TooLarge``.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    values = [_union([part.values[i] for part in parts]) for i in range(len(first.values))]
    kinds = [_union([part.sensitive[i] for part in parts]) for i in range(len(first.sensitive))]
    tables = [_recoded(part, values, kinds) for part in parts]
    return Counted(tuple(values), tuple(kinds), merge(tables, limit))


class Counter:
    """Merges the counts of blocks as they come; some twice the merged table is in memory.

    Args:
        first: The counts to begin with, of no rows, say.
        limit: Most combinations, or pairs, that there may be.
    """

    def __init__(self, first: Counted, limit: int = MAX_ENTRIES) -> None:
        self._limit = limit
        self._parts = [first]

    def add(self, part: Counted) -> None:
        """Take another block. Small tables wait until they are as large as the merged one.

        Raises:
            JobError: ``TooLarge``.
        """
        self._parts.append(part)
        if sum(p.table.entries for p in self._parts[1:]) >= self._parts[0].table.entries:
            self._parts = [merge_counts(self._parts, self._limit)]

    def counted(self) -> Counted:
        """The counts of all blocks.

        Raises:
            JobError: ``TooLarge``.
        """
        return merge_counts(self._parts, self._limit)


def encode(column: pl.Series, known: pl.Series) -> CodeArray:
    """The place of each value among the known ones, -1 where it is none; shape (rows,)."""
    code = np.arange(len(known), dtype=np.int32)
    places = pl.DataFrame({_VALUE: joinable(known), "code": code})
    found = joinable(_plain(column)).alias(_VALUE).to_frame()
    joined = found.join(places, on=_VALUE, how="left", nulls_equal=True, maintain_order="left")
    codes: CodeArray = joined.get_column("code").fill_null(-1).to_numpy()
    return codes


def stable_hash(values: pl.Series) -> pl.Series:
    """64 bits of XXH3 per value, of its canonical text; null stays null.

    The same on every machine, as pods count parts of one source: the hash of Polars may depend on
    what the processor has.
    """
    texts = canonical_text(values).alias(_VALUE).to_frame()
    return texts.select(plh.col(_VALUE).nchash.xxh3_64()).to_series()


def _plain(column: pl.Series) -> pl.Series:
    """Categories as text: blocks number them differently."""
    return column.cast(pl.String) if column_type(column.dtype) == "String" else column


def distinct(column: pl.Series) -> pl.Series:
    """Each value once, categories as text."""
    column = _plain(column)
    return detached(column.unique(maintain_order=True).to_frame()).to_series()


def _union(columns: Sequence[pl.Series]) -> pl.Series:
    return distinct(pl.concat([column.alias(_VALUE) for column in columns]))


def _recoded(part: Counted, values: Sequence[pl.Series], kinds: Sequence[pl.Series]) -> CountTable:
    table = part.table
    codes = [
        encode(old, new)[column]
        for old, new, column in zip(part.values, values, table.codes, strict=True)
    ]
    sensitive = tuple(
        SensitiveCounts(len(new), c.entry, encode(old, new)[c.value].astype(np.int64), c.rows)
        for old, new, c in zip(part.sensitive, kinds, table.sensitive, strict=True)
    )
    return CountTable(
        tuple(map(len, values)),
        np.stack(codes),
        table.rows,
        table.settled,
        table.open_entry,
        table.open_subject,
        sensitive,
    )


def _stored(frames: Mapping[str, pl.DataFrame], prefix: str) -> tuple[pl.Series, ...]:
    count = sum(name.startswith(prefix) for name in frames)
    return tuple(frames[f"{prefix}{i}"].get_column(_VALUE) for i in range(count))
