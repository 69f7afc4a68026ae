"""shuffle: the values of a column in other rows, within groups of rows.

A permutation of all rows is drawn, all equally likely, and rows of one group are brought together
without changing their order. The rows that are masked take the next values of their group, in
whatever order they come: which row takes which value is then as random as the permutation.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.api.valuetransforms import Shuffle
from leeward_masking.errors import JobError
from leeward_masking.storage.content import changed
from leeward_masking.transforms.gathering import Finished, Gatherer, Tables
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.detaching import detached
from leeward_masking.values.joining import joinable
from leeward_masking.values.randomness import Random, words

MAX_BYTES: Final = 256 << 20
"""Of values and groups in memory."""
MAX_GROUPS: Final = 1 << 20
_BUCKETS: Final = 16
_CODE: Final = "code"
_VALUE, _ROWS, _GROUPS, _ORDER, _PLACES = "value", "rows", "groups", "order", "places"

Codes = NDArray[np.uint32]
"""The group of each row, shape (rows,)."""


class ShuffleGathering:
    """All values of a column, and in which group each stands.

    Args:
        column: Its name.
        dtype: Its type.
        rule: The parameters.
        schema: Of the source; it has all columns of ``rule.within``.
        random: Where random bytes come from.
        max_bytes: See ``MAX_BYTES``.

    Raises:
        JobError: ``UnsuitableColumn``: rows cannot be grouped by a column.
    """

    def __init__(
        self,
        column: str,
        dtype: pl.DataType,
        rule: Shuffle,
        schema: pl.Schema,
        random: Random = os.urandom,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        for name in rule.within:
            if name == column:
                raise unsuitable(name, "cannot be shuffled within groups of its own values")
            if column_type(schema[name]) == "Other":
                raise unsuitable(name, "is a list, struct or binary column: it makes no groups")
        self.name: Final = f"column:{column}"
        self._column = column
        self._rule = rule
        self._random = random
        self._max_bytes = max_bytes
        self._values = pl.Schema([(_VALUE, dtype), (_CODE, pl.UInt32())])
        self._keys = pl.Schema({name: schema[name] for name in rule.within})

    def gatherer(self) -> Gatherer:
        """See ``Gathering``."""
        return _Gatherer(self.name, self._column, self._values, self._keys, self._max_bytes)

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``: draws the permutation."""
        groups = Groups(self._column, self._keys)
        rows: list[pl.DataFrame] = []
        counts: list[pl.DataFrame] = []
        for number, part in enumerate(parts):
            known = part[_GROUPS].sort(_CODE)
            codes = groups.codes(known.select(self._keys.names()))
            mapped = pl.Series(_CODE, codes).gather(part[_ROWS][_CODE])
            rows.append(part[_ROWS].with_columns(mapped))
            found = mapped.to_frame().group_by(_CODE).len("rows")
            counts.append(found.with_columns(pl.lit(number, pl.UInt32).alias("part")))
            _check_size(self._column, rows, self._max_bytes)
        whole = pl.concat(rows)
        rows.clear()
        places = pl.concat(counts).sort(_CODE, "part")
        ends = places["rows"].cast(pl.UInt64).cum_sum()
        places = places.with_columns((ends - places["rows"]).alias("first"))
        order = _permutation(whole[_CODE].to_numpy(), self._random)
        return {
            _VALUE: whole.select(_VALUE),
            _ORDER: pl.DataFrame({_ORDER: order}),
            _GROUPS: groups.table,
            _PLACES: places,
        }

    def finish(self, tables: Tables, part: int) -> Finished:
        """See ``RuleGathering``.

        Raises:
            JobError: ``UnsuitableColumn``: a group has too few rows.
        """
        places = tables[_PLACES]
        sizes = places.group_by(_CODE).agg(pl.col("rows").sum()).sort(_CODE)["rows"].to_numpy()
        small = sizes < self._rule.min_group
        if small.any() and self._rule.unsuitable == "Fail":
            raise self._too_small(int(small.sum()))
        mine = places.filter(pl.col("part") == part)
        cursor = np.zeros(len(sizes), np.uint64)
        ends = np.zeros(len(sizes), np.uint64)
        cursor[mine[_CODE].to_numpy()] = mine["first"].to_numpy()
        ends[mine[_CODE].to_numpy()] = (mine["first"] + mine["rows"]).to_numpy()
        groups = Groups(self._column, self._keys, tables[_GROUPS])
        order = tables[_ORDER][_ORDER].to_numpy()
        mask = ShuffleMask(tables[_VALUE][_VALUE], order, groups, small, (cursor, ends))
        return mask, "all values are still there, in other rows"

    def _too_small(self, count: int) -> JobError:
        which = f"{count} of its groups have" if self._keys else "it has"
        return JobError(
            "UnsuitableColumn",
            f'column "{self._column}" cannot be shuffled: {which} fewer than'
            f" {self._rule.min_group} rows, so values would stay where they are, or nearly",
            "name fewer or coarser columns in shuffle.within, or set shuffle.unsuitable to Redact",
            column=self._column,
        )


