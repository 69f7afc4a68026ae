"""The bytes of a source, plain or sealed, read once from front to back, and their digest.

A plain file is hashed while it is read, so what was masked is what was hashed, whoever writes to
the volume meanwhile. The digest of a sealed file is that of its core and takes a pass of its own;
the front with key commitment and recipients is read once and serves opening and digest alike, so
that every chunk was authenticated under the very header that the digest covers.
"""

import hashlib
import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from leeward.formats.result import ResultFile
from leeward.formats.sealed import (
    NotSealed,
    RecipientsTampered,
    SealedError,
    SealedReader,
    Unwrapper,
    core_digest,
    inspect,
)
from leeward.formats.sealed.layout import CHUNKS_OFFSET, CORE_OFFSET, SLOT_MAGIC
from leeward.formats.sealed.streams import SeekableFile, read_full
from leeward_masking.errors import SOURCE, JobError, from_sealed_error, volume
from leeward_masking.storage.port import Storage, StoredFile

WHAT: Final = SOURCE
_LOOKS: Final = 3
_BETWEEN_LOOKS: Final = 0.1
"""Seconds."""


class Readable(Protocol):
    """Plaintext."""

    size: int

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        ...

    def peek_at(self, offset: int, size: int) -> bytes:
        """Bytes from anywhere; the position of ``read`` stays. What counts must be read, too."""
        ...


class Content(Readable, Protocol):
    """The plaintext of a source.

    Attributes:
        core_header: Of a sealed file: what authenticates each of its chunks; None: it is plain.
    """

    core_header: bytes | None

    def describe(self) -> ResultFile:
        """Digest and ids of the file, once all of it was read."""
        ...


class PlainContent:
    """A file that is not sealed."""

    def __init__(self, file: StoredFile, path: str) -> None:
        self._file = file
        self._path = path
        self.core_header: bytes | None = None
        self._hash = hashlib.sha256()
        self._position = 0
        with volume(WHAT):
            self.size = file.seek(0, io.SEEK_END)
            file.seek(0)

    def read(self, size: int) -> bytes:
        """See ``Content``."""
        buffer = bytearray(min(size, self.size - self._position))
        with volume(WHAT):
            count = read_full(self._file, memoryview(buffer))
        if count < len(buffer):
            raise changed("became shorter while it was read")
        self._position += count
        self._hash.update(buffer)
        return bytes(buffer)

    def peek_at(self, offset: int, size: int) -> bytes:
        """See ``Content``."""
        buffer = bytearray(size)
        with volume(WHAT):
            count = self._file.read_at(offset, memoryview(buffer))
        return bytes(buffer[:count])

    def describe(self) -> ResultFile:
        """See ``Content``."""
        while self._position < self.size:
            self.read(1 << 20)
        return ResultFile(
            path=self._path, digest="sha256:" + self._hash.hexdigest(), bytes=self.size
        )


class SealedContent:
    """A file of format LWE1, opened chunk by chunk."""

    def __init__(self, file: StoredFile, path: str, keys: Sequence[Unwrapper]) -> None:
        self._path = path
        with volume(WHAT):
            self._file = _FixedFront(file)
            self._reader = SealedReader(self._file, keys)
        self.size = self._reader.size
        self.core_header: bytes | None = self._file.core_header

    def read(self, size: int) -> bytes:
        """See ``Content``."""
        with volume(WHAT), _sealed_errors():
            return self._reader.read(size)

    def peek_at(self, offset: int, size: int) -> bytes:
        """See ``Content``."""
        with volume(WHAT), _sealed_errors():
            return self._reader.read_at(offset, size)

    def describe(self) -> ResultFile:
        """See ``Content``."""
        while self.read(1 << 20):
            pass
        with volume(WHAT), _sealed_errors():
            length = self._file.seek(0, io.SEEK_END)
            self._file.seek(0)
            digest = core_digest(self._file).hex()
        info = self._reader.info
        return ResultFile(
            path=self._path,
            digest="sha256:" + digest,
            bytes=length,
            file_id=info.file_id.hex(),
            key_ids=[recipient.key_id.hex() for recipient in info.recipients],
        )


