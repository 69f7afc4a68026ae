"""The digest of the core, which receipts carry.

SHA-256 over the core header followed by the SHA-256 of every sealed chunk, in order. Recipients are
left out, so rewrapping does not change it. It is taken over the ciphertext and not over the GCM
tags, because whoever holds the key can make two chunks with one tag. Two levels let all processors
hash at once.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from leeward.formats.sealed.errors import Truncated
from leeward.formats.sealed.layout import (
    CHUNKS_OFFSET,
    CORE_OFFSET,
    TAG_SIZE,
    parse_core_fields,
    split_front,
)
from leeward.formats.sealed.streams import ByteSource, read_full

DIGEST_SIZE: Final = 32
_WORKERS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))
_BUFFERS: Final = _WORKERS + 4


def _sha256(data: memoryview) -> bytes:
    return hashlib.sha256(data).digest()


class _Pending:
    """A chunk whose hash is not in the digest yet."""

    __slots__ = ("buffer", "future", "result")

    def __init__(self, buffer: bytearray, future: Future[bytes]) -> None:
        self.buffer = buffer
        self.future = future
        self.result: bytes | None = None


class CoreHasher:
    """Hashes chunks in other threads, and lends out the buffers that hold them meanwhile.

    The caller's thread takes a share of the work when all buffers are in use: with one thread per
    processor, and not one more, none waits for another's time slice.

    At most eight buffers of `sealed_size` bytes exist at once. Not for use from several threads.
    """

    def __init__(self, header: bytes, sealed_size: int) -> None:
        self._outer = hashlib.sha256(header)
        self._sealed_size = sealed_size
        self._free: list[bytearray] = []
        self._pending: deque[_Pending] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def borrow(self) -> bytearray:
        """A buffer for one sealed chunk; `submit` or `finish` takes it back."""
        if self._free:
            return self._free.pop()
        if len(self._pending) < _BUFFERS:
            return bytearray(self._sealed_size)
        if not self._pending[0].future.done():
            self._hash_one_here()
        return self._collect()

    def submit(self, buffer: bytearray) -> None:
        """Hash a full chunk in the background; the buffer must not change any more."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sealed-digest")
        future = self._pool.submit(_sha256, memoryview(buffer))
        self._pending.append(_Pending(buffer, future))

    def finish(self, last: memoryview) -> bytes:
        """Hash the last chunk, wait for the others and return the digest of 32 bytes."""
        last_digest = _sha256(last)
        while self._pending:
            self._collect()
        self.close()
        self._outer.update(last_digest)
        return self._outer.digest()

    def close(self) -> None:
        """End the threads; what is pending is dropped."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._pending.clear()

    def _hash_one_here(self) -> None:
        for pending in self._pending:
            if pending.result is None and pending.future.cancel():
                pending.result = _sha256(memoryview(pending.buffer))
                return

    def _collect(self) -> bytearray:
        pending = self._pending.popleft()
        self._outer.update(pending.result or pending.future.result())
        return pending.buffer


def core_digest(source: ByteSource) -> bytes:
    """Digest of the core of an existing file, read once from its beginning; needs no key.

    Raises:
        NotSealed, Truncated, HeaderTampered, UnsupportedVersion: the file is not whole. Chunks
            are not authenticated: the digest of a changed file is another one.
    """
    buffer = memoryview(bytearray(CHUNKS_OFFSET))
    count = read_full(source, buffer)
    header = split_front(bytes(buffer[:count])).header
    sealed_size = parse_core_fields(header).chunk_size + TAG_SIZE
    hasher = CoreHasher(header, sealed_size)
    try:
        current = hasher.borrow()
        count = read_full(source, memoryview(current))
        while count == sealed_size:
            following = hasher.borrow()
            following_count = read_full(source, memoryview(following))
            if following_count == 0:
                break
            hasher.submit(current)
            current, count = following, following_count
        if count < TAG_SIZE:
            raise Truncated("the file ends inside a chunk: copy it again in full")
        return hasher.finish(memoryview(current)[:count])
    finally:
        hasher.close()


class DigestingSource:
    """A sealed file that is read once, from its beginning, and the digest of what was read.

    Args:
        source: the file.
        chunk_size: plaintext bytes per chunk, as its core header says.
    """

    def __init__(self, source: ByteSource, chunk_size: int) -> None:
        self._source = source
        self._sealed_size = chunk_size + TAG_SIZE
        self._position = 0
        self._outer = hashlib.sha256()
        self._chunk = hashlib.sha256()

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read on; see `ByteSource`."""
        count = self._source.readinto(buffer)
        if count:
            self._take(buffer[:count])
        return count

    def digest(self) -> bytes:
        """Digest of the core, 32 bytes, where the file was read to its end."""
        outer = self._outer.copy()
        if (self._position - CHUNKS_OFFSET) % self._sealed_size:
            outer.update(self._chunk.digest())
        return outer.digest()

    def _take(self, data: memoryview) -> None:
        while len(data):
            if self._position < CORE_OFFSET:
                count = min(len(data), CORE_OFFSET - self._position)
            elif self._position < CHUNKS_OFFSET:
                count = min(len(data), CHUNKS_OFFSET - self._position)
                self._outer.update(data[:count])
            else:
                done = (self._position - CHUNKS_OFFSET) % self._sealed_size
                count = min(len(data), self._sealed_size - done)
                self._chunk.update(data[:count])
                if done + count == self._sealed_size:
                    self._outer.update(self._chunk.digest())
                    self._chunk = hashlib.sha256()
            self._position += count
            data = data[count:]
