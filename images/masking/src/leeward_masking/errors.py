"""Why a job fails. One exception; its text names file, row and column, and never a value.

Texts of Polars, of the operating system and of codecs are never passed on: they quote data. Where a
row or a column is to be named, the reader looks again at the block and finds it itself.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from leeward.formats.result import ErrorCode, ResultError
from leeward.formats.sealed import NoKeyForFile, NotSealed, SealedError, UnsupportedVersion

SOURCE: Final = "the source"
"""What the file that is read is called in messages."""
OUTPUT: Final = "the output"
"""And the one that is written."""
_UNAVAILABLE: Final = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.EREMOTEIO,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.ESHUTDOWN,
        errno.ENODEV,
        errno.ENXIO,
    }
)
"""What the kernel says of a disk, or of the way to a server, that is away or broken."""
_REMEDY: Final = re.compile(r"[:;] ((?:use|copy|check) [^:;]*)$")
_SHOWN: Final = 100
"""Characters of the name of a file."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block of rows begins.

    Attributes:
        row: Number of its first row in the file, from 1; a CSV header is not counted.
        file: Name of the file, where the source has several; empty: it is the only one.
    """

    row: int = 1
    file: str = ""


FIRST: Final = Place()
"""The first row of the only file."""


class JobError(Exception):
    """A failure that the result reports.

    Attributes:
        code: Stable name of the failure.
        remedy: What to do.
        row: Row of the data, from 1; a CSV header is not counted. Of a source of several files:
            row of the file that the message names.
        key_ids: Keys that a sealed file names, where the pod has none of them.
        file: Which of several files the message names.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        remedy: str,
        *,
        row: int | None = None,
        column: str | None = None,
        key_ids: list[str] | None = None,
        file: str = "",
    ) -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.remedy: Final = remedy
        self.row: Final = row
        self.column: Final = column
        self.key_ids: Final = key_ids or []
        self.file: Final = file

    def with_note(self, note: str, *, file: str = "") -> "JobError":
        """The same, with something more said in brackets.

        Args:
            note: What is said.
            file: Which file that names.
        """
        return JobError(
            self.code,
            f"{self.message} ({note})",
            self.remedy,
            row=self.row,
            column=self.column,
            key_ids=self.key_ids,
            file=file or self.file,
        )

    def in_block(self, place: Place) -> "JobError":
        """The same, where its row was counted from the first one of a block.

        Args:
            place: Where the block begins.
        """
        error = self
        if self.row is not None:
            row = place.row + self.row - 1
            error = self.at_row(row, f"row {row}")
        return error.in_file(place.file)

    def in_file(self, name: str) -> "JobError":
        """The same with the name of the file, once; empty: it is the only one, and is not named."""
        if not name or self.file:
            return self
        return self.with_note(f"in file {name[:_SHOWN]}", file=name)

    def at_row(self, row: int, where: str = "") -> "JobError":
        """The same at another row of the data.

        Args:
            row: The row, from 1.
            where: What stands before the message; empty: nothing.
        """
        message = f"{where}: {self.message}" if where else self.message
        return JobError(
            self.code, message, self.remedy, row=row, column=self.column, key_ids=self.key_ids
        )

    def result(self) -> ResultError:
        """The same as a document."""
        return ResultError(
            code=self.code,
            message=self.message[:1024],
            remedy=self.remedy[:512],
            row=self.row,
            column=self.column,
            key_ids=self.key_ids,
        )


def internal(error: BaseException) -> JobError:
    """What nobody foresaw: only the type of the exception is told, its text may quote data."""
    return JobError(
        "Internal",
        f"the masking program failed with {type(error).__name__}",
        "run the job again; if it fails again, report it with the version of the image",
    )


def interrupted() -> JobError:
    """The pod was asked to stop."""
    return JobError(
        "Interrupted", "the pod was stopped before it was done", "the job is started again"
    )


def from_os_error(error: OSError, what: str) -> JobError:
    """A failure of the volume that holds ``what`` ("the source", "the output")."""
    number = error.errno
    name = errno.errorcode.get(number or 0, "unknown error")
    if number in (errno.ENOSPC, errno.EDQUOT):
        return JobError(
            "VolumeFull",
            f"the volume of {what} is full",
            "free space on the volume, or give the claim more storage",
        )
    if number == errno.EROFS:
        return JobError(
            "VolumeReadOnly",
            f"the volume of {what} is read-only",
            "name a claim that can be written",
        )
    if number in (errno.EACCES, errno.EPERM):
        return _refused(what, name)
    if what == OUTPUT and number in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return JobError(
            "OutputPathTaken",
            f"something else stands where the output, or its folder, is to be ({name})",
            "move it away, or name another path of the output",
        )
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return JobError(
            "FileMissing",
            f"{what} is not there, or is not a file",
            "put the file at the Dataset's path on the volume",
        )
    if number in _UNAVAILABLE:
        return JobError(
            "VolumeUnavailable",
            f"the volume of {what} fails, or is away ({name})",
            "it is tried again; if it goes on, look after the disk or the server behind the claim,"
            " and whether it is still mounted on the node of the pod",
        )
    return JobError(
        "Internal",
        f"the volume of {what} failed ({name})",
        "check the volume and its storage class",
    )


def _refused(what: str, name: str) -> JobError:
    """Permissions: the pod runs as user and group 65532, which is also its fsGroup."""
    if what == SOURCE:
        return JobError(
            "SourceUnreadable",
            f"the pod may not read the file of the source ({name})",
            "let user or group 65532 read the file and enter its folders: chgrp -R 65532 and chmod"
            " -R g+rX; where the volume does not apply fsGroup, that is not done by itself",
        )
    return JobError(
        "OutputNotWritable",
        f"the pod may not write the folder of {what} ({name})",
        "let user or group 65532 write the folder: chgrp 65532 and chmod g+rwx; where the volume"
        " does not apply fsGroup, that is not done by itself",
    )


def from_sealed_error(error: SealedError, what: str, key_ids: list[str]) -> JobError:
    """A sealed file that does not open; texts of the sealed format hold ids and offsets only."""
    if isinstance(error, NoKeyForFile):
        return JobError(
            "SealedWithOtherKey",
            f"{what} is sealed with other keys than the one the pod was given",
            "seal the file to the Dataset's public key, or let the Dataset name the key it has",
            key_ids=key_ids,
        )
    if isinstance(error, NotSealed):
        return JobError(
            "NotSealed",
            f"{what} is not a sealed file of format LWE1",
            "seal it with `leeward seal --to`, or create another Dataset, without sealedWith, for"
            " a plain file",
        )
    if isinstance(error, UnsupportedVersion):
        fault, _ = _in_two(error)
        return JobError("WrongFormat", f"{what}: {fault}", "use a later image, or seal it again")
    fault, remedy = _in_two(error)
    return JobError("Tampered", f"{what}: {fault}", remedy or "use an intact copy of the file")


def _in_two(error: SealedError) -> tuple[str, str]:
    """What is wrong, and what to do, which stands behind it in texts of the sealed format."""
    found = _REMEDY.search(str(error))
    return (str(error)[: found.start()], found[1]) if found else (str(error), "")


@contextmanager
def in_file(name: str) -> Iterator[None]:
    """Name the file in errors; see ``JobError.in_file``."""
    try:
        yield
    except JobError as error:
        raise error.in_file(name) from None


@contextmanager
def volume(what: str, errors: type[OSError] = OSError) -> Iterator[None]:
    """Turn what the operating system says about ``what`` into a ``JobError``."""
    try:
        yield
    except errors as error:
        raise from_os_error(error, what) from None