class ShuffleMask:
    """The next values of its group for each row.

    Args:
        values: Of the whole column.
        order: Places in ``values``, those of one group together; shape (rows of the source,).
        groups: The groups.
        small: Whether a group is too small, and its values are removed; shape (groups,).
        bounds: Of the rows that are masked: where the places of each group begin and end in
            ``order``, shape (groups,) each; the first is moved on.
    """

    def __init__(
        self,
        values: pl.Series,
        order: Codes,
        groups: "Groups",
        small: NDArray[np.bool_],
        bounds: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    ) -> None:
        self._values = values
        self._order = order
        self._groups = groups
        self._small = small
        self._cursor, self._ends = bounds
        self._lock = threading.Lock()

    def __call__(self, values: pl.Series, *keys: pl.Series) -> pl.Series:
        """A column of the same type.

        Raises:
            JobError: ``SourceChanged``: rows are other ones than those that were gathered.
        """
        codes = self._groups.known_codes(pl.DataFrame(list(keys)), len(values))
        taken = self._values.gather(self._order[self._take(codes)])
        if self._small.any():
            gone = pl.lit(pl.Series(self._small[codes]))
            taken = pl.select(pl.when(~gone).then(pl.lit(taken))).to_series()
        return taken.alias(values.name)

    def _take(self, codes: Codes) -> NDArray[np.uint64]:
        """A place for each row that no other row has."""
        ranks, found, counts = _ranks(codes)
        with self._lock:
            first = self._cursor[found]
            after = first + counts
            if (after > self._ends[found]).any():
                raise changed("was changed between two readings of it")
            self._cursor[found] = after
        start = np.zeros(int(found.max(initial=0)) + 1, np.uint64)
        start[found] = first
        return start[codes] + ranks


class Groups:
    """Numbers groups of rows by the values that they share; null is a value like another.

    Args:
        column: Whose values are shuffled.
        keys: Columns that make the groups; none: all rows are one group.
        table: Groups that are known: the columns, and the number of each.
    """

    def __init__(self, column: str, keys: pl.Schema, table: pl.DataFrame | None = None) -> None:
        self._column = column
        self._names = keys.names()
        self.table = pl.DataFrame(schema=keys | {_CODE: pl.UInt32}) if table is None else table

    def codes(self, frame: pl.DataFrame, height: int | None = None) -> Codes:
        """The group of each row; new ones get the next numbers.

        Args:
            frame: The columns that make the groups.
            height: Rows, where there are no columns.

        Raises:
            JobError: ``TooLarge``: too many groups.
        """
        if not self._names:
            self.table = pl.DataFrame({_CODE: [0]}, {_CODE: pl.UInt32})
            return np.zeros(1 if height is None else height, np.uint32)
        distinct = frame.unique()
        unknown = distinct.filter(self._joined(distinct).is_null())
        if unknown.height:
            numbers = pl.int_range(self.table.height, self.table.height + unknown.height)
            new = unknown.with_columns(pl.select(numbers.cast(pl.UInt32).alias(_CODE)).to_series())
            self.table = pl.concat([self.table, detached(new)])
        if self.table.height > MAX_GROUPS:
            raise too_large(self._column, f"has more than {MAX_GROUPS:,} groups")
        return self._joined(frame).to_numpy()

    def known_codes(self, frame: pl.DataFrame, height: int) -> Codes:
        """The group of each row, all of which are known.

        Raises:
            JobError: ``SourceChanged``: one is not.
        """
        if not self._names:
            return np.zeros(height, np.uint32)
        codes = self._joined(frame)
        if codes.null_count():
            raise changed("was changed between two readings of it")
        return codes.to_numpy()

    def _joined(self, frame: pl.DataFrame) -> pl.Series:
        table = self.table.with_columns(map(joinable, self.table.select(self._names)))
        return (
            pl.DataFrame(list(map(joinable, frame.iter_columns())))
            .join(table, on=self._names, how="left", nulls_equal=True, maintain_order="left")
            .get_column(_CODE)
        )


