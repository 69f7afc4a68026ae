"""Progress lines with elapsed time, and the one kind of error that a user sees."""

from __future__ import annotations

import sys
import time

_started = time.monotonic()


class ClusterError(Exception):
    """Something is missing or failed; the text says what and what to do."""


def progress(text: str) -> None:
    """Write one progress line with the seconds since the program started to standard error."""
    sys.stderr.write(f"{time.monotonic() - _started:7.1f}s  {text}\n")
    sys.stderr.flush()


def result(text: str) -> None:
    """Write what the user asked for to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def elapsed() -> float:
    """Return seconds since the program started."""
    return time.monotonic() - _started
