"""Range reads: a seekable view of the plaintext."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from leeward.formats.sealed.errors import Truncated
from leeward.formats.sealed.info import SealedInfo, describe_unlocked
from leeward.formats.sealed.keys import Unwrapper
from leeward.formats.sealed.layout import CHUNKS_OFFSET, TAG_SIZE, plaintext_size
from leeward.formats.sealed.stream import read_front
from leeward.formats.sealed.streams import SeekableFile, descriptor, read_full

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PEEK: Final = 8192


class SealedReader(io.BufferedIOBase):
    """A sealed file as a seekable file of its plaintext, for Polars, PyArrow and the like.

    The last chunk is authenticated before the first byte is given out, so a file that was cut
    short is refused at once. All methods may be called from several threads; `read_at` has no
    shared position, and runs in parallel where the file has a descriptor. One chunk is kept.

    Args:
        file: seekable; not closed with the reader unless `close_file` is set. It must not change.
        keys: tried in order; one that fits is enough.
        close_file: close `file` with the reader.

    Raises:
        SealedError: damage in headers or last chunk, or no fitting key; see errors.py.
    """

    def __init__(
        self, file: SeekableFile, keys: Sequence[Unwrapper], *, close_file: bool = False
    ) -> None:
        self._file = file
        self._close_file = close_file
        self._descriptor = descriptor(file)
        self._lock = threading.RLock()
        self._position = 0
        self._cached: tuple[int, memoryview] | None = None
        file_size = file.seek(0, io.SEEK_END)
        file.seek(0)
        unlocked, self._cipher = read_front(file, keys)
        self._size = plaintext_size(file_size, self._cipher.chunk_size)
        self._last_index = max(0, self._size - 1) // self._cipher.chunk_size
        unread = ("all chunks but the last: each is authenticated when it is read",)
        self._info = describe_unlocked(
            unlocked, self._size, unverified=unread if self._last_index else ()
        )
        self._chunk(self._last_index)

    @property
    def info(self) -> SealedInfo:
        """What the file says about itself; headers and last chunk are authenticated."""
        return self._info

    @property
    def size(self) -> int:
        """Bytes of plaintext."""
        return self._size

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """The position in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; positions beyond the end are allowed and read as empty."""
        self._check_open()
        with self._lock:
            base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
            if whence not in base:
                raise ValueError(f"whence is 0, 1 or 2, not {whence}")
            if base[whence] + offset < 0:
                raise ValueError("a position before the beginning of the file")
            self._position = base[whence] + offset
            return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer`, unless the plaintext ends before; returns the bytes read."""
        view = memoryview(buffer).cast("B")
        with self._lock:
            count = self.readinto_at(self._position, view)
            self._position += count
            return count

    readinto1 = readinto

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or everything that is left."""
        with self._lock:
            left = max(0, self._size - self._position)
            wanted = left if size is None or size < 0 else min(size, left)
            data = self.read_at(self._position, wanted)
            self._position += len(data)
            return data

    read1 = read

    def peek(self, size: int = 0, /) -> bytes:
        """Some bytes from the position on without moving it; readline is quick by this."""
        del size
        with self._lock:
            end = (self._position // self._cipher.chunk_size + 1) * self._cipher.chunk_size
            return self.read_at(self._position, min(_PEEK, end - self._position))

    def read_at(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes from `offset` on, without a shared position."""
        count = max(0, min(size, self._size - offset))
        # BytesIO hands its buffer over as bytes without a copy, which bytes(bytearray) makes.
        target = io.BytesIO(bytes(count))
        with target.getbuffer() as buffer:
            self.readinto_at(offset, buffer)
        return target.getvalue()

    def readinto_at(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset` on; returns the bytes read.

        Raises:
            ChunkTampered, Truncated, TrailingData: a chunk does not authenticate; nothing of it
                is in `buffer`.
        """
        self._check_open()
        if offset < 0:
            raise ValueError("a position before the beginning of the file")
        chunk_size = self._cipher.chunk_size
        wanted = max(0, min(len(buffer), self._size - offset))
        done = 0
        while done < wanted:
            index, start = divmod(offset + done, chunk_size)
            count = min(chunk_size - start, wanted - done)
            out = buffer[done : done + count]
            if count == self._plain_size(index):
                self._open_chunk(index, out)
            else:
                out[:] = self._chunk(index)[start : start + count]
            done += count
        return done

    def close(self) -> None:
        """Forget the chunk kept, and close the file where that was asked for."""
        if not self.closed:
            self._cached = None
            super().close()
            if self._close_file and isinstance(self._file, io.IOBase):
                self._file.close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("read of a closed sealed reader")

    def _plain_size(self, index: int) -> int:
        chunk_size = self._cipher.chunk_size
        return chunk_size if index < self._last_index else self._size - index * chunk_size

    def _chunk(self, index: int) -> memoryview:
        cached = self._cached
        if cached is not None and cached[0] == index:
            return cached[1]
        plain = memoryview(bytearray(self._plain_size(index)))
        self._open_chunk(index, plain)
        self._cached = (index, plain)
        return plain

    def _open_chunk(self, index: int, out: memoryview) -> None:
        sealed = memoryview(bytearray(len(out) + TAG_SIZE))
        position = CHUNKS_OFFSET + index * self._cipher.sealed_size
        if self._pread(sealed, position) != len(sealed):
            raise Truncated(
                f"the file became shorter while it was read, inside chunk {index}: "
                "copy it again in full"
            )
        self._cipher.open(index, index == self._last_index, sealed, out)

    def _pread(self, buffer: memoryview, position: int) -> int:
        if self._descriptor is None:
            with self._lock:
                self._file.seek(position)
                return read_full(self._file, buffer)
        done = 0
        while done < len(buffer):
            count = os.preadv(self._descriptor, [buffer[done:]], position + done)
            if count == 0:
                break
            done += count
        return done
