"""Where files lie: what a job asks of a volume, and of a bucket alike."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from leeward.formats.sealed.streams import SeekableFile


class StoredFile(SeekableFile, Protocol):
    """A file that is open for reading: one file until it is closed, whoever puts another there."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill ``buffer`` from ``offset`` on; the position of ``readinto`` stays.

        Returns:
            The bytes read, fewer only at the end of the file.
        """
        ...


class NewFile(Protocol):
    """A file on its way to its name."""

    def write(self, data: memoryview | bytes, /) -> int:
        """Append all of ``data``."""
        ...

    def publish(self, verify: Callable[[SeekableFile], None]) -> int:
        """Give it its name, if ``verify`` is content with what is read back.

        Args:
            verify: Raises where the file is not what was written.

        Returns:
            Its size in bytes.
        """
        ...


class Storage(Protocol):
    """A volume, or a bucket. All raise ``JobError``."""

    def size(self, path: str) -> int | None:
        """Bytes of the file; None: there is none."""
        ...

    def is_folder(self, path: str) -> bool:
        """Whether a folder has that name, so that no file can be read there."""
        ...

    def entries(self, folder: str) -> dict[str, int | None] | None:
        """What stands in a folder, by name: bytes of files, None for all else; None: no folder.

        Args:
            folder: Its path, with a slash at its end.
        """
        ...

    def open(self, path: str) -> AbstractContextManager[StoredFile]:
        """Open a file for reading."""
        ...

    def create(self, path: str) -> AbstractContextManager[NewFile]:
        """A new file, which has its name once it is published, and is gone if it is not.

        What an earlier try of the same job left is removed first.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove the file and what tries to write it left; what is gone already is no error."""
        ...
