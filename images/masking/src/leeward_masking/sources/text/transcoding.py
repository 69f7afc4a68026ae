"""Text of other encodings than UTF-8, as UTF-8, by Python's own codecs."""

import codecs
from typing import Final

from leeward.api.csvoptions import TextEncoding
from leeward_masking.errors import JobError
from leeward_masking.sources.text.streams import ByteStream

_CODECS: Final[dict[TextEncoding, str]] = {
    "Latin-1": "latin-1",
    "Windows-1252": "cp1252",
    "GB18030": "gb18030",
}
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class TranscodedStream:
    """A text as UTF-8.

    Args:
        stream: Its bytes.
        encoding: Their encoding, not UTF-8.

    Raises:
        JobError: ``WrongEncoding``: there is no byte order mark, and UTF-16 needs one.
    """

    def __init__(self, stream: ByteStream, encoding: TextEncoding) -> None:
        self._stream = stream
        self._encoding = encoding
        if encoding == "UTF-16":
            codec = _UTF16.get(stream.read(2))
            if codec is None:
                raise JobError(
                    "WrongEncoding",
                    "the source has no byte order mark, and the Dataset says that it is UTF-16",
                    "set spec.csv.encoding to what it is, or write the file with a byte order mark",
                )
        else:
            codec = _CODECS[encoding]
        self._codec = codec
        self._decoder = codecs.getincrementaldecoder(codec)()
        self._line = 1
        self._ready = b""

    def position(self) -> tuple[int, int]:
        """See ``ByteStream``; of the file as it is."""
        return self._stream.position()

    def read(self, size: int) -> bytes:
        """See ``ByteStream``.

        Raises:
            JobError: ``WrongEncoding``, with the line.
        """
        while len(self._ready) < size:
            data = self._stream.read(size)
            self._ready += self._decoded(data)
            if not data:
                break
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _decoded(self, data: bytes) -> bytes:
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._codec, "ignore")
            raise JobError(
                "WrongEncoding",
                f"line {self._line + before.count(chr(10))} is not {self._encoding}",
                "correct the file, and seal it anew if it was sealed; or set spec.csv.encoding to"
                " what it is",
            ) from None
        self._line += text.count("\n")
        return text.encode()
