"""Sealing and opening by path: the only module of the format that opens paths.

A target appears by rename, after its last chunk was written, synced and verified. Until then it is
a temporary file in the same folder, `.NAME.RANDOM.part`, which is removed on any failure; where the
process is killed it stays behind (from `open_file` with plaintext in it): remove it by hand then.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leeward.formats.sealed.digest import core_digest
from leeward.formats.sealed.errors import (
    DigestMismatch,
    RewrapInProgress,
    SealedError,
    TargetExists,
)
from leeward.formats.sealed.info import SealedInfo, describe_unlocked, inspect
from leeward.formats.sealed.keys import Random, Recipient, Unwrapper
from leeward.formats.sealed.layout import plaintext_size
from leeward.formats.sealed.reader import SealedReader
from leeward.formats.sealed.reencrypt import Told, reencrypt
from leeward.formats.sealed.rewrap import rewrap
from leeward.formats.sealed.stream import open_stream, read_front
from leeward.formats.sealed.writer import ChunkAlgorithm, SealedWriter

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CANNOT_ALLOCATE: Final = (errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.EOPNOTSUPP)
"""Of file systems that cannot, and of files that are none."""

_WRITE_BEHIND: Final = 8 << 20
_CACHED: Final = 256 << 20
"""Bytes of a new file, the last, that stay in the page cache."""
_SEALED_MODE: Final = 0o666
_PLAIN_MODE: Final = 0o600


def seal_file(
    source: Path,
    target: Path,
    recipients: Sequence[Recipient],
    *,
    random: Random = os.urandom,
    manifest_id: bytes | None = None,
    overwrite: bool = False,
    algorithm: ChunkAlgorithm | None = None,
    with_digest: bool = False,
) -> SealedInfo:
    """Seal the file `source` as the file `target`; see `SealedWriter` for the arguments.

    Raises:
        RecipientsInvalid: no recipients, one key twice, or too many.
        TargetExists: `target` exists and `overwrite` is not set.
        OSError: a file cannot be read or written.
    """
    with _reading(source) as plain, _appearing(target, random, _SEALED_MODE, overwrite) as sealed:
        with SealedWriter(
            sealed,
            recipients,
            random=random,
            manifest_id=manifest_id,
            algorithm=algorithm,
            with_digest=with_digest,
        ) as writer:
            sealed.make_room(writer.sealed_size(_size(plain)))
            writer.write_from(plain)
        sealed.end_here()
        writer.verify_written(sealed)
    return writer.info


def open_file(
    source: Path,
    target: Path,
    keys: Sequence[Unwrapper],
    *,
    random: Random = os.urandom,
    overwrite: bool = False,
) -> SealedInfo:
    """Open the sealed file `source` as the file `target`, readable by its owner only.

    Raises:
        SealedError: every kind of damage, no fitting key, or `target` exists; see errors.py.
        OSError: a file cannot be read or written.
    """
    with _reading(source) as sealed, _appearing(target, random, _PLAIN_MODE, overwrite) as plain:
        plain.make_room(_size(sealed))
        info = open_stream(sealed, plain, keys)
        plain.end_here()
        if plain.seek(0, io.SEEK_END) != info.plaintext_size:
            raise SealedError(
                f"{target.name} reads back shorter than it was written: check the volume, "
                "then open again"
            )
    return info


def open_reader(path: Path, keys: Sequence[Unwrapper]) -> SealedReader:
    """A reader for ranges of the plaintext of `path`; closing it closes the file.

    Raises:
        SealedError: damage in headers or last chunk, or no fitting key; see errors.py.
        OSError: the file cannot be read.
    """
    file = io.FileIO(path)
    try:
        return SealedReader(file, keys, close_file=True)
    except BaseException:
        file.close()
        raise


def inspect_file(path: Path) -> SealedInfo:
    """See `inspect`."""
    with io.FileIO(path) as file:
        return inspect(file)


def unlock_file(path: Path, keys: Sequence[Unwrapper]) -> SealedInfo:
    """What the headers say, proven with a key that opens the file; no chunk is read.

    Raises:
        SealedError: damage in the headers, or no fitting key.
        OSError: the file cannot be read.
    """
    with io.FileIO(path) as file:
        _only_front(file)
        unlocked, cipher = read_front(file, keys)
        size = plaintext_size(_size(file), cipher.chunk_size)
    return describe_unlocked(unlocked, size, unverified=("the contents: no chunk was read",))


def digest_file(path: Path) -> bytes:
    """See `core_digest`."""
    with _reading(path) as file:
        return core_digest(file)


def rewrap_file(
    path: Path,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    drop: Collection[bytes] | None = None,
    random: Random = os.urandom,
) -> SealedInfo:
    """See `rewrap`; the file is locked meanwhile (flock).

    Raises:
        RewrapInProgress: another process holds the lock.
        SealedError: as `rewrap`; the file is unchanged then.
        OSError: the file cannot be read or written.
    """
    with io.FileIO(path, "r+") as file:
        _lock(file, path)
        _only_front(file)
        return rewrap(file, keys, recipients, drop=drop, random=random)


def reencrypt_file(
    path: Path,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    expected_digest: bytes | None = None,
    random: Random = os.urandom,
    told: Told = lambda done: None,
) -> SealedInfo:
    """Put a file with a fresh data key in the place of `path`; see `reencrypt`.

    The new one appears by rename when it is complete, synced and verified; until then, and after
    any failure, the old one is there as it was. Both need room for that time. Who has the old one
    open goes on reading it. It is locked meanwhile (flock).

    Args:
        path: the file; who may read and write it stays.
        keys: tried in order; one that fits is enough.
        recipients: who shall be able to open it from now on.
        expected_digest: of the core of the file as it is; None: whatever it is.
        random: source of data key and nonces.
        told: see `reencrypt`.

    Raises:
        RewrapInProgress: another process holds the lock.
        DigestMismatch: the file is not the one with that digest.
        SealedError: every kind of damage, no fitting key, or recipients that do not fit.
        OSError: a file cannot be read or written.
    """
    with locked(path) as old, _in_place_of(old, path, random, overwrite=True) as new:
        writer, digest = reencrypt(old, new, keys, recipients, random=random, told=told)
        _check_digest(path, digest, expected_digest)
        os.fsync(new.fileno())
        writer.verify_written(new)
    return writer.info


def reencrypt_to(
    path: Path,
    target: Path,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    expected_digest: bytes | None = None,
    random: Random = os.urandom,
    told: Told = lambda done: None,
) -> SealedInfo:
    """The same, as another file beside the old one, which stays.

    Raises:
        TargetExists: `target` is there already.
        DigestMismatch, SealedError, OSError: as `reencrypt_file`.
    """
    with _reading(path) as old, _in_place_of(old, target, random, overwrite=False) as new:
        writer, digest = reencrypt(old, new, keys, recipients, random=random, told=told)
        _check_digest(path, digest, expected_digest)
        os.fsync(new.fileno())
        writer.verify_written(new)
    return writer.info


def replace_content(
    path: Path,
    content: bytes,
    recipients: Sequence[Recipient],
    *,
    file_id: bytes,
    random: Random = os.urandom,
) -> SealedInfo:
    """Put a file with other contents and another data key in the place of `path`.

    It appears by rename; who may read and write it stays. `file_id` is that of the new file.

    Raises:
        SealedError: it reads back otherwise than it was written.
        OSError: a file cannot be read or written.
    """
    with _reading(path) as old, _in_place_of(old, path, random, overwrite=True) as new:
        with SealedWriter(
            new, recipients, random=random, file_id=file_id, with_digest=True
        ) as writer:
            writer.write(content)
        os.fsync(new.fileno())
        writer.verify_written(new)
    return writer.info


@contextmanager
def locked(path: Path) -> Iterator[io.FileIO]:
    """The file, locked (flock) against other rewraps while the block lasts.

    Raises:
        RewrapInProgress: another process holds the lock.
        OSError: it cannot be opened for reading and writing.
    """
    with io.FileIO(path, "r+") as file:
        _lock(file, path)
        yield file


def _check_digest(path: Path, digest: bytes, expected: bytes | None) -> None:
    if expected not in (None, digest):
        raise DigestMismatch(f"{path.name} is another file than was expected: look at it")


@contextmanager
def _in_place_of(
    old: io.FileIO, target: Path, random: Random, *, overwrite: bool
) -> Iterator[_WriteBehindFile]:
    """See `_appearing`; who may read and write the new file is as of the old one."""
    status = os.fstat(old.fileno())
    mode = stat.S_IMODE(status.st_mode)
    with _appearing(target, random, mode, overwrite) as new:
        os.fchmod(new.fileno(), mode)
        with suppress(PermissionError):
            os.fchown(new.fileno(), -1, status.st_gid)
        yield new


def _only_front(file: io.FileIO) -> None:
    """Only the front is read: nothing behind it need be fetched ahead."""
    if sys.platform == "linux":
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)


def _lock(file: io.FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RewrapInProgress(
            f"{path.name} is being rewrapped already, by another process or under another name: "
            "try again when that has ended"
        ) from error


class _WriteBehindFile(io.FileIO):
    """A file whose pages go to the disk while it is written, so that fsync finds few left."""

    _pending = 0
    _room = 0

    def make_room(self, size: int) -> None:
        """Have blocks allocated in one go for about `size` bytes: a third less work for the kernel.

        Raises:
            OSError: there is no room for them.
        """
        if sys.platform != "linux" or not size:
            return
        try:
            os.posix_fallocate(self.fileno(), 0, size)
            self._room = size
        except OSError as error:
            if error.errno not in _CANNOT_ALLOCATE:
                raise

    def end_here(self) -> None:
        """Give back the room that was not needed, and sync."""
        # A file that is longer than that was written to by somebody else: that is told later.
        if self.tell() < self._room == os.fstat(self.fileno()).st_size:
            self.truncate()
        os.fsync(self.fileno())

    def write(self, data: ReadableBuffer, /) -> int:
        count = super().write(data)
        self._pending += count
        if self._pending >= _WRITE_BEHIND:
            if sys.platform == "linux":
                self._write_out(self.tell() - self._pending, self._pending)
            self._pending = 0
        return count

    def _write_out(self, begin: int, size: int) -> None:
        """Start writing these bytes out, and let go of what was written out long before.

        On Linux the advice does the first for dirty pages, the second for clean ones, and returns
        at once. Pages that are let go are used again for what comes. New ones cost several times
        as much where a virtual machine must ask its host for them, and would push out the files of
        everybody else.
        """
        os.posix_fadvise(self.fileno(), begin, size, os.POSIX_FADV_DONTNEED)
        if begin >= _CACHED:
            os.posix_fadvise(self.fileno(), begin - _CACHED, size, os.POSIX_FADV_DONTNEED)


def _size(file: io.FileIO) -> int:
    """Bytes of a file; 0 of a pipe."""
    return os.fstat(file.fileno()).st_size


@contextmanager
def _reading(path: Path) -> Iterator[io.FileIO]:
    with io.FileIO(path) as file:
        if sys.platform == "linux" and file.seekable():
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield file


@contextmanager
def _appearing(
    target: Path, random: Random, mode: int, overwrite: bool
) -> Iterator[_WriteBehindFile]:
    """A new file that takes the name `target` when the block ends well, and vanishes otherwise."""
    _check_free(target, overwrite)
    temporary = target.with_name(f".{target.name}.{random(8).hex()}.part")
    number = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with _WriteBehindFile(number, "r+") as file:
            yield file
        _check_free(target, overwrite)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _check_free(target: Path, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(target):
        raise TargetExists(
            f"{target.name} exists already: choose another name, or say that it may be overwritten"
        )


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
