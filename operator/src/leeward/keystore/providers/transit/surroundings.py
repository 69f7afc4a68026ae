"""What a Transit provider is given: time, chance, limits, and where credentials come from."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from leeward.keystore.providers.transit.config import SecretValue


@dataclass(frozen=True, slots=True)
class Pace:
    """Time and chance.

    Attributes:
        monotonic: Seconds on a clock that never jumps.
        sleep: Waits for so many seconds.
        unit_random: A number from 0 to 1, to spread attempts.
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    unit_random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often, how much.

    Attributes:
        request: Seconds for one request, from connecting to the last byte.
        deadline: Seconds for all attempts of one request together.
        backoff: Seconds before the second attempt, at most; doubled with each one.
        longest_backoff: Seconds between two attempts, at most.
        cool_down: Seconds after a failed request in which no other is made: of a server that is
            down only the first caller waits for the deadline.
        body: Bytes of an answer, at most.
        connections: Connections at once.
    """

    request: float = 5.0
    deadline: float = 12.0
    backoff: float = 0.2
    longest_backoff: float = 3.0
    cool_down: float = 5.0
    body: int = 256 * 1024
    connections: int = 16


@dataclass(frozen=True, slots=True)
class Sources:
    """Where credentials, and what is known of keys, come from.

    Attributes:
        secret: Reads a value of a Secret; None: it is not there. May raise ``ProviderError``.
        service_account_token: Reads the operator's own token for the server; None: there is none.
        is_unused: Whether nothing is wrapped by the key of that id: only then a Transit key that
            is not there is made.
    """

    secret: Callable[[SecretValue], Awaitable[str | None]]
    service_account_token: Callable[[], Awaitable[str | None]]
    is_unused: Callable[[str], Awaitable[bool]]
