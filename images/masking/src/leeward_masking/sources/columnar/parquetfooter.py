"""Where the row groups of a Parquet file lie: a few numbers out of its footer.

Polars reads Parquet from a whole file only, and tells no offsets. To hand it one stretch of row
groups at a time, their byte ranges are taken from the footer, which is a struct in Thrift's compact
protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md;
fields: parquet.thrift of apache/parquet-format). Only ranges come from here, all of them checked;
schema and data are Polars' to parse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from leeward_masking.errors import JobError

MAGIC: Final = b"PAR1"
TAIL: Final = 8
"""Bytes after the footer: its length and the magic."""

_Value = int | bytes | list["_Value"] | dict[int, "_Value"] | None
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group: ``rows`` rows in the bytes from ``start`` to ``end``."""

    rows: int
    start: int
    end: int


@lru_cache(maxsize=1)
def read_row_groups(footer: bytes, size: int) -> Sequence[RowGroup]:
    """The row groups, in file order; those of the same file are not read twice.

    Args:
        footer: The bytes of FileMetaData.
        size: Length of the file in bytes.

    Raises:
        JobError: ``MalformedData``: this is no footer, or ranges lie outside of the file.
    """
    try:
        metadata = _Compact(footer).struct(0)
        groups = [_row_group(group) for group in _items(metadata.get(4, []))]
    except (IndexError, TypeError, ValueError, KeyError):
        raise damaged("the footer cannot be read") from None
    previous = len(MAGIC)
    for group in groups:
        if group.rows < 0 or not previous <= group.start <= group.end <= size - TAIL:
            raise damaged("a row group lies outside of its place")
        previous = group.end
    return groups


def damaged(what: str) -> JobError:
    """A Parquet file that is not whole."""
    return JobError(
        "MalformedData",
        f"the Parquet file is damaged: {what}",
        "put an intact copy of the file in its place",
    )


def _row_group(group: dict[int, _Value]) -> RowGroup:
    starts: list[int] = []
    ends: list[int] = []
    for column in _items(group.get(1, [])):
        chunk = column[3]
        if not isinstance(chunk, dict):
            raise TypeError
        # A dictionary page stands before the data pages; 0 says that there is none.
        offsets = [offset for offset in (_int(chunk.get(11, 0)), _int(chunk[9])) if offset > 0]
        starts.append(min(offsets))
        ends.append(min(offsets) + _int(chunk[7]))
    return RowGroup(_int(group[3]), min(starts), max(ends))


def _int(value: _Value) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _items(value: _Value) -> list[dict[int, _Value]]:
    if not isinstance(value, list):
        raise TypeError
    return [item for item in value if isinstance(item, dict)]


class _Compact:
    """Reads one struct of the compact protocol into dicts of field id to value."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> dict[int, _Value]:
        fields: dict[int, _Value] = {}
        number = 0
        while header := self._byte():
            delta, kind = header >> 4, header & 15
            number = number + delta if delta else self._zigzag()
            fields[number] = (2 - kind) if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> _Value:
        if depth > _MAX_DEPTH:
            raise ValueError
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError

    def _list(self, depth: int) -> _Value:
        header = self._byte()
        count, kind = header >> 4, header & 15
        if count == 15:
            count = self._varint()
        if count > len(self._data) - self._at:
            raise ValueError
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ValueError
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
