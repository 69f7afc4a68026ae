"""Compressed text (gzip, RFC 1952; Zstandard, RFC 8878), unpacked piece by piece as it is read.

A few bytes can stand for a terabyte, so no step gives more than it was asked for by far, and a file
that goes on to expand out of all proportion is refused.
"""

import zlib
from typing import Final, Protocol

import zstandard

from leeward_masking.errors import JobError
from leeward_masking.sources.text.streams import ByteStream

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
MAX_RATIO: Final = 250
"""Times that a file may expand, once it has given ``FREE_BYTES``. Text of tables stays below 50."""
FREE_BYTES: Final = 256 << 20
_MAX_WINDOW: Final = 128 << 20
"""Memory that a Zstandard file may ask for: what its command line gives without --long."""
_GZIP_INPUT: Final = 16 << 10
_ZSTD_INPUT: Final = 1 << 10
"""Bytes unpacked at once: they give 16 MiB and 32 MiB at most."""


class _Unpacker(Protocol):
    """One member of a gzip file, or one frame of Zstandard."""

    @property
    def eof(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given beyond its end."""
        ...

    def decompress(self, data: memoryview, /) -> bytes:
        """What more of it gives."""
        ...


class DecompressedStream:
    """What a compressed file holds, one member or frame after another.

    Args:
        stream: The compressed bytes.
        magic: How it begins.
        free_bytes: What it may give before its ratio counts.
    """

    def __init__(self, stream: ByteStream, magic: bytes, *, free_bytes: int = FREE_BYTES) -> None:
        self._stream = stream
        self._is_gzip = magic.startswith(GZIP_MAGIC)
        self._free_bytes = free_bytes
        self._unpacker: _Unpacker | None = None
        self._packed = memoryview(b"")
        self._ready = bytearray()
        self._taken = self._given = 0

    def position(self) -> tuple[int, int]:
        """See ``ByteStream``; of the compressed file."""
        return self._stream.position()

    def read(self, size: int) -> bytes:
        """See ``ByteStream``.

        Raises:
            JobError: ``MalformedData``: it is damaged or not whole; ``TooLarge``.
        """
        while len(self._ready) < size and self._has_more():
            self._unpack()
        given = bytes(self._ready[:size])
        del self._ready[:size]
        return given

    def _has_more(self) -> bool:
        if not self._packed:
            self._packed = memoryview(self._stream.read(1 << 20))
            self._taken += len(self._packed)
        if not self._packed and self._unpacker is not None:
            raise _damaged("ends in the middle")
        return bool(self._packed)

    def _unpack(self) -> None:
        if self._unpacker is None:
            self._unpacker = self._begin()
        count = _GZIP_INPUT if self._is_gzip else _ZSTD_INPUT
        piece, self._packed = self._packed[:count], self._packed[count:]
        try:
            unpacked = self._unpacker.decompress(piece)
        except (zlib.error, zstandard.ZstdError):
            raise _damaged("is damaged, or needs more than 128 MiB of memory") from None
        self._ready += unpacked
        self._given += len(unpacked)
        if self._unpacker.eof:
            self._packed = memoryview(self._unpacker.unused_data + bytes(self._packed))
            self._unpacker = None
        if self._given > max(self._free_bytes, MAX_RATIO * self._taken):
            raise JobError(
                "TooLarge",
                f"the compressed source expands to more than {MAX_RATIO} times its size, as no"
                " table does",
                "put the file there uncompressed, if it is what it should be",
            )

    def _begin(self) -> _Unpacker:
        if self._is_gzip:
            return zlib.decompressobj(wbits=31)
        return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()


def _damaged(how: str) -> JobError:
    return JobError(
        "MalformedData",
        f"the compressed source {how}",
        "put an intact copy of the file in its place",
    )
