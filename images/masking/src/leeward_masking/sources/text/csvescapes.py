"""CSV whose quotes and delimiters are escaped, as CSV of RFC 4180, by Python's own reader."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from leeward.api.csvoptions import CsvOptions
from leeward_masking.sources.text.streams import ByteStream
from leeward_masking.sources.text.structure import malformed

_PIECE: Final = 1 << 20
MAX_LINE: Final = 64 << 20
"""Longest line in bytes, and longest field in characters."""
csv.field_size_limit(MAX_LINE)


class UnescapedStream:
    """The same records with quotes doubled, and without escapes.

    Args:
        stream: The text, in UTF-8.
        options: How it is written.
        max_line: See ``MAX_LINE``.
    """

    def __init__(
        self, stream: ByteStream, options: CsvOptions, *, max_line: int = MAX_LINE
    ) -> None:
        self._stream = stream
        self._options = options
        self._max_line = max_line
        self._records = csv.reader(
            self._lines(),
            delimiter=options.delimiter,
            quotechar=options.quote,
            escapechar=options.escape,
            strict=True,
        )
        self._ready = b""
        self._ended = False

    def position(self) -> tuple[int, int]:
        """See ``ByteStream``; of the file as it is."""
        return self._stream.position()

    def read(self, size: int) -> bytes:
        """See ``ByteStream``.

        Raises:
            JobError: ``MalformedData``, with the line.
        """
        while len(self._ready) < size and not self._ended:
            self._ready += self._some_records()
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _some_records(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(
            text,
            delimiter=self._options.delimiter,
            quotechar=self._options.quote,
            lineterminator="\n",
        )
        try:
            while text.tell() < _PIECE:
                record = next(self._records, None)
                if record is None:
                    self._ended = True
                    break
                writer.writerow(record)
        except csv.Error:
            raise malformed(
                f"line {self._records.line_num}: a quote stands inside a field without quotes, or"
                " is not closed"
            ) from None
        # What is no UTF-8 goes on as it is: the reader behind names row and column.
        return text.getvalue().encode(errors="surrogateescape")

    def _lines(self) -> Iterator[str]:
        rest = b""
        while data := self._stream.read(_PIECE):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line.decode(errors="surrogateescape") + "\n"
            if len(rest) > self._max_line:
                raise malformed(
                    f"line {self._records.line_num + 1} is longer than {self._max_line >> 20} MiB"
                )
        if rest:
            yield rest.decode(errors="surrogateescape")
