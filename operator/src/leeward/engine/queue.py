"""The work queue: which key is reconciled when, by how many at once, and what after a failure.

A key is in the queue at most once, and is worked on by at most one reconcile. A change that comes
in while its reconcile runs makes it run once more. Adding and taking cost O(1); a key that waits
for a time of its own costs O(log n).
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeVar

from leeward.plans.shared.faults import FaultError

K = TypeVar("K", bound=Hashable)

_FAIR_SHARE: Final = 8
"""Every so many keys one of the lower priority is taken, so that it cannot starve."""

_SOON: Final = 60.0
"""A key that is due within so many seconds is polled or retried for somebody who waits."""


class Priority(IntEnum):
    """Who goes first."""

    CHANGE = 0
    """Somebody waits: a change, a retry, a poll."""
    RESYNC = 1
    """Nobody waits: a periodic look, a start."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after a failure: ``base * 2**n`` seconds up to ``limit``, with jitter.

    The jitter takes away up to half, so that what failed together does not come back together.
    """

    base: float = 0.25
    limit: float = 300.0

    def delay(self, failures: int, unit_random: float) -> float:
        """Seconds to wait after so many failures in a row (at least 1).

        Args:
            failures: How many.
            unit_random: A random number in [0, 1).
        """
        full = min(self.limit, self.base * float(2 ** min(failures - 1, 40)))
        return full * (1.0 - 0.5 * unit_random)


@dataclass(slots=True)
class _Item(Generic[K]):
    key: K
    ready_since: float | None = None
    priority: Priority = Priority.RESYNC
    due: float | None = None
    running: bool = False
    again: Priority | None = None
    failures: int = 0
    ticket: int = 0


class WorkQueue(Generic[K]):
    """Runs ``work(key)`` for every key that was added.

    ``work`` returns the seconds after which the key is to be looked at again, or None for never.
    Where it raises, the key comes back with back-off. Times are those of the event loop's clock.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[float | None]],
        *,
        workers: int,
        backoff: Backoff,
        unit_random: Callable[[], float],
    ) -> None:
        """Make a queue that is closed: ``open`` starts the work.

        Args:
            work: What to do with a key.
            workers: How many keys at once.
            backoff: How long to wait after failures.
            unit_random: Random numbers in [0, 1), for the jitter.
        """
        self._work = work
        self._workers = workers
        self._backoff = backoff
        self._random = unit_random
        self._items: dict[K, _Item[K]] = {}
        self._ready: tuple[deque[tuple[int, _Item[K]]], ...] = (deque(), deque())
        self._later: list[tuple[float, int, _Item[K]]] = []
        self._tickets = 0
        self._depth = 0
        self._turn = 0
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._running: set[asyncio.Task[None]] = set()
        self._open = False

    @property
    def depth(self) -> int:
        """How many keys wait for a worker."""
        return self._depth

    @property
    def running(self) -> int:
        """How many keys are being worked on."""
        return len(self._running)

    def oldest_age(self) -> float:
        """For how many seconds the oldest key has waited for a worker; 0 where none waits."""
        heads = [line[0][1].ready_since for line in self._ready if self._skip_stale(line)]
        since = min((head for head in heads if head is not None), default=None)
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def open(self) -> None:
        """Start to work."""
        self._open = True
        self._pump()

    async def close(self, grace: float) -> None:
        """Take no further key, and wait until those being worked on are done.

        What is not done after ``grace`` seconds is cancelled: the next start repairs it.
        """
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def add(self, key: K, priority: Priority = Priority.CHANGE) -> None:
        """Work on the key as soon as a worker is free."""
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = _Item(key)
        if item.running:
            item.again = priority if item.again is None else min(priority, item.again)
        elif item.ready_since is None or priority < item.priority:
            self._make_ready(item, priority)
            self._pump()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on the key in so many seconds, unless it comes up earlier: the earliest wins.

        One that is being worked on comes up again as soon as that is done.
        """
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = _Item(key)
        if item.running:
            item.again = Priority.CHANGE
            return
        self._schedule(item, seconds)
        self._pump()

    def forget(self, key: K) -> None:
        """Drop a key that no longer exists, unless it is being worked on."""
        item = self._items.get(key)
        if item is not None and not item.running:
            self._drop(item)

    def _drop(self, item: _Item[K]) -> None:
        if item.ready_since is not None:
            self._depth -= 1
        item.ready_since = item.due = None
        item.ticket = 0
        del self._items[item.key]

    def _next_ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def _make_ready(self, item: _Item[K], priority: Priority) -> None:
        if item.ready_since is None:
            self._depth += 1
            item.ready_since = asyncio.get_running_loop().time()
        item.priority = priority
        item.due = None
        item.ticket = self._next_ticket()
        self._ready[priority].append((item.ticket, item))

    def _schedule(self, item: _Item[K], seconds: float) -> None:
        due = asyncio.get_running_loop().time() + seconds
        if item.ready_since is not None or (item.due is not None and item.due <= due):
            return
        item.due = due
        item.priority = Priority.CHANGE if seconds < _SOON else Priority.RESYNC
        item.ticket = self._next_ticket()
        if len(self._later) > 2 * len(self._items) + 64:
            self._later = [entry for entry in self._later if entry[1] == entry[2].ticket]
            heapq.heapify(self._later)
        heapq.heappush(self._later, (due, item.ticket, item))

    def _skip_stale(self, line: deque[tuple[int, _Item[K]]]) -> bool:
        while line and line[0][0] != line[0][1].ticket:
            line.popleft()
        return bool(line)

    def _take(self) -> _Item[K] | None:
        changes, resyncs = (self._skip_stale(line) for line in self._ready)
        if not changes and not resyncs:
            return None
        self._turn += 1
        fair = resyncs and self._turn % _FAIR_SHARE == 0
        line = self._ready[Priority.CHANGE if changes and not fair else Priority.RESYNC]
        _, item = line.popleft()
        self._depth -= 1
        item.ready_since = None
        item.ticket = 0
        return item

    def _pump(self) -> None:
        """Start work on what is ready, and set the timer for what is next."""
        if not self._open:
            return
        loop = asyncio.get_running_loop()
        self._promote(loop.time())
        while len(self._running) < self._workers:
            item = self._take()
            if item is None:
                break
            item.running = True
            task = loop.create_task(self._run(item))
            self._running.add(task)
        self._set_timer(loop)

    def _promote(self, now: float) -> None:
        while self._later:
            due, ticket, item = self._later[0]
            if ticket == item.ticket and due > now:
                return
            heapq.heappop(self._later)
            if ticket == item.ticket:
                self._make_ready(item, item.priority)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        first = self._later[0][0] if self._later else None
        if self._timer is not None:
            if self._timer_at == first:
                return
            self._timer.cancel()
            self._timer = None
        if first is not None:
            # Not asked of the handle: uvloop's has no time where that is now.
            self._timer, self._timer_at = loop.call_at(first, self._on_timer), first

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    async def _run(self, item: _Item[K]) -> None:
        after: float | None = None
        try:
            after = await self._work(item.key)
            item.failures = 0
        except asyncio.CancelledError:
            after = 0.0
            raise
        except Exception as error:  # noqa: BLE001 - one key's failure must not end the others
            item.failures += 1
            after = self._after_failure(item.failures, error)
        finally:
            self._done(item, after)

    def _after_failure(self, failures: int, error: Exception) -> float:
        delay = self._backoff.delay(failures, self._random())
        asked = getattr(error, "retry_after", None) if isinstance(error, FaultError) else None
        return max(delay, asked) if asked is not None else delay

    def _done(self, item: _Item[K], after: float | None) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.discard(task)
        item.running = False
        if item.again is not None:
            again, item.again = item.again, None
            self._make_ready(item, again)
        elif after is not None:
            self._schedule(item, after)
        else:
            self._drop(item)
        self._pump()
