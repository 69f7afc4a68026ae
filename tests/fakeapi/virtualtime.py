"""An event loop of which the clock jumps to the next timer instead of waiting for it.

An hour of back-off takes no time, and two runs take the same course. For code without sockets.
"""

from __future__ import annotations

import asyncio
import datetime
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class DeadlockError(Exception):
    """Everything waits, and nothing is going to happen."""


class _Jumping(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise DeadlockError
            self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def elapsed() -> float:
    """Seconds of a virtual loop."""
    return asyncio.get_running_loop().time()


def now() -> datetime.datetime:
    """Wall-clock time in a virtual loop."""
    return EPOCH + datetime.timedelta(seconds=elapsed())


def stamp() -> str:
    """The same, in RFC 3339."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")
