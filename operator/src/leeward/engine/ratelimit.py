"""A token bucket: how many requests a second may go out, and how many at once after a pause."""

import asyncio
import math


class TokenBucket:
    """Leave to send requests, in the order in which it was asked for.

    The generic cell rate algorithm (ITU-T I.371): one number, the time of the next token, stands
    for the whole bucket. It may lie in the future: who finds the bucket empty is told when its
    token will be there, so that waiting costs one timer and no queue.
    """

    def __init__(self, rate: float, burst: int) -> None:
        """Start full.

        Args:
            rate: Requests per second, above 0.
            burst: Requests at once, at least 1.
        """
        if rate <= 0 or burst < 1:
            raise ValueError("rate must be above 0 and burst at least 1")
        self._interval = 1.0 / rate
        self._slack = (burst - 1) * self._interval
        self._next = -math.inf
        self._closed_until = -math.inf
        self._paused = 0.0

    async def acquire(self) -> None:
        """Wait for one token."""
        clock = asyncio.get_running_loop().time
        now = clock()
        turn = max(self._next, max(now - self._slack, self._closed_until) - self._paused)
        self._next = turn + self._interval
        paused = -math.inf
        while paused < self._paused:
            paused = self._paused
            wait = turn + paused - clock()
            if wait > 0:
                await asyncio.sleep(wait)

    def pause(self, seconds: float) -> None:
        """Give out no token for so long (a 429 with Retry-After).

        Turns are told in a time that stands still meanwhile, so those who wait already go on at
        the rate afterwards, and not all at once.
        """
        now = asyncio.get_running_loop().time()
        longer = now + seconds - max(now, self._closed_until)
        if longer > 0:
            self._closed_until = now + seconds
            self._paused += longer
