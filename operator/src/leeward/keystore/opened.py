"""Versions of vault keys that are open: held in memory, and nowhere else.

Of many that need the same one at once, one opens it: who wraps it may be a server elsewhere.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

HELD: Final = 4096
"""Vault keys held in the clear at most; the least used goes first."""

Slot = tuple[str, str, int]
"""Id of a vault, name of a key, number of a version."""


class OpenedKeys:
    """Holds what was opened."""

    def __init__(self, held: int = HELD) -> None:
        """Hold nothing yet.

        Args:
            held: How many at most.
        """
        self._most = held
        self._held: OrderedDict[Slot, tuple[bytes, bytes]] = OrderedDict()
        self._turns: WeakValueDictionary[Slot, asyncio.Lock] = WeakValueDictionary()

    async def get(self, slot: Slot, digest: bytes, open_: Callable[[], Awaitable[bytes]]) -> bytes:
        """One version in the clear.

        Args:
            slot: Which.
            digest: Of what is stored, so that a damaged one is not hidden by what is held.
            open_: Opens what is stored; what it raises is passed on.
        """
        turn = self._turns.setdefault(slot, asyncio.Lock())
        async with turn:
            held = self._held.get(slot)
            if held is None or held[0] != digest:
                held = self._held[slot] = (digest, await open_())
            self._held.move_to_end(slot)
            if len(self._held) > self._most:
                self._held.popitem(last=False)
            return held[1]

    def forget(self, slot: Slot) -> None:
        """Hold it no longer."""
        self._held.pop(slot, None)
