"""The record structure of CSV (RFC 4180), checked on arrays before Polars parses the fields.

Polars pads short records with nulls and tells no rows in its errors. This finds the record borders
of a block, and names row and column of what is malformed; parsing stays Polars'.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leeward_masking.errors import JobError

LINE_FEED: Final = 0x0A
CARRIAGE_RETURN: Final = 0x0D
REMEDY: Final = (
    "correct the file at that place, and seal it anew if it was sealed; or correct the csv options"
    " of the Dataset"
)
NOT_CLOSED: Final = "is not closed"


@dataclass(frozen=True, slots=True)
class Dialect:
    """Delimiter and quote, one ASCII character each."""

    delimiter: int
    quote: int


@dataclass(frozen=True, slots=True)
class Records:
    """Where the whole records of a block lie.

    Attributes:
        borders: Positions of the delimiters and line feeds outside quotes, rising.
        is_end: Which of them end a record.
        length: Bytes up to the end of the last whole record.
        open_quote: Position of a quote that the block does not close, if any.
    """

    borders: NDArray[np.int64]
    is_end: NDArray[np.bool_]
    length: int
    open_quote: int | None

    @property
    def count(self) -> int:
        """The number of whole records."""
        return int(np.count_nonzero(self.is_end))

    def locate(self, position: int) -> tuple[int, int]:
        """Record and field (both from 0) that the byte at ``position`` belongs to."""
        before = int(np.searchsorted(self.borders, position))
        ends = np.flatnonzero(self.is_end[:before])
        return len(ends), before - (int(ends[-1]) + 1 if len(ends) else 0)


def find_records(block: NDArray[np.uint8], dialect: Dialect) -> Records:
    """Find the whole records of a block that begins at a record's start."""
    special = (block == dialect.delimiter) | (block == LINE_FEED)
    quoted = block == dialect.quote
    open_quote: int | None = None
    if quoted.any():
        positions = np.flatnonzero(special | quoted)
        is_quote = quoted[positions]
        inside = (np.cumsum(is_quote) & 1).astype(bool)
        quotes = positions[is_quote]
        if len(quotes) % 2:
            open_quote = int(quotes[-1])
        borders = positions[~is_quote & ~inside]
    else:
        borders = np.flatnonzero(special)
    is_end = block[borders] == LINE_FEED
    ends = np.flatnonzero(is_end)
    if not len(ends):
        return Records(borders[:0], is_end[:0], 0, open_quote)
    last = int(ends[-1])
    return Records(borders[: last + 1], is_end[: last + 1], int(borders[last]) + 1, open_quote)


def without_comments(data: bytes, dialect: Dialect, comment: int) -> bytes:
    """Bytes that begin at a record's start, without whole lines that begin with ``comment``.

    What stands inside of quotes is no comment, and quotes in comments count for nothing.
    """
    mark, quote = bytes((comment,)), bytes((dialect.quote,))
    kept: list[bytes] = []
    begin = odd = 0
    at = 0 if data.startswith(mark) else _line_with(mark, data, 0)
    while at >= 0:
        odd ^= data.count(quote, begin, at) & 1
        kept.append(data[begin:at])
        begin = at
        if odd:
            at = _line_with(mark, data, at)
            continue
        end = data.find(b"\n", at)
        if end < 0:
            break
        begin = end + 1
        at = _line_with(mark, data, end)
    return b"".join((*kept, data[begin:]))


def _line_with(mark: bytes, data: bytes, start: int) -> int:
    """Where the next line after ``start`` begins that begins with a mark; -1: none does."""
    found = data.find(b"\n" + mark, start)
    return found + 1 if found >= 0 else -1


def check_records(
    block: NDArray[np.uint8],
    records: Records,
    dialect: Dialect,
    names: list[str],
    first_row: int,
) -> None:
    """Check that every record has all fields, and that quotes stand only around fields.

    Args:
        block: The bytes.
        records: What ``find_records`` says of them.
        dialect: Delimiter and quote.
        names: The columns.
        first_row: Row of the first record, from 1; 0 for the header.

    Raises:
        JobError: ``MalformedData``, with row and column.
    """
    _check_quotes(block[: records.length], records, dialect, names, first_row)
    fields = np.diff(np.flatnonzero(records.is_end), prepend=-1)
    wrong = np.flatnonzero(fields != len(names))
    if len(wrong):
        record = int(wrong[0])
        found = int(fields[record])
        raise malformed(
            f"{row_words(first_row + record)} has {found} field{'s' if found > 1 else ''}, "
            f"the file has {len(names)} columns",
            row=first_row + record,
            column=names[found] if found < len(names) else None,
        )


def _check_quotes(
    block: NDArray[np.uint8],
    records: Records,
    dialect: Dialect,
    names: list[str],
    first_row: int,
) -> None:
    quotes = np.flatnonzero(block == dialect.quote)
    if not len(quotes):
        return
    opening, closing = quotes[0::2], quotes[1::2]
    before = block[opening - 1]
    starts = (opening == 0) | (before == dialect.delimiter) | (before == LINE_FEED)
    starts[1:] |= opening[1:] == closing[: len(opening) - 1] + 1
    # Whole records end with a line feed, so there is a byte after each closing quote.
    after = block[closing + 1]
    ends = (after == dialect.delimiter) | (after == LINE_FEED) | (after == dialect.quote)
    carriage = np.flatnonzero(after == CARRIAGE_RETURN)
    ends[carriage] = block[closing[carriage] + 2] == LINE_FEED
    bad = np.concatenate([opening[~starts], closing[~ends]])
    if not len(bad):
        return
    at = int(bad.min())
    what = "stands inside a field without quotes"
    record, place = records.locate(at)
    begin = int(records.borders[np.flatnonzero(records.is_end)[record - 1]]) + 1 if record else 0
    unclosed = unclosed_quote(block[begin : at + 1], dialect)
    if unclosed is not None:
        what = NOT_CLOSED
        record, place = records.locate(begin + unclosed)
    raise quote_error(first_row + record, names, place, what)


def unclosed_quote(block: NDArray[np.uint8], dialect: Dialect) -> int | None:
    """Where a quote opens that is likely not closed, in bytes that begin at a record's start.

    Such a quote is closed by the next one, which was to open a field: it stands at a field's start
    in a later line. What follows is then told wrongly, so only the first one counts.
    """
    quotes = np.flatnonzero(block == dialect.quote)
    closing = quotes[1::2]
    opening = quotes[0::2][: len(closing)]
    before = block[closing - 1]
    lines = np.flatnonzero(block == LINE_FEED)
    spans = np.searchsorted(lines, opening) < np.searchsorted(lines, closing)
    likely = np.flatnonzero(spans & ((before == dialect.delimiter) | (before == LINE_FEED)))
    return int(opening[likely[0]]) if len(likely) else None


def quote_error(row: int, names: list[str], place: int, what: str) -> JobError:
    """A quote that is not where RFC 4180 has it."""
    column = names[place] if row and place < len(names) else None
    return malformed(
        f"{row_words(row)}, column {place + 1}: a quote {what}; RFC 4180 wants fields with quotes"
        " in quotes, and each quote in them doubled",
        row=row or None,
        column=column,
    )


def row_words(row: int) -> str:
    """A row in a message; 0 is the header."""
    return f"row {row}" if row else "the header (line 1)"


def malformed(message: str, *, row: int | None = None, column: str | None = None) -> JobError:
    """Data that does not have the form it should have."""
    return JobError("MalformedData", message, REMEDY, row=row, column=column)
