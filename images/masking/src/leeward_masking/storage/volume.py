"""Files on a mounted volume."""

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from leeward.formats.sealed.streams import SeekableFile
from leeward_masking.errors import OUTPUT, SOURCE, JobError, volume

_FILE_MODE: Final = 0o640
_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class VolumeFile(io.FileIO):
    """See ``StoredFile``."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See ``StoredFile``."""
        count = 0
        while count < len(buffer):
            more = os.preadv(self.fileno(), [buffer[count:]], offset + count)
            if more == 0:
                break
            count += more
        return count


class _NewFile:
    """See ``NewFile``: a temporary file beside its name to come."""

    def __init__(self, file: io.FileIO, temporary: Path, path: Path) -> None:
        self._file = file
        self._temporary = temporary
        self._path = path

    def write(self, data: memoryview | bytes, /) -> int:
        with volume(OUTPUT):
            view = memoryview(data)
            while len(view):
                view = view[self._file.write(view) :]
        return len(data)

    def publish(self, verify: Callable[[SeekableFile], None]) -> int:
        with volume(OUTPUT):
            os.fsync(self._file.fileno())
            verify(self._file)
            size = self._file.seek(0, io.SEEK_END)
            self._temporary.replace(self._path)
            try:
                _sync_folder(self._path.parent)
            except OSError:
                self._path.unlink(missing_ok=True)
                raise
        return size


class VolumeStorage:
    """See ``Storage``; paths are absolute."""

    def size(self, path: str) -> int | None:
        """See ``Storage``."""
        found = _looked_at(path)
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    def is_folder(self, path: str) -> bool:
        """See ``Storage``."""
        found = _looked_at(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def entries(self, folder: str) -> dict[str, int | None] | None:
        """See ``Storage``; a link is none of its files."""
        if not self.is_folder(folder):
            return None
        with volume(SOURCE), os.scandir(folder) as found:
            return {
                entry.name: entry.stat().st_size if entry.is_file(follow_symlinks=False) else None
                for entry in found
            }

    def open(self, path: str) -> VolumeFile:
        """See ``Storage``: the file itself, to be read from front to back."""
        file = open_itself(Path(path))
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return file

    @contextmanager
    def create(self, path: str) -> Iterator[_NewFile]:
        """See ``Storage``: until it is published it is ``.NAME.RANDOM.part`` beside its name."""
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}.part")
        with volume(OUTPUT):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_siblings(target)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            number = os.open(temporary, flags, _FILE_MODE)
        try:
            with volume(OUTPUT), io.FileIO(number, "r+") as file:
                yield _NewFile(file, temporary, target)
        finally:
            # Where the volume is away, what is wrong with it counts; the next try removes this.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """See ``Storage``."""
        with volume(OUTPUT):
            Path(path).unlink(missing_ok=True)
            _remove_siblings(Path(path))


def _looked_at(path: str) -> os.stat_result | None:
    """What stands under a path; None: nothing, or behind what is no folder.

    Raises:
        JobError: It cannot be looked at.
    """
    with volume(SOURCE):
        try:
            return os.stat(path)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise


def open_itself(path: Path) -> VolumeFile:
    """Open the file itself: a link on the volume could lead to the pod's own files and keys.

    Raises:
        JobError: It is missing, no file, or behind a link.
    """
    if os.path.realpath(path) != str(path):
        raise linked()
    # Not blocking: else the pod would wait for ever at a named pipe.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    with volume(SOURCE):
        file = VolumeFile(path, opener=lambda name, given: os.open(name, given | flags))
    try:
        with volume(SOURCE):
            mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise JobError(
                "WrongFormat",
                "the path of the source leads to something that is not a file",
                "put a file there, or create a Dataset with the path of one",
            )
        # Once more, of what was opened: a folder may have become a link meanwhile.
        if sys.platform == "linux" and _opened(file) != str(path):
            raise linked()
    except BaseException:
        file.close()
        raise
    return file


def _opened(file: io.FileIO) -> str:
    """The path of a file as the kernel knows it, whatever led there."""
    return os.readlink(f"/proc/self/fd/{file.fileno()}").removesuffix(" (deleted)")


def linked() -> JobError:
    """The path is not that of the file itself."""
    return JobError(
        "WrongFormat",
        "the path of the source leads through a symbolic link, and links are not followed",
        "put the file itself there, or create a Dataset with the path that the link leads to",
    )


def temporary_siblings(path: Path) -> list[Path]:
    """What an interrupted job may have left beside ``path``."""
    if not path.parent.is_dir():
        return []
    prefix = f".{path.name}."
    return sorted(
        sibling
        for sibling in path.parent.iterdir()
        if sibling.name.startswith(prefix) and sibling.name.endswith(".part")
    )


def _remove_siblings(path: Path) -> None:
    for left in temporary_siblings(path):
        left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
