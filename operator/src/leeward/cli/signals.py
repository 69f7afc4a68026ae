"""Signals that end a program, as ends that a command can prepare for."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Final

_NAMES: Final = ("SIGTERM", "SIGHUP")
"""Ctrl-C is one already. Not every system has SIGHUP."""


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does, which takes back what it has begun.

    Unhandled they would end the process where it stands. What whoever started the process has had
    ignored (nohup) stays so.
    """
    for number in _known():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _known() -> list[signal.Signals]:
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def _end(number: int, frame: FrameType | None) -> None:
    # Once is enough: another one would cut short what is taken back.
    for known in _known():
        signal.signal(known, signal.SIG_IGN)
    sys.exit(128 + number)