class _FixedFront(io.RawIOBase):
    """A file whose headers are read once: nobody can show others to the next reader."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        buffer = memoryview(bytearray(CHUNKS_OFFSET))
        file.seek(0)
        self._front = bytes(buffer[: read_full(file, buffer)])
        self.core_header: bytes = self._front[CORE_OFFSET:]
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_END:
            offset += self._file.seek(0, io.SEEK_END)
        elif whence == io.SEEK_CUR:
            offset += self._position
        self._position = offset
        return offset

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        front = self._front[self._position : self._position + len(buffer)]
        if front:
            buffer[: len(front)] = front
            count = len(front)
        else:
            count = self._file.read_at(self._position, memoryview(buffer))
        self._position += count
        return count


@contextmanager
def open_content(
    storage: Storage, path: str, keys: Sequence[Unwrapper] | None
) -> Iterator[Content]:
    """Open a source.

    Args:
        storage: Where it lies.
        path: The file.
        keys: What opens it; None: it is plain.

    Raises:
        JobError: It is missing, empty, of the other kind, or does not open.
    """
    with storage.open(path) as file:
        magic = _magic(file)
        if not magic:
            raise empty()
        if keys is None:
            if magic == SLOT_MAGIC:
                raise JobError(
                    "WrongFormat",
                    "the source is a sealed file, and the Dataset says that it is plain",
                    "create another Dataset, with sealedWith, for it",
                )
            yield PlainContent(file, path)
        else:
            with _sealed_errors(file):
                content = _opened_at_rest(file, path, keys)
            if not content.size:
                raise empty("holds an empty file (0 bytes), sealed")
            yield content


def _magic(file: StoredFile) -> bytes:
    buffer = bytearray(len(SLOT_MAGIC))
    with volume(WHAT):
        return bytes(buffer[: file.read_at(0, memoryview(buffer))])


def _opened_at_rest(file: StoredFile, path: str, keys: Sequence[Unwrapper]) -> SealedContent:
    """Open a file of which the recipients may be changed in this very moment.

    Who reads the front meanwhile can see one slot before and one after a step of a rewrap.
    """
    for _ in range(_LOOKS - 1):
        with suppress(RecipientsTampered):
            return SealedContent(file, path, keys)
        time.sleep(_BETWEEN_LOOKS)
    return SealedContent(file, path, keys)


def recipient_ids(file: SeekableFile) -> list[str]:
    """Ids of the keys that a sealed file names, unauthenticated; none where it cannot be read."""
    try:
        return [recipient.key_id.hex() for recipient in inspect(file).recipients]
    except (SealedError, OSError):
        return []


def describe_headers(storage: Storage, path: str) -> ResultFile:
    """What a sealed file says without a key; file id and recipients are not authenticated.

    Raises:
        JobError: It is missing, not sealed, or damaged.
    """
    with volume(WHAT), storage.open(path) as file, _sealed_errors(file):
        if file.seek(0, io.SEEK_END) == 0:
            raise empty()
        info = inspect(file)
        file.seek(0)
        return ResultFile(
            path=path,
            digest="sha256:" + core_digest(file).hex(),
            bytes=file.seek(0, io.SEEK_END),
            file_id=info.file_id.hex(),
            key_ids=[recipient.key_id.hex() for recipient in info.recipients],
        )


def check_digest(found: ResultFile, expected: str | None) -> None:
    """The source must be the one that admission looked at.

    Raises:
        JobError: ``SourceChanged``.
    """
    if expected is not None and found.digest != expected:
        raise changed("is another one than when the job was admitted")


def changed(how: str) -> JobError:
    """The source is not what it was."""
    return JobError(
        "SourceChanged",
        f"the source {how}",
        "let the Dataset be inspected again (annotation leeward.dev/inspect), then run a new job",
    )


def empty(how: str = "is empty (0 bytes)") -> JobError:
    """There is nothing to work on."""
    return JobError("FileEmpty", f"the source {how}", "put a file with data in its place")


@contextmanager
def _sealed_errors(file: SeekableFile | None = None) -> Iterator[None]:
    try:
        yield
    except SealedError as error:
        ids = [] if file is None or isinstance(error, NotSealed) else recipient_ids(file)
        raise from_sealed_error(error, WHAT, ids) from None
