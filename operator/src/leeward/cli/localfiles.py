"""Files of this machine that commands read and write; ``-`` is standard input or output."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeVar, cast

from leeward.cli.errors import CliError
from leeward.cli.output import print_raw, printable
from leeward.cli.session import Session

STDIO: Final = Path("-")
_MAX_KEY_FILE: Final = 1 << 20

T = TypeVar("T")


class Readable(Protocol):
    """A file to read from, in pieces."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill up to len(buffer) bytes; 0 at the end, None where there is nothing yet."""
        ...


def shown(path: Path) -> str:
    """What a message calls the file."""
    return "the stream" if path == STDIO else printable(str(path))


def check_source(source: Path) -> None:
    """Refuse a folder where a file is to be read."""
    if source != STDIO and source.is_dir():
        raise CliError(f"{source} is a folder", "name a file in it")


def check_regular(path: Path) -> None:
    """Refuse what cannot be read at any place: folders, pipes and devices.

    Raises:
        CliError: It is one of these.
        OSError: There is no such file, or it cannot be looked at.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise CliError(f"{path} is a folder", "name a file in it")
    if not stat.S_ISREG(mode):
        raise CliError(
            f"{path} is a pipe or a device, not a file", "write it to a file first, and name that"
        )


def check_target(target: Path, *, force: bool, source: Path = STDIO) -> None:
    """Refuse a name that cannot be written, or that is taken unless `force` is said.

    Args:
        target: What is to be written.
        force: Whether it may be written over.
        source: What is read for it: that is never written over.
    """
    if target == STDIO:
        return
    check_folder(target)
    if target.is_dir():
        raise CliError(f"{target} is a folder", "name a file in it with --output")
    if source != STDIO and target.exists() and target.samefile(source):
        raise CliError(
            f"{target} is the file that is read", "name another file with --output for what is made"
        )
    if os.path.lexists(target) and not force:
        raise CliError(
            f"{target} exists already",
            "say --force to write over it, or name another file with --output",
        )


def check_folder(path: Path) -> None:
    """Refuse a file in a folder that there is not."""
    if not path.parent.is_dir():
        raise CliError(f"there is no folder {path.parent}", "make it first, or name another one")


def read_small(session: Session, path: Path) -> bytes:
    """All of a small file (a key, a certificate, a signature), or of standard input.

    Raises:
        CliError: It is a folder, or larger than any such file.
    """
    check_source(path)
    with reading(session, path) as file:
        data = file.read(_MAX_KEY_FILE + 1)
    if len(data) > _MAX_KEY_FILE:
        raise CliError(
            f"{shown(path)} is larger than any key, certificate or signature",
            "name another file: the options may have been mixed up",
        )
    return data


def print_failure(session: Session, path: Path, error: CliError | OSError) -> None:
    """Say on standard error, in one line, why nothing became of one of several files."""
    if isinstance(error, CliError):
        text = f"{error.message}: {error.remedy}".rstrip(": ")
    else:
        text = f"{path}: {error.strerror or type(error).__name__}"
    print_raw(session.err, printable(text))


@contextmanager
def reading(session: Session, source: Path) -> Iterator[Readable]:
    """The file, or standard input, which stays open."""
    if source == STDIO:
        yield cast(Readable, session.stdin)
        return
    with source.open("rb") as file:
        yield file


@contextmanager
def writing_to(target: Path) -> Iterator[None]:
    """Errors of the disk (full, over a quota) with the name of the file that was to be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        what = "standard output" if target == STDIO else str(target)
        left = "throw away what came out" if target == STDIO else "nothing was left there"
        raise CliError(
            f"{what}: {error.strerror or type(error).__name__}",
            f"make room, or name another place with --output, and run it again; {left}",
        ) from None


def into_new_file(
    session: Session, target: Path, work: Callable[[BinaryIO], T], mode: int = 0o600
) -> T:
    """Write a file that takes its name when it is complete and on the disk, or not at all."""
    temporary = target.with_name(f".{target.name}.{session.random(8).hex()}.part")
    try:
        number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        # The name that the user knows, not that of the temporary file.
        raise OSError(error.errno, error.strerror, str(target)) from None
    try:
        with os.fdopen(number, "wb") as file:
            result = work(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return result
