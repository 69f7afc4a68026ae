"""What /healthz and /readyz answer: the truth about this process, and why.

Healthy is who can do his work: the event loop is in time, no key waits for ever, and every watch
is heard. A quiet cluster is no silent watch: the API server sends a bookmark each minute. Ready is
who is healthy and has seen everything once. A follower is ready: it watches, too.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from weakref import WeakValueDictionary

import aiohttp

LAG_LIMIT: Final = 5.0
AGE_LIMIT: Final = 300.0
SILENCE_LIMIT: Final = 180.0
_TICK: Final = 1.0


class LoopLag:
    """Measures by how much the event loop is late.

    The loop's own clock will not do: uvloop reads it once per turn.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0
        self._clock = clock

    async def run(self, each_tick: Callable[[], None]) -> None:
        """Measure once a second, until cancelled."""
        while True:
            start = self._clock()
            await asyncio.sleep(_TICK)
            self.seconds = max(0.0, self._clock() - start - _TICK)
            each_tick()


class WatchAges:
    """When each watch was last heard: an event, a bookmark, or an answer to a new request.

    Kopf hands on events only, so the bytes of the responses are counted below it.
    """

    def __init__(self, expected: Iterable[str]) -> None:
        """Expect these paths to be watched; each counts as heard now."""
        self._heard: dict[str, float | None] = dict.fromkeys(expected)
        self._responses: WeakValueDictionary[str, aiohttp.ClientResponse] = WeakValueDictionary()
        self._bytes: dict[str, int] = {}
        self._since = asyncio.get_running_loop().time()

    def opened(self, path: str, response: aiohttp.ClientResponse) -> None:
        """A watch was answered."""
        if path in self._heard:
            self._heard[path] = asyncio.get_running_loop().time()
            self._responses[path] = response
            self._bytes[path] = 0

    def sample(self) -> None:
        """Note which watches have received something since the last time."""
        now = asyncio.get_running_loop().time()
        for path, response in list(self._responses.items()):
            received = response.content.total_bytes
            if received != self._bytes[path]:
                self._bytes[path] = received
                self._heard[path] = now

    def ages(self) -> Mapping[str, float]:
        """Seconds since each watch was heard, or since the start where it never was."""
        now = asyncio.get_running_loop().time()
        return {
            path: now - (self._since if heard is None else heard)
            for path, heard in self._heard.items()
        }

    def missing(self) -> tuple[str, ...]:
        """Paths of which the watch has not begun yet: they are still being listed."""
        return tuple(path for path, heard in self._heard.items() if heard is None)


class Health:
    """Judges the states of a process."""

    def __init__(
        self,
        *,
        loop_lag: Callable[[], float],
        queue_age: Callable[[], float],
        watches: WatchAges,
    ) -> None:
        """Judge these.

        Args:
            loop_lag: Seconds by which the event loop was last late.
            queue_age: Seconds that the oldest key has waited for a worker.
            watches: When each watch was last heard.
        """
        self._loop_lag = loop_lag
        self._queue_age = queue_age
        self._watches = watches
        self.stopping = False

    def faults(self) -> list[str]:
        """Why this process cannot do its work; nothing where it can."""
        faults = []
        lag = self._loop_lag()
        if lag > LAG_LIMIT:
            faults.append(f"the event loop is {lag:.1f} s late")
        age = self._queue_age()
        if age > AGE_LIMIT:
            faults.append(f"the oldest resource has waited {math.floor(age)} s for a worker")
        faults.extend(
            f"the watch of {path} has been silent for {math.floor(silence)} s"
            for path, silence in self._watches.ages().items()
            if silence > SILENCE_LIMIT
        )
        return faults

    def obstacles(self) -> list[str]:
        """Why this process is not ready; nothing where it is."""
        obstacles = [*self.faults()]
        obstacles.extend(f"{path} is still being listed" for path in self._watches.missing())
        if self.stopping:
            obstacles.append("the operator is stopping")
        return obstacles
