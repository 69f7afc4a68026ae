"""Where the record batches of an Arrow IPC file lie: a few numbers out of its metadata.

Polars reads a whole file and tells no offsets. To hand it some record batches at a time, their byte
ranges are taken from the footer, a FlatBuffer (https://flatbuffers.dev/internals/; tables: File.fbs
and Message.fbs of apache/arrow). Only ranges and sizes come from here, all of them checked; schema
and data are Polars' to parse.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leeward_masking.errors import JobError

MAGIC: Final = b"ARROW1"
START: Final = 8
"""Bytes before the first message: the magic, padded."""
TAIL: Final = 10
"""Bytes after the footer: its length and the magic."""
BATCH_PREFIX: Final = 8
_BLOCK: Final = np.dtype([("offset", "<i8"), ("head", "<i4"), ("pad", "<i4"), ("body", "<i8")])
_BUFFER: Final = np.dtype([("offset", "<i8"), ("length", "<i8")])
_CONTINUATION: Final = b"\xff\xff\xff\xff"
_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """One record or dictionary batch: metadata from ``start`` to ``body``, then data to ``end``."""

    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class BatchSize:
    """What a record or dictionary batch holds.

    Attributes:
        rows: Its rows.
        stored: Bytes of the data as they lie in the file.
        prefixes: Where in the data the sizes of compressed buffers stand, 8 bytes each.
        is_delta: Whether it adds to a dictionary.
    """

    rows: int
    stored: int
    prefixes: Sequence[int]
    is_delta: bool


class ArrowFooter:
    """The footer of a file.

    Args:
        data: The footer with its length and magic.
        size: Length of the file in bytes.

    Attributes:
        columns: How many there are, those of the same name too.
        batches: The record batches, in the order of the rows.
        dictionaries: The dictionary batches; Polars writes them behind the record batches.

    Raises:
        JobError: ``MalformedData``: this is no footer, or ranges lie outside of the file.
    """

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        try:
            root = _Table.root(data[:-TAIL])
            schema = root.table(1)
            self.columns = schema.vector(1)[1] if schema else 0
            dictionaries = root.structs(2, _BLOCK)[1]
            self._place, self._blocks = root.structs(3, _BLOCK)
        except (ValueError, struct.error):
            raise damaged("the footer cannot be read") from None
        end = size - len(data)
        self.batches = _ranges(self._blocks, end)
        self.dictionaries = _ranges(dictionaries, end)

    def of(self, batches: range) -> bytes:
        """The footer of a file that has only these record batches, of the same length."""
        if not len(self._blocks):
            return self._data
        chosen = self._blocks[batches.start : batches.stop]
        changed = bytearray(self._data)
        struct.pack_into("<I", changed, self._place - 4, len(chosen))
        changed[self._place : self._place + chosen.nbytes] = chosen.tobytes()
        return bytes(changed)


def batch_size(message: bytes) -> BatchSize:
    """What a record or dictionary batch holds, by its metadata.

    Args:
        message: From the start of the batch to its data.

    Raises:
        JobError: ``MalformedData``.
    """
    prefix = BATCH_PREFIX if message.startswith(_CONTINUATION) else BATCH_PREFIX // 2
    try:
        table = _Table.root(message[prefix:])
        kind, header = table.number(1, "<B"), table.table(2)
        is_delta = False
        if kind == _DICTIONARY_BATCH and header is not None:
            is_delta, header = bool(header.number(2, "<B")), header.table(1)
        if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH) or header is None:
            raise ValueError
        buffers = header.structs(2, _BUFFER)[1]
        compressed = header.table(3) is not None
        rows = header.number(0, "<q")
    except (ValueError, struct.error):
        raise damaged("the head of a batch cannot be read") from None
    offsets, lengths = buffers["offset"], buffers["length"]
    if rows < 0 or (len(buffers) and int(min(offsets.min(), lengths.min())) < 0):
        raise damaged("a batch has a size below nothing")
    filled = offsets[lengths >= 8].tolist() if compressed else []
    return BatchSize(rows, sum(lengths.tolist()), filled, is_delta)


def damaged(what: str) -> JobError:
    """An Arrow file that is not whole."""
    return JobError(
        "MalformedData",
        f"the Arrow file is damaged: {what}",
        "put an intact copy of the file in its place",
    )


def _ranges(blocks: NDArray[np.void], end: int) -> list[Batch]:
    """The ranges of blocks, which have to follow each other."""
    found: list[Batch] = []
    previous = START
    for start, head, _, body in blocks.tolist():
        if not (previous <= start and head > BATCH_PREFIX and body >= 0):
            raise damaged("a batch lies outside of its place")
        previous = start + head + body
        found.append(Batch(start, start + head, previous))
    if previous > max(end, START):
        raise damaged("a batch lies outside of its place")
    return found


class _Table:
    """A table of a FlatBuffer.

    Args:
        data: The buffer.
        at: Where the table begins.

    Raises:
        ValueError: It lies outside of the buffer.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - self._read("<i", at)
        self._count = self._read("<H", self._fields) // 2 - 2

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        """The one that a buffer begins with."""
        if len(data) < 4:
            raise ValueError
        return cls(data, int.from_bytes(data[:4], "little"))

    def number(self, field: int, form: str) -> int:
        """A field that is a number; 0 where it is not there."""
        place = self._field(field)
        return self._read(form, place) if place else 0

    def table(self, field: int) -> "_Table | None":
        """A field that is a table."""
        place = self._field(field)
        return _Table(self._data, place + self._read("<I", place)) if place else None

    def vector(self, field: int) -> tuple[int, int]:
        """Where the elements of a field begin, and how many there are."""
        place = self._field(field)
        if not place:
            return 0, 0
        start = place + self._read("<I", place)
        return start + 4, self._read("<I", start)

    def structs(self, field: int, form: np.dtype[np.void]) -> tuple[int, NDArray[np.void]]:
        """The elements of a field, and where they begin."""
        start, count = self.vector(field)
        if count * form.itemsize > len(self._data) - start:
            raise ValueError
        return start, np.frombuffer(self._data, form, count, start)

    def _field(self, field: int) -> int:
        """Where a field lies; 0: it is not there."""
        if field >= self._count:
            return 0
        offset = self._read("<H", self._fields + 4 + 2 * field)
        return self._at + offset if offset else 0

    def _read(self, form: str, at: int) -> int:
        if at < 0:
            raise ValueError
        number: int = struct.unpack_from(form, self._data, at)[0]
        return number
