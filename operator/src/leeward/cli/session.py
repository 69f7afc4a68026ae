"""What a command is given: the cluster, the terminal, the clock, randomness.

Commands take these from the ``Session`` in Typer's context, so a test brings its own.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, Final, Protocol

import typer
from rich.console import Console

from leeward.cli.errors import CliError, UsageError
from leeward.cli.port import Cluster, Target

PLAIN_WIDTH: Final = 4096
"""Columns where the output is no terminal: nothing is cut or wrapped for a program to read."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Clock(Protocol):
    """Time, and waiting."""

    def now(self) -> datetime.datetime:
        """Time of day, UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime.datetime:
        """Time of day, UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def _connect(target: Target) -> Cluster:
    from leeward.cli.cluster import connect

    return connect(target)


def _ask_secret(question: str) -> str | None:
    """Ask at the terminal of this process, also where standard input is data; nothing is shown."""
    import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    return getpass.getpass(question)


def _ask(question: str) -> str | None:
    """Ask at the terminal, on standard error."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline() or None


@dataclass
class Session:
    """Everything outside of a command that it acts on.

    Attributes:
        ask: Asks a question; None where there is no terminal, or at its end.
        ask_secret: The same for a passphrase, which is not shown.
    """

    connect: Callable[[Target], Cluster] = _connect
    clock: Clock = field(default_factory=SystemClock)
    random: Callable[[int], bytes] = os.urandom
    ask: Callable[[str], str | None] = _ask
    ask_secret: Callable[[str], str | None] = _ask_secret

    def confirm(self, question: str) -> None:
        """Have somebody say yes.

        Raises:
            CliError: They said no, or nobody was there to ask.
        """
        try:
            sure = typer.confirm(question, err=True)
        except typer.Abort:
            raise CliError(
                "nobody said yes, so nothing was done", "answer at a terminal, or say --yes"
            ) from None
        if not sure:
            raise CliError("nothing was done")

    @cached_property
    def out(self) -> Console:
        """Standard output: results."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Standard error: progress, notes, errors."""
        return _console(stderr=True)

    @property
    def stdin(self) -> BinaryIO:
        """Standard input, as bytes."""
        return sys.stdin.buffer

    @property
    def stdout(self) -> BinaryIO:
        """Standard output, as bytes."""
        return sys.stdout.buffer


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(
            stderr=stderr, highlight=False, markup=False, emoji=False, width=PLAIN_WIDTH
        )
    return console


def session_of(context: typer.Context) -> Session:
    """The session of this run of the command."""
    session = context.obj
    if not isinstance(session, Session):
        raise TypeError("the command was called without a session")
    return session


def parse_duration(text: str) -> float:
    """Seconds in a duration like those of manifests: 500ms, 30s, 5m, 36h, 90d.

    Raises:
        UsageError: It is something else.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})(ms|s|m|h|d)", text)
    if match is None:
        raise UsageError(f"{text!r} is no duration", "write a number and one unit, as in 30s or 5m")
    return int(match[1]) * _UNITS[match[2]]


def parse_years(text: str) -> float:
    """Years in a lifetime: 90d, 18mo, 12y.

    Raises:
        UsageError: It is something else.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,5})(d|mo|y)", text)
    if match is None:
        raise UsageError(f"{text!r} is no lifetime", "write days, months or years: 90d, 18mo, 12y")
    return int(match[1]) / {"d": 365.25, "mo": 12.0, "y": 1.0}[match[2]]
