"""Sealing: a writer for streams of any length, also for pipes."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal

from leeward.formats.sealed.chunks import ChunkCipher
from leeward.formats.sealed.digest import CoreHasher
from leeward.formats.sealed.errors import InvalidKey, SealedError
from leeward.formats.sealed.info import SealedInfo, describe
from leeward.formats.sealed.keys import Kind, Random, Recipient
from leeward.formats.sealed.layout import (
    ALGORITHM_AES256_GCM,
    ALGORITHM_CHACHA20_POLY1305,
    CHUNKS_OFFSET,
    DEFAULT_CHUNK_SIZE,
    ID_SIZE,
    MAX_CHUNK_SIZE,
    MIN_CHUNK_SIZE,
    NO_MANIFEST,
    SLOT_COUNT,
    STATE_COMPLETE,
    TAG_SIZE,
    CoreFields,
    RecipientEntry,
    is_power_of_two,
    pack_slot,
)
from leeward.formats.sealed.recipients import build_slot
from leeward.formats.sealed.schedule import KEY_SIZE, FileKeys
from leeward.formats.sealed.streams import (
    ByteSource,
    ByteTarget,
    SeekableFile,
    read_full,
    write_all,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FIRST_GENERATION: Final = 1

ChunkAlgorithm = Literal["AES256_GCM", "CHACHA20_POLY1305"]
_CHUNK_ALGORITHMS: Final[dict[ChunkAlgorithm, int]] = {
    "AES256_GCM": ALGORITHM_AES256_GCM,
    "CHACHA20_POLY1305": ALGORITHM_CHACHA20_POLY1305,
}


class SealedWriter(io.BufferedIOBase):
    """Writes one sealed file; `close` writes the last chunk and leaves `stream` open.

    A file without its last chunk does not open. Leaving a `with` block by an exception, `abort`
    and garbage collection end the writer without one, so what was half written stays closed.

    Args:
        stream: where to write; it need not be seekable.
        recipients: who shall be able to open the file, at least one.
        random: source of the data key, the file id and nonces.
        manifest_id: 16 bytes that many files of one source share.
        file_id: 16 bytes of the file that this one takes the place of; None: random ones.
        chunk_size: plaintext bytes per chunk, a power of two from 64 to 16 Mi.
        algorithm: of the chunks; None: CHACHA20_POLY1305 where the first recipient is a symmetric
            key of it, else AES256_GCM.
        with_digest: take the digest of the core meanwhile, for a receipt: it takes more of a
            processor than all else.

    Raises:
        RecipientsInvalid: no recipients, one key twice, or too many.
    """

    def __init__(
        self,
        stream: ByteTarget,
        recipients: Sequence[Recipient],
        *,
        random: Random = os.urandom,
        manifest_id: bytes | None = None,
        file_id: bytes | None = None,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        algorithm: ChunkAlgorithm | None = None,
        with_digest: bool = False,
    ) -> None:
        self._ended = True
        if not MIN_CHUNK_SIZE <= chunk_size <= MAX_CHUNK_SIZE or not is_power_of_two(chunk_size):
            raise ValueError(
                f"a chunk size is a power of two from {MIN_CHUNK_SIZE} to {MAX_CHUNK_SIZE}"
            )
        manifest = NO_MANIFEST if manifest_id is None else manifest_id
        if len(manifest) != ID_SIZE:
            raise InvalidKey(f"a manifest id has {ID_SIZE} bytes, not {len(manifest)}")
        data_key = random(KEY_SIZE)
        file_id = random(ID_SIZE) if file_id is None else file_id
        if len(file_id) != ID_SIZE:
            raise InvalidKey(f"a file id has {ID_SIZE} bytes, not {len(file_id)}")
        keys = FileKeys.of(data_key, file_id)
        self._stream = stream
        self._slot = build_slot(_FIRST_GENERATION, file_id, data_key, recipients, random)
        chunks = _chunk_algorithm(algorithm, self._slot.entries[0])
        self._fields = CoreFields(chunks, chunk_size, file_id, manifest)
        header = keys.seal_header(self._fields.pack())
        self._front = pack_slot(self._slot, STATE_COMPLETE) * SLOT_COUNT + header
        self._cipher = ChunkCipher(keys.chunk_key, header, self._fields)
        self._hasher = CoreHasher(header, self._cipher.sealed_size) if with_digest else None
        self._sealed = bytearray(0 if with_digest else self._cipher.sealed_size)
        self._plain = memoryview(bytearray(chunk_size))
        self._spare = memoryview(bytearray(chunk_size))
        self._filled = 0
        self._index = 0
        self._size = 0
        self._info: SealedInfo | None = None
        write_all(stream, memoryview(self._front))
        self._ended = False

    @property
    def file_id(self) -> bytes:
        """The 16 random bytes that name this file, and the source that it is."""
        return self._fields.file_id

    @property
    def info(self) -> SealedInfo:
        """What was written; only after `close`.

        Raises:
            SealedError: the last chunk is not written yet.
        """
        if self._info is None:
            raise SealedError("the sealed file has no last chunk yet: close the writer first")
        return self._info

    @property
    def digest(self) -> bytes:
        """SHA-256 digest of the core, 32 bytes; only after `close`.

        Raises:
            SealedError: the last chunk is not written yet, or the digest was not asked for.
        """
        if self.info.digest is None:
            raise SealedError("no digest was taken: ask the writer for one")
        return self.info.digest

    def sealed_size(self, size: int) -> int:
        """Bytes of the file where `size` bytes are sealed."""
        chunks = max(1, -(-size // len(self._plain)))
        return CHUNKS_OFFSET + size + chunks * TAG_SIZE

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Seal all of `data`, any contiguous buffer; returns its length in bytes."""
        view = memoryview(data).cast("B")
        self._check_open()
        size = len(view)
        chunk = len(self._plain)
        try:
            while len(view):
                if self._filled == chunk:
                    self._emit(self._plain)
                    self._filled = 0
                if self._filled == 0 and len(view) > chunk:
                    self._emit(view[:chunk])
                    view = view[chunk:]
                    continue
                count = min(chunk - self._filled, len(view))
                self._plain[self._filled : self._filled + count] = view[:count]
                self._filled += count
                view = view[count:]
        except BaseException:
            self.abort()
            raise
        return size

    def write_from(self, source: ByteSource) -> int:
        """Seal everything that `source` still has, without a copy; returns the bytes read."""
        self._check_open()
        total = 0
        try:
            while True:
                if self._filled < len(self._plain):
                    count = read_full(source, self._plain[self._filled :])
                    total += count
                    self._filled += count
                    if self._filled < len(self._plain):
                        return total
                count = read_full(source, self._spare)
                if count == 0:
                    return total
                total += count
                self._emit(self._plain)
                self._plain, self._spare = self._spare, self._plain
                self._filled = count
        except BaseException:
            self.abort()
            raise

    def close(self) -> None:
        """Write the last chunk; closing again does nothing."""
        if not self._ended:
            try:
                self._finish()
            finally:
                self.abort()

    def abort(self) -> None:
        """End without a last chunk: what was written does not open."""
        if not self._ended:
            self._ended = True
            if self._hasher is not None:
                self._hasher.close()
        super().close()

    def verify_written(self, file: SeekableFile) -> None:
        """Read headers and last chunk back from the file that the writer's stream went to.

        Raises:
            SealedError: they are not what was written.
        """
        sealed = memoryview(bytearray(self._last_size))
        front = memoryview(bytearray(CHUNKS_OFFSET))
        file.seek(0)
        count = read_full(file, front)
        file.seek(CHUNKS_OFFSET + self._index * self._cipher.sealed_size)
        complete = count == CHUNKS_OFFSET and read_full(file, sealed) == len(sealed)
        if not complete or bytes(front) != self._front or file.seek(0, io.SEEK_END) != self._end:
            raise SealedError(
                "the sealed file reads back differently than it was written: check the volume, "
                "then seal again"
            )
        self._cipher.open(self._index, True, sealed, self._spare[: len(sealed) - TAG_SIZE])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, or abort where the block failed."""
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        """Abort: io.IOBase would close, and so seal what is incomplete."""
        self.abort()

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("write to a closed sealed writer")

    def _emit(self, plain: memoryview) -> None:
        buffer = self._sealed if self._hasher is None else self._hasher.borrow()
        sealed = memoryview(buffer)
        self._cipher.seal(self._index, False, plain, sealed)
        if self._hasher is not None:
            self._hasher.submit(buffer)
        write_all(self._stream, sealed)
        self._index += 1
        self._size += len(plain)

    def _finish(self) -> None:
        buffer = self._sealed if self._hasher is None else self._hasher.borrow()
        sealed = memoryview(buffer)[: self._filled + TAG_SIZE]
        self._cipher.seal(self._index, True, self._plain[: self._filled], sealed)
        write_all(self._stream, sealed)
        self._size += self._filled
        self._last_size = len(sealed)
        self._end = CHUNKS_OFFSET + self._index * self._cipher.sealed_size + len(sealed)
        digest = None if self._hasher is None else self._hasher.finish(sealed)
        self._info = describe(self._fields, self._slot, self._size, digest=digest)


def _chunk_algorithm(asked: ChunkAlgorithm | None, first: RecipientEntry) -> int:
    if asked is not None:
        return _CHUNK_ALGORITHMS[asked]
    if first.kind == Kind.ARTEFACT_CHACHA20_POLY1305:
        return ALGORITHM_CHACHA20_POLY1305
    return ALGORITHM_AES256_GCM


def seal_stream(
    source: ByteSource,
    target: ByteTarget,
    recipients: Sequence[Recipient],
    *,
    random: Random = os.urandom,
    manifest_id: bytes | None = None,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    algorithm: ChunkAlgorithm | None = None,
    with_digest: bool = False,
) -> SealedInfo:
    """Seal everything that `source` holds; see `SealedWriter` for the arguments.

    Raises:
        RecipientsInvalid: no recipients, one key twice, or too many.
        PlaintextTooLarge: more than 2**32 chunks.
    """
    with SealedWriter(
        target,
        recipients,
        random=random,
        manifest_id=manifest_id,
        chunk_size=chunk_size,
        algorithm=algorithm,
        with_digest=with_digest,
    ) as writer:
        writer.write_from(source)
    return writer.info
