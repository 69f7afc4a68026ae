"""JSON Lines in blocks: cut at line ends, parsed by Polars under the schema of the inspection."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl

from leeward.api.dataset import SchemaColumn
from leeward.formats.columnpaths import ELEMENTS, parse_path
from leeward_masking.errors import JobError
from leeward_masking.sources.text.csvtypes import DTYPES
from leeward_masking.sources.text.jsonlsurvey import JsonlSurvey, malformed, parse_line
from leeward_masking.sources.text.textstream import text_stream
from leeward_masking.storage.content import Readable, changed, empty
from leeward_masking.values.nesting import Layout

MAX_LINE: Final = 64 << 20
"""Longest line in bytes."""
JSONL_BLOCK_BYTES: Final = 8 << 20
"""Bytes of text parsed at once."""
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_BINARY: Final = (b"PAR1", b"ARROW1")
_BLANKS: Final = (b"\n\n", b"\n\r", b"\n ", b"\n\t")
_Tree = dict[str | None, Any]


class JsonlLines:
    """The lines of a file, in blocks.

    Args:
        content: The bytes.
        block_bytes: Size of a block.
    """

    def __init__(self, content: Readable, *, block_bytes: int = JSONL_BLOCK_BYTES) -> None:
        self._stream = text_stream(content)
        self._block_bytes = block_bytes
        self._rest = b""
        self._started = False

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._stream.position()

    def blocks(self) -> Iterator[bytes]:
        """Whole lines, each with its end.

        Raises:
            JobError: This is no JSON Lines, or a line is too long.
        """
        number = 0
        while more := self._read():
            data = self._rest + more
            end = data.rfind(b"\n") + 1
            self._rest = data[end:]
            if end:
                number += data.count(b"\n", 0, end)
                yield data[:end]
            if len(self._rest) > MAX_LINE:
                raise malformed(f"line {number + 1} is longer than {MAX_LINE >> 20} MiB")
        if self._rest:
            yield self._rest + b"\n"

    def _read(self) -> bytes:
        data = self._stream.read(self._block_bytes)
        if self._started:
            return data
        self._started = True
        _check_start(data)
        return data.removeprefix(_UTF8_BOM)


def _check_start(data: bytes) -> None:
    if data.startswith(_UTF16_BOMS):
        raise JobError(
            "WrongEncoding",
            "the source begins with a byte order mark of UTF-16, and JSON Lines are UTF-8",
            "convert the file to UTF-8, and seal it anew if it was sealed",
        )
    if data.startswith(_BINARY):
        raise JobError(
            "WrongFormat",
            "the source is a Parquet or Arrow file, and the Dataset says JSONL",
            "create a Dataset with the format that the file has",
        )
    if data == _UTF8_BOM:
        raise empty("holds a byte order mark and nothing else")


class JsonlReader:
    """The rows of a file of JSON Lines.

    Args:
        content: The bytes.
        columns: The leaves as inspected; None: as the lines of the first block have them.
        first_row: Number of the first row, in errors.
        block_bytes: Size of a block.

    Raises:
        JobError: It is no JSON Lines.
    """

    def __init__(
        self,
        content: Readable,
        columns: Sequence[SchemaColumn] | None,
        *,
        first_row: int = 1,
        block_bytes: int = JSONL_BLOCK_BYTES,
    ) -> None:
        self._first_row = first_row
        self._lines = JsonlLines(content, block_bytes=block_bytes)
        self._blocks = self._lines.blocks()
        self._first: bytes | None = None
        if columns is None:
            self._first = next(self._blocks, b"")
            survey = JsonlSurvey()
            survey.add_block(self._first)
            columns = survey.columns()
        self.schema = _schema(columns)

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._lines.position()

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        row = self._first_row
        for data in self._unread():
            rows = _count(data)
            if rows:
                yield self._parse(data, rows, row)
            row += rows
        if row == self._first_row:
            raise empty("holds no JSON object")

    def _unread(self) -> Iterator[bytes]:
        if self._first is not None:
            yield self._first
            self._first = None
        yield from self._blocks

    def _parse(self, data: bytes, rows: int, row: int) -> pl.DataFrame:
        frame = _read(data, self.schema)
        if frame is None:
            raise self._fault([line for line in data.split(b"\n") if line.strip()], row)
        if frame.height != rows:
            raise malformed(f"the rows from {row} on cannot be told apart")
        return frame

    def _fault(self, lines: list[bytes], row: int) -> JobError:
        """Where a block is at fault; Polars does not say, and its texts show data."""
        good, bad = 0, len(lines)
        while bad - good > 1:
            middle = (good + bad) // 2
            if _read(b"\n".join(lines[good:middle]), self.schema) is None:
                bad = middle
            else:
                good = middle
        place = row + good
        where = f"row {place}"
        try:
            parse_line(lines[good])
        except JobError as error:
            return error.at_row(place, where)
        for name, dtype in self.schema.items():
            if _read(lines[good], pl.Schema({name: dtype})) is None:
                other = changed(f'does not fit to its schema: {where}, "{name}"')
                return JobError(other.code, other.message, other.remedy, row=place, column=name)
        return malformed(f"{where} cannot be parsed", row=place)


def parse_lines(data: bytes, columns: Sequence[SchemaColumn]) -> pl.DataFrame:
    """Lines that were surveyed, flat.

    Raises:
        JobError: ``MalformedData``: Polars cannot read what Python's parser can.
    """
    schema = _schema(columns)
    frame = _read(data, schema)
    if frame is None:
        raise malformed("the lines of the first block cannot be parsed")
    return Layout(schema, escaped=True).flatten(frame)


def _read(data: bytes, schema: pl.Schema) -> pl.DataFrame | None:
    """The rows of whole lines; None: Polars refuses them."""
    if not data.strip():
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_ndjson(data, schema=schema)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None


def _count(data: bytes) -> int:
    """Lines that are not blank."""
    lines = data.count(b"\n")
    if data[:1].isspace() or any(blank in data for blank in _BLANKS):
        lines = sum(1 for line in data.split(b"\n") if line and not line.isspace())
    return lines


def _schema(columns: Sequence[SchemaColumn]) -> pl.Schema:
    """The schema that has these leaves."""
    tree: _Tree = {}
    for column in columns:
        path = parse_path(column.name)
        place = tree
        for segment in path[:-1]:
            place = place.setdefault(segment, {})
        place[path[-1]] = DTYPES.get(column.type, pl.String())
    return pl.Schema({str(name): _dtype(below) for name, below in tree.items()})


def _dtype(below: _Tree | pl.DataType) -> pl.DataType:
    if isinstance(below, pl.DataType):
        return below
    if ELEMENTS in below:
        return pl.List(_dtype(below[ELEMENTS]))
    return pl.Struct({str(name): _dtype(inner) for name, inner in below.items()})
