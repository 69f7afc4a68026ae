"""The text of a file as UTF-8 in the form of RFC 4180, however it is packed and written."""

from leeward.api.csvoptions import CsvOptions
from leeward_masking.sources.text.csvescapes import UnescapedStream
from leeward_masking.sources.text.decompression import GZIP_MAGIC, ZSTD_MAGIC, DecompressedStream
from leeward_masking.sources.text.streams import ByteStream
from leeward_masking.sources.text.transcoding import TranscodedStream
from leeward_masking.storage.content import Readable


def text_stream(content: Readable, csv: CsvOptions | None = None) -> ByteStream:
    """What a reader of text reads.

    Args:
        content: The bytes of the file, compressed or not: it says so itself.
        csv: How it is written, if it is CSV.

    Raises:
        JobError: ``WrongEncoding``.
    """
    stream: ByteStream = _Plain(content)
    if _is_compressed(content):
        stream = DecompressedStream(stream, content.peek_at(0, len(ZSTD_MAGIC)))
    if csv is not None and csv.encoding != "UTF-8":
        stream = TranscodedStream(stream, csv.encoding)
    if csv is not None and csv.escape is not None:
        stream = UnescapedStream(stream, csv)
    return stream


def is_divisible(content: Readable, csv: CsvOptions | None) -> bool:
    """Whether records can be told apart from the middle of the file on."""
    plain = csv is None or (csv.encoding == "UTF-8" and not csv.escape and not csv.comment)
    return plain and not _is_compressed(content)


def _is_compressed(content: Readable) -> bool:
    return content.peek_at(0, len(ZSTD_MAGIC)).startswith((GZIP_MAGIC, ZSTD_MAGIC))


class _Plain:
    """The bytes of the file as they are."""

    def __init__(self, content: Readable) -> None:
        self._content = content
        self._done = 0

    def read(self, size: int) -> bytes:
        """See ``ByteStream``."""
        data = self._content.read(size)
        self._done += len(data)
        return data

    def position(self) -> tuple[int, int]:
        """See ``ByteStream``."""
        return self._done, self._content.size
