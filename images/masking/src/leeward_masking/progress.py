"""How far a job is, for /progress and /metrics."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from leeward.formats.progress import ProgressReport
from leeward_masking.errors import interrupted

_WARM_UP: Final = 0.5
"""Seconds of work before an estimate is given."""


class Told(Protocol):
    """Who is told how far a piece of work is."""

    def advance(self, done: int) -> None:
        """So much of it is done.

        Raises:
            JobError: ``Interrupted``: the pod is to stop.
        """
        ...

    def check(self) -> None:
        """Go on only while nobody asked to stop.

        Raises:
            JobError: ``Interrupted``.
        """
        ...


class Progress:
    """Shared by the thread that works and those that tell; also carries the request to stop.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._done = 0
        self._total = 0
        self._unit = "starting"
        self._result_digest: str | None = None
        self._began = clock()

    def begin(self, unit: str, total: int = 0) -> None:
        """Another phase begins."""
        with self._lock:
            self._unit, self._total, self._done = unit, total, 0
            self._began = self._clock()

    def advance(self, done: int) -> None:
        """So much of it is done.

        Raises:
            JobError: ``Interrupted``: the pod is to stop.
        """
        with self._lock:
            self._done = done
        self.check()

    def deliver(self, digest: str) -> None:
        """The work is done, and a result with that digest waits to be taken over."""
        with self._lock:
            self._result_digest = digest

    def check(self) -> None:
        """Go on only while nobody asked to stop.

        Raises:
            JobError: ``Interrupted``.
        """
        if self._stop.is_set():
            raise interrupted()

    def stop(self) -> None:
        """Ask the thread that works to stop."""
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Wait, unless the pod is to stop.

        Raises:
            JobError: ``Interrupted``.
        """
        self._stop.wait(seconds)
        self.check()

    def report(self) -> ProgressReport:
        """The answer to GET /progress."""
        with self._lock:
            elapsed = self._clock() - self._began
            eta = None
            if 0 < self._done <= self._total and elapsed > _WARM_UP:
                eta = round(elapsed * (self._total - self._done) / self._done)
            return ProgressReport(
                done=self._done,
                total=self._total,
                unit=self._unit,
                eta_seconds=eta,
                result_digest=self._result_digest,
            )
