"""Parquet in blocks: stretches of row groups in memory files, read by Polars.

Polars streams Parquet from paths only; a Python file object it reads whole. So a few row groups at
a time are written, at their own offsets and with the footer, into a sparse anonymous file in memory
(memfd), which Polars opens by its descriptor's path. Plaintext never has a name on a disk.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import polars as pl

from leeward.api.dataset import SchemaColumn
from leeward_masking.errors import JobError
from leeward_masking.sources.blocks import BLOCK_BYTES
from leeward_masking.sources.columnar.fardates import check_dates
from leeward_masking.sources.columnar.parquetfooter import (
    MAGIC,
    TAIL,
    RowGroup,
    damaged,
    read_row_groups,
)
from leeward_masking.storage.content import Readable, changed, empty
from leeward_masking.values.nesting import Layout

STRETCH_BYTES: Final = 32 << 20
"""Row groups are taken together up to this size."""
MAX_ROW_GROUP: Final = 256 << 20
"""Largest row group in bytes as stored: one has to fit in memory."""
MAX_FOOTER: Final = 128 << 20
READ_BYTES: Final = 64 << 20
"""Rows are decoded by the row group, or in parts of this size in memory."""
_PROBE_ROWS: Final = 1024
_MAX_ROWS: Final = 131_072
_COPY: Final = 1 << 20


class ParquetReader:
    """The rows of a Parquet file.

    Args:
        content: The bytes.
        columns: The schema as inspected; None: whatever it is.
        groups: Which row groups are read, by number; None: all. ``content`` then reads from the
            first one's begin to the last one's end.
        block_bytes: Size of a block.
        max_row_group: Largest row group in bytes as stored.

    Raises:
        JobError: It is no Parquet file, is damaged, or differs from the schema.
    """

    def __init__(
        self,
        content: Readable,
        columns: Sequence[SchemaColumn] | None,
        *,
        groups: range | None = None,
        block_bytes: int = BLOCK_BYTES,
        max_row_group: int = MAX_ROW_GROUP,
    ) -> None:
        self._content = content
        self._max_row_group = max_row_group
        self._block_bytes = block_bytes
        self._shown = 0
        self._footer = _footer(content)
        found = read_row_groups(self._footer[:-TAIL], content.size)
        self._whole = groups is None
        self._groups = found if groups is None else found[groups.start : groups.stop]
        self._first = sum(group.rows for group in found[: groups.start]) if groups else 0
        self._begin = self._groups[0].start if groups else 0
        self._done = self._begin
        with self._memory_file() as path, _polars_errors(0):
            self.schema = _scan(path).collect_schema()
        if columns is not None and not self._is_of([column.name for column in columns]):
            raise changed("has other columns than when it was inspected")

    def _is_of(self, names: list[str]) -> bool:
        """Inspections of earlier versions told of no leaves."""
        return names in (Layout(self.schema).schema.names(), self.schema.names())

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        if self._whole:
            return self._shown, self._content.size
        return max(0, self._shown - self._begin), self._groups[-1].end - self._begin

    @property
    def footer(self) -> bytes:
        """The footer with its length and magic, as it was read."""
        return self._footer

    @property
    def row_groups(self) -> Sequence[RowGroup]:
        """The row groups that are read."""
        return self._groups

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        row = self._first
        per_row = 0.0
        for stretch in _stretches(self._groups, self._max_row_group):
            first, before = row, self._done
            rows = sum(group.rows for group in stretch)
            with self._memory_file(stretch[-1].end) as path:
                per_row = per_row or _bytes_per_row(_read(path, row, min(_PROBE_ROWS, rows)))
                for group in filter(lambda group: group.rows, stretch):
                    parts = math.ceil(group.rows * per_row / READ_BYTES)
                    end = row + group.rows
                    while row < end:
                        frame = _read(path, row, min(math.ceil(group.rows / parts), end - row))
                        per_row = _bytes_per_row(frame)
                        yield from frame.iter_slices(self._block_rows(frame, per_row))
                        row += frame.height
                        self._shown = before + (self._done - before) * (row - first) // rows
        if row == self._first and self._whole:
            raise empty("has columns and no rows")
        if self._whole:
            self._check_footer()

    def _block_rows(self, frame: pl.DataFrame, per_row: float) -> int:
        """Rows of the blocks that a frame is cut into, all of nearly one size."""
        most = max(1, min(_MAX_ROWS, int(self._block_bytes / per_row)))
        return math.ceil(frame.height / math.ceil(frame.height / most))

    @contextmanager
    def _memory_file(self, end: int = 0) -> Iterator[str]:
        """The path of a file in memory that holds the source up to ``end``, and its footer."""
        number = os.memfd_create("leeward-parquet")
        try:
            size = self._content.size
            os.pwrite(number, MAGIC, 0)
            os.pwrite(number, self._footer, size - len(self._footer))
            while self._done < end:
                data = self._content.read(min(_COPY, end - self._done))
                os.pwrite(number, data, self._done)
                self._done += len(data)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)

    def _check_footer(self) -> None:
        """Read the rest in order: the footer must be the one that the row groups came from."""
        start = self._content.size - len(self._footer)
        while self._done < start:
            self._done += len(self._content.read(min(_COPY, start - self._done)))
        if self._content.read(len(self._footer)) != self._footer:
            raise changed("was changed while it was read")
        self._done = self._content.size


def _footer(content: Readable) -> bytes:
    """The footer with its length and magic."""
    tail = content.peek_at(max(0, content.size - TAIL), TAIL)
    if content.size < len(MAGIC) + TAIL or content.peek_at(0, len(MAGIC)) != MAGIC:
        raise JobError(
            "WrongFormat",
            "the source is not a Parquet file",
            "create a Dataset with the format that the file has",
        )
    length = int.from_bytes(tail[:4], "little") + TAIL
    if tail[4:] != MAGIC or length > content.size - len(MAGIC):
        raise damaged("its end is missing")
    if length > MAX_FOOTER:
        raise _too_large("footer", MAX_FOOTER)
    return content.peek_at(content.size - length, length)


def _scan(path: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, cache=False, hive_partitioning=False)


def _read(path: str, row: int, count: int) -> pl.DataFrame:
    """Rows from ``row`` on; to be within one row group, where Polars decodes each page once."""
    with _polars_errors(row + 1):
        frame = _scan(path).slice(row, count).collect()
    if frame.height != count:
        raise damaged(f"rows are missing after row {row}")
    check_dates(frame, row + 1)
    return frame


def _bytes_per_row(frame: pl.DataFrame) -> float:
    return max(1.0, frame.estimated_size() / max(1, frame.height))


def _stretches(groups: Sequence[RowGroup], largest: int) -> Iterator[list[RowGroup]]:
    stretch: list[RowGroup] = []
    for group in groups:
        if group.end - group.start > largest:
            raise _too_large("row group", largest)
        if stretch and group.end - stretch[0].start > STRETCH_BYTES:
            yield stretch
            stretch = []
        stretch.append(group)
    if stretch:
        yield stretch


def _too_large(part: str, limit: int) -> JobError:
    return JobError(
        "TooLarge",
        f"a {part} of the Parquet file is larger than {limit >> 20} MiB and does not fit in memory",
        "write the file again with at most 1,000,000 rows per row group",
    )


@contextmanager
def _polars_errors(row: int) -> Iterator[None]:
    """Polars' texts can hold data: only the place is told."""
    try:
        yield
    except pl.exceptions.DuplicateError:
        raise JobError(
            "DuplicateColumn",
            "two columns of the Parquet file have the same name",
            "give each column a name of its own",
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        place = f"the rows from {row} on cannot be decoded" if row else "its schema cannot be read"
        raise damaged(place) from None
