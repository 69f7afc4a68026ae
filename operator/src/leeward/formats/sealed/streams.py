"""The few things that the format asks of the files handed to it."""

from __future__ import annotations

import io
import os
import sys
from typing import Protocol

from leeward.formats.sealed.errors import SealedError


class ByteSource(Protocol):
    """Something to read from: a file, a pipe, a socket's file."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill up to len(buffer) bytes; 0 at the end."""
        ...


class ByteTarget(Protocol):
    """Something to write to; it need not be seekable."""

    def write(self, data: memoryview | bytes, /) -> int | None:
        """Write, and return how many bytes were taken."""
        ...


class SeekableFile(Protocol):
    """A file for range reads."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill up to len(buffer) bytes; 0 at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, and return the new position."""
        ...


class RewritableFile(SeekableFile, ByteTarget, Protocol):
    """A file for rewrapping in place."""

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        ...


def read_full(source: ByteSource, buffer: memoryview) -> int:
    """Fill `buffer` unless the source ends before; returns the bytes read.

    Raises:
        SealedError: the source is in non-blocking mode and has no data yet.
    """
    filled = 0
    while filled < len(buffer):
        count = source.readinto(buffer[filled:])
        if count is None:
            raise SealedError("the input is in non-blocking mode: give a blocking one")
        if count == 0:
            break
        filled += count
    return filled


def write_all(target: ByteTarget, data: memoryview) -> None:
    """Write all of `data`, also where the target takes it in parts.

    Raises:
        SealedError: the target is in non-blocking mode and takes nothing.
    """
    written = target.write(data)
    while written is not None and written < len(data):
        data = data[written:]
        written = target.write(data)
    if written is None:
        raise SealedError("the output is in non-blocking mode: give a blocking one")


def descriptor(file: object) -> int | None:
    """The file descriptor behind `file`, None where there is none."""
    try:
        return file.fileno() if isinstance(file, io.IOBase) else None
    except io.UnsupportedOperation:
        return None


def sync(file: RewritableFile) -> None:
    """Make what was written durable, where `file` is a real one."""
    file.flush()
    number = descriptor(file)
    if number is None:
        return
    if sys.platform == "linux":
        # Times of the file need not be durable: that saves a commit of the journal each.
        os.fdatasync(number)
    else:
        os.fsync(number)
