"""CSV in blocks: cut at record borders, checked, then parsed by Polars."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import ColumnType, SchemaColumn
from leeward.api.meta import MAX_COLUMN_NAME
from leeward_masking.errors import JobError
from leeward_masking.sources.text.csvtypes import DTYPES, parse_column
from leeward_masking.sources.text.structure import (
    LINE_FEED,
    NOT_CLOSED,
    Dialect,
    Records,
    check_records,
    find_records,
    malformed,
    quote_error,
    row_words,
    unclosed_quote,
    without_comments,
)
from leeward_masking.sources.text.textstream import text_stream
from leeward_masking.storage.content import Readable, changed, empty

MAX_RECORD: Final = 64 << 20
"""Longest record in bytes; a longer one is more likely a quote that is not closed."""
CSV_BLOCK_BYTES: Final = 8 << 20
"""Bytes of text parsed at once: about twice that in memory."""
_FIRST_BYTES: Final = 1 << 16
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_BINARY: Final = {b"PAR1": "Parquet", b"ARROW1": "ArrowIPC"}
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_NATIVE: Final = frozenset({"Integer", "Float"})
"""Types that Polars parses as the inspection reads them; the others are parsed from text."""


class CsvReader:
    """The rows of a CSV file.

    Args:
        content: The bytes.
        options: Delimiter, quote, header, texts for null.
        columns: The schema as inspected; None: all columns are text.
        first_row: Number of the first row, in errors.
        block_bytes: Size of a block.

    Raises:
        JobError: The header cannot be read, or differs from the schema.
    """

    def __init__(
        self,
        content: Readable,
        options: CsvOptions | None,
        columns: Sequence[SchemaColumn] | None,
        *,
        first_row: int = 1,
        block_bytes: int = CSV_BLOCK_BYTES,
    ) -> None:
        self._options = options or CsvOptions()
        self._dialect = Dialect(ord(self._options.delimiter), ord(self._options.quote))
        self._block_bytes = block_bytes
        self._first_row = first_row
        self._stream = text_stream(content, self._options)
        self._names: list[str] = []
        self._types: dict[str, ColumnType] = {}
        self._rest = self._first_bytes()
        self._names = self._read_names()
        self._types = _types(self._names, columns)
        self.schema = pl.Schema({name: DTYPES[kind] for name, kind in self._types.items()})

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._stream.position()

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        try:
            yield from self._blocks()
        except JobError as error:
            if error.row is None or not self._options.header:
                raise
            raise error.with_note("rows are counted without the header") from None

    def _blocks(self) -> Iterator[pl.DataFrame]:
        row = self._first_row
        while True:
            data, records = self._next_records(row)
            if not records.count:
                break
            check_records(np.frombuffer(data, np.uint8), records, self._dialect, self._names, row)
            frame = self._parse(data[: records.length], records, row)
            row += records.count
            yield frame
        if row == self._first_row:
            raise empty("has a header and no rows")

    def _first_bytes(self) -> bytes:
        head = self._stream.read(_FIRST_BYTES)
        if head.startswith(_UTF16_BOMS):
            raise _encoding("begins with a byte order mark of UTF-16")
        for magic, form in _BINARY.items():
            if head.startswith(magic):
                raise JobError(
                    "WrongFormat",
                    f"the source is a file of format {form}, and the Dataset says CSV",
                    f"create a Dataset with format {form} for it",
                )
        return head.removeprefix(_UTF8_BOM)

    def _next_records(self, row: int) -> tuple[bytes, Records]:
        """The next bytes that hold whole records; the rest is kept for the next call."""
        data = self._rest
        while True:
            more = self._stream.read(self._block_bytes)
            data += more
            if not more and data and not data.endswith(b"\n"):
                data += b"\n"
            data = self._without_comments(data)
            records = find_records(np.frombuffer(data, np.uint8), self._dialect)
            if records.count or not data:
                self._rest = data[records.length :]
                return data, records
            if not more:
                raise self._unclosed(data, records, row)
            if len(data) > MAX_RECORD:
                raise malformed(
                    f"{row_words(row)} is longer than {MAX_RECORD >> 20} MiB: a quote may not be"
                    " closed",
                    row=row or None,
                )

    def _without_comments(self, data: bytes) -> bytes:
        comment = self._options.comment
        if comment is None or comment.encode() not in data:
            return data
        return without_comments(data, self._dialect, ord(comment))

    def _unclosed(self, data: bytes, records: Records, row: int) -> JobError:
        """A record without an end: only a quote can hide it."""
        block = np.frombuffer(data, np.uint8)
        unclosed = unclosed_quote(block, self._dialect)
        before = block[: records.open_quote if unclosed is None else unclosed]
        ended = find_records(np.append(before, np.uint8(LINE_FEED)), self._dialect)
        return quote_error(row, self._names, len(ended.borders) - 1, NOT_CLOSED)

    def _read_names(self) -> list[str]:
        """The header, taken off what is to be read; made-up names where the file has none."""
        data, records = self._next_records(0 if self._options.header else 1)
        if not records.count:
            raise empty("holds a byte order mark and nothing else")
        count = int(np.flatnonzero(records.is_end)[0]) + 1
        length = int(records.borders[count - 1]) + 1
        numbered = [f"column_{place}" for place in range(1, count + 1)]
        if not self._options.header:
            self._rest = data
            return numbered
        self._rest = data[length:]
        header = Records(records.borders[:count], records.is_end[:count], length, None)
        check_records(np.frombuffer(data, np.uint8), header, self._dialect, numbered, 0)
        self._names = numbered
        names = [str(name) for name in self._parse_text(data[:length], 0, []).row(0)]
        _check_names(names)
        return names

    def _parse(self, data: bytes, records: Records, row: int) -> pl.DataFrame:
        """The frame of a block; looks again where Polars refuses, since its errors show data."""
        native = [name for name in self._names if self._types[name] in _NATIVE]
        try:
            frame = self._parse_text(data, row, native)
        except pl.exceptions.ComputeError:
            # As text it parses: the numbers are named below.
            frame = self._parse_text(data, row, [])
        if frame.height != records.count:
            raise malformed(f"rows {row} to {row + records.count - 1} cannot be told apart")
        return pl.DataFrame(
            [parse_column(frame[name], self._types[name], row) for name in self._names]
        )

    def _parse_text(self, data: bytes, row: int, native: Sequence[str]) -> pl.DataFrame:
        nulls = self._options.null_values if row else []
        schema = {name: DTYPES[self._types[name]] if name in native else pl.String
                  for name in self._names}  # fmt: skip
        try:
            return pl.read_csv(
                data,
                has_header=False,
                schema=schema,
                separator=self._options.delimiter,
                quote_char=self._options.quote,
                null_values=nulls,
                empty_string_is_null="" in nulls,
            )
        except pl.exceptions.PolarsError:
            if native:
                raise
            raise self._undecodable(data, row) from None

    def _undecodable(self, data: bytes, row: int) -> JobError:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            block = np.frombuffer(data, np.uint8)
            record, place = find_records(block, self._dialect).locate(error.start)
            what = f"{row_words(row + record)}, column {place + 1} is not UTF-8"
            return _encoding(what, row + record, self._names[place])
        which = f"the rows from {row} on" if row else row_words(row)
        return malformed(f"{which} cannot be parsed")


def _types(names: list[str], columns: Sequence[SchemaColumn] | None) -> dict[str, ColumnType]:
    if columns is None:
        return dict.fromkeys(names, "String")
    if [column.name for column in columns] != names:
        raise changed("has other columns than when it was inspected")
    return {column.name: column.type if column.type in DTYPES else "String" for column in columns}


def _check_names(names: list[str]) -> None:
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            raise malformed(f"column {place} has no name in the header (line 1)")
        if "\r" in name.replace("\r\n", ""):
            # Else the rows of a file with such line ends would be shown as names.
            raise malformed(
                f"the header (line 1), column {place} has a carriage return without a line feed:"
                " lines end with a line feed, or with both"
            )
        first = places.setdefault(name, place)
        if first != place:
            shown = name[:MAX_COLUMN_NAME]
            raise JobError(
                "DuplicateColumn",
                f'the header names the column "{shown}" twice (columns {first} and {place})',
                "give each column a name of its own",
                column=shown,
            )


def _encoding(what: str, row: int | None = None, column: str | None = None) -> JobError:
    return JobError(
        "WrongEncoding",
        f"the source {what}" if row is None else what,
        "say in spec.csv.encoding of the Dataset what it is; or convert the file to UTF-8, and seal"
        " it anew if it was sealed",
        row=row or None,
        column=column if row else None,
    )