class _Gatherer:
    def __init__(
        self, name: str, column: str, values: pl.Schema, keys: pl.Schema, max_bytes: int
    ) -> None:
        self.name = name
        self._column = column
        self._keys = keys
        self._max_bytes = max_bytes
        self._groups = Groups(column, keys)
        self._rows = [pl.DataFrame(schema=values)]

    def add(self, block: pl.DataFrame) -> None:
        codes = self._groups.codes(block.select(self._keys.names()), block.height)
        values = block.get_column(self._column).alias(_VALUE)
        self._rows.append(pl.DataFrame([values, pl.Series(_CODE, codes)]))
        _check_size(self._column, self._rows, self._max_bytes)

    def tables(self) -> Tables:
        return {_ROWS: pl.concat(self._rows), _GROUPS: self._groups.table}


def too_large(column: str, how: str) -> JobError:
    """What would have to be known of all rows does not fit in memory."""
    return JobError(
        "TooLarge",
        f'column "{column}" {how}, which is more than shuffle holds in memory',
        "mask it by randomMask.distribution, which needs no more memory for more rows; or split the"
        " source",
        column=column,
    )


def _check_size(column: str, rows: Sequence[pl.DataFrame], most: int) -> None:
    if sum(frame.estimated_size() for frame in rows) > most:
        raise too_large(column, f"takes more than {most >> 20} MiB with its groups")


def _ranks(codes: Codes) -> tuple[NDArray[np.uint64], Codes, NDArray[np.uint64]]:
    """How many rows of its group stand before each; the groups there are, and their rows."""
    if len(codes) and (codes == codes[0]).all():
        return np.arange(len(codes), dtype=np.uint64), codes[:1], np.array([len(codes)], np.uint64)
    order = np.argsort(codes, kind="stable")
    found, first, counts = np.unique(codes[order], return_index=True, return_counts=True)
    ranks = np.empty(len(codes), np.uint64)
    ranks[order] = np.arange(len(codes)) - np.repeat(first, counts)
    return ranks, found, counts.astype(np.uint64)


def _permutation(codes: Codes, random: Random) -> Codes:
    """Places of all rows, those of one group together, each group in an order of its own.

    In buckets that are drawn (Rao 1961, Sandelius 1962), so that one of them at a time is sorted.
    """
    order = np.empty(len(codes), np.uint32)
    sizes = np.bincount(codes)
    cursor = (np.cumsum(sizes) - sizes).astype(np.uint64)
    drawn = np.frombuffer(random(len(codes)), np.uint8) % _BUCKETS
    for bucket in range(_BUCKETS):
        places = np.flatnonzero(drawn == bucket).astype(np.uint32)
        places = places[np.argsort(words(len(places), random))]
        chosen = codes[places]
        ranks, found, counts = _ranks(chosen)
        order[cursor[chosen] + ranks] = places
        cursor[found] += counts
    return order
