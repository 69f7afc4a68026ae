"""Arrow IPC files in blocks: stretches of record batches in memory files, read by Polars.

As with Parquet (``parquetsource``) a few record batches at a time are written, at their own
offsets, into a sparse anonymous file in memory (memfd), with a footer that names no others. Polars
opens it by its descriptor's path. Plaintext never has a name on a disk.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import polars as pl

from leeward.api.dataset import SchemaColumn
from leeward_masking.errors import JobError
from leeward_masking.sources.blocks import BLOCK_BYTES
from leeward_masking.sources.columnar.arrowfooter import (
    MAGIC,
    START,
    TAIL,
    ArrowFooter,
    Batch,
    batch_size,
    damaged,
)
from leeward_masking.sources.columnar.fardates import check_dates
from leeward_masking.storage.content import Readable, changed, empty
from leeward_masking.values.nesting import Layout

STRETCH_BYTES: Final = 32 << 20
"""Record batches are taken together up to this size, as stored."""
READ_BYTES: Final = 64 << 20
"""Record batches are decoded together up to this size in memory."""
MAX_BATCH: Final = 256 << 20
"""Largest record batch, stored and in memory: it is decoded at once."""
MAX_DICTIONARIES: Final = 64 << 20
"""Most bytes of all dictionaries as stored: they are in memory all the time."""
MAX_FOOTER: Final = 128 << 20
_MAX_ROWS: Final = 131_072
_COPY: Final = 1 << 20
_STREAM: Final = b"\xff\xff\xff\xff"
_FEATHER: Final = b"FEA1"


class ArrowReader:
    """The rows of an Arrow IPC file.

    Args:
        content: The bytes.
        columns: The schema as inspected; None: whatever it is.
        block_bytes: Size of a block.
        max_batch: Largest record batch in bytes, stored and in memory.

    Raises:
        JobError: It is no Arrow IPC file, is damaged, or differs from the schema.
    """

    def __init__(
        self,
        content: Readable,
        columns: Sequence[SchemaColumn] | None,
        *,
        block_bytes: int = BLOCK_BYTES,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self._content = content
        self._block_bytes = block_bytes
        self._max_batch = max_batch
        self._tail = _tail(content)
        self._footer = ArrowFooter(self._tail, content.size)
        self._fixed = [*self._dictionaries(), (self._footer_place, self._tail)]
        self._done = 0
        with self._memory_file() as (number, path), _polars_errors(0):
            self._check_dictionaries(number)
            self.schema = pl.scan_ipc(path, glob=False).collect_schema()
        if len(self.schema) < self._footer.columns:
            raise _duplicate()
        if columns is not None:
            names = [column.name for column in columns]
            if names != Layout(self.schema).schema.names():
                raise changed("has other columns than when it was inspected")

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._done, self._content.size

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        row = 0
        for stretch in self._stretches():
            with self._memory_file() as (number, path):
                self._copy(number, stretch)
                for batches, rows in self._runs(number, stretch):
                    os.pwrite(number, self._footer.of(batches), self._footer_place)
                    frame = _read(path, row, rows)
                    yield from frame.iter_slices(self._block_rows(frame))
                    row += rows
        if not row:
            raise empty("has columns and no rows")
        while self._done < self._content.size:
            self._read()

    @property
    def _footer_place(self) -> int:
        return self._content.size - len(self._tail)

    def _stretches(self) -> Iterator[range]:
        """Numbers of record batches that are read together."""
        batches = self._footer.batches
        first = 0
        for number, batch in enumerate(batches):
            if batch.end - batch.start > self._max_batch:
                raise _too_large("record batch", self._max_batch)
            if number > first and batch.end - batches[first].start > STRETCH_BYTES:
                yield range(first, number)
                first = number
        if batches:
            yield range(first, len(batches))

    def _runs(self, number: int, stretch: range) -> Iterator[tuple[range, int]]:
        """Which of them are decoded together, and how many rows they have; none has no rows."""
        first, size, rows = stretch.start, 0, 0
        for place in stretch:
            held = _size(number, self._footer.batches[place])
            if held.decoded > self._max_batch:
                raise _too_large("record batch", self._max_batch)
            if rows and size + held.decoded > READ_BYTES:
                yield range(first, place), rows
                first, size, rows = place, 0, 0
            size, rows = size + held.decoded, rows + held.rows
        if rows:
            yield range(first, stretch.stop), rows

    def _block_rows(self, frame: pl.DataFrame) -> int:
        """Rows of the blocks that a frame is cut into, all of nearly one size."""
        per_row = max(1.0, frame.estimated_size() / frame.height)
        most = max(1, min(_MAX_ROWS, int(self._block_bytes / per_row)))
        return math.ceil(frame.height / math.ceil(frame.height / most))

    def _dictionaries(self) -> list[tuple[int, bytes]]:
        """Where they lie, and what they are."""
        found = self._footer.dictionaries
        if sum(batch.end - batch.start for batch in found) > MAX_DICTIONARIES:
            raise _too_large("set of dictionaries", MAX_DICTIONARIES)
        return [
            (batch.start, self._content.peek_at(batch.start, batch.end - batch.start))
            for batch in found
        ]

    def _check_dictionaries(self, number: int) -> None:
        sizes = [_size(number, batch) for batch in self._footer.dictionaries]
        if sum(held.decoded for held in sizes) > self._max_batch:
            raise _too_large("set of dictionaries", self._max_batch)
        if any(held.is_delta for held in sizes):
            raise _wrong_format(
                "is an Arrow file with dictionaries in several pieces",
                "write it again with one dictionary for each column, or as Parquet",
            )

    @contextmanager
    def _memory_file(self) -> Iterator[tuple[int, str]]:
        """A file in memory, and its path, with the dictionaries and no record batches."""
        number = os.memfd_create("leeward-arrow")
        try:
            os.pwrite(number, MAGIC, 0)
            for place, data in self._fixed:
                os.pwrite(number, data, place)
            os.pwrite(number, self._footer.of(range(0)), self._footer_place)
            yield number, f"/proc/self/fd/{number}"
        finally:
            os.close(number)

    def _copy(self, number: int, stretch: range) -> None:
        """Read up to the end of a stretch, and put that into a memory file."""
        end = self._footer.batches[stretch.stop - 1].end
        while self._done < end:
            place = self._done
            os.pwrite(number, self._read(end), place)

    def _read(self, end: int | None = None) -> bytes:
        """The next bytes, in order: what was looked at before must be the same."""
        start = self._done
        size = self._content.size if end is None else end
        data = self._content.read(min(_COPY, size - start))
        self._done += len(data)
        for place, fixed in self._fixed:
            first, last = max(start, place), min(self._done, place + len(fixed))
            if (
                first < last
                and data[first - start : last - start] != fixed[first - place : last - place]
            ):
                raise changed("was changed while it was read")
        return data


def _tail(content: Readable) -> bytes:
    """The footer with its length and magic."""
    begin = content.peek_at(0, START)
    if begin.startswith(_STREAM):
        raise _wrong_format(
            "is an Arrow IPC stream, and not a file",
            "write it in the file format (pyarrow.ipc.new_file, or to_feather of pandas)",
        )
    if begin.startswith(_FEATHER):
        raise _wrong_format("is of version 1 of Feather", "write it as version 2, which is Arrow")
    if content.size < START + TAIL or not begin.startswith(MAGIC):
        raise _wrong_format(
            "is not an Arrow IPC file", "create a Dataset with the format that the file has"
        )
    tail = content.peek_at(content.size - TAIL, TAIL)
    length = int.from_bytes(tail[:4], "little") + TAIL
    if tail[4:] != MAGIC or length > content.size - START:
        raise damaged("its end is missing")
    if length > MAX_FOOTER:
        raise _too_large("footer", MAX_FOOTER)
    return content.peek_at(content.size - length, length)


@dataclass(frozen=True, slots=True)
class _Size:
    """Of a batch: its rows, and its bytes once it is decoded, about."""

    rows: int
    decoded: int
    is_delta: bool


def _size(number: int, batch: Batch) -> _Size:
    """Of a batch in a memory file."""
    held = batch_size(os.pread(number, batch.body - batch.start, batch.start))
    decoded = max(held.stored, held.rows)
    for place in held.prefixes:
        # -1: the buffer is stored as it is.
        size = int.from_bytes(os.pread(number, 8, batch.body + place), "little", signed=True)
        decoded += max(0, size)
    return _Size(held.rows, decoded, held.is_delta)


def _read(path: str, row: int, rows: int) -> pl.DataFrame:
    with _polars_errors(row + 1):
        frame = pl.scan_ipc(path, glob=False).collect()
    if frame.height != rows:
        raise damaged(f"rows are missing after row {row}")
    check_dates(frame, row + 1)
    return frame.rechunk()


def _wrong_format(what: str, remedy: str) -> JobError:
    return JobError("WrongFormat", f"the source {what}", remedy)


def _too_large(part: str, limit: int) -> JobError:
    return JobError(
        "TooLarge",
        f"a {part} of the Arrow file is larger than {limit >> 20} MiB and does not fit in memory",
        "write the file again with at most 100,000 rows per record batch, or as Parquet",
    )


def _duplicate() -> JobError:
    return JobError(
        "DuplicateColumn",
        "two columns of the Arrow file have the same name",
        "give each column a name of its own",
    )


@contextmanager
def _polars_errors(row: int) -> Iterator[None]:
    """Polars' texts can hold data: only the place is told."""
    try:
        yield
    except pl.exceptions.DuplicateError:
        raise _duplicate() from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        place = f"the rows from {row} on cannot be decoded" if row else "its schema cannot be read"
        raise damaged(place) from None
