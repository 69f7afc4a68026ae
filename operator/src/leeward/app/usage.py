"""Keeps count of what depends on vault keys, and has vaults looked at whose count has changed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from leeward.engine.errors import described
from leeward.keystore.usage import UsageBook
from leeward.kube.errors import RefusedError
from leeward.plans.shared.faults import FaultError

_log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds between two looks at what has changed: one status is written for many artefact keys."""
RECOUNT: Final = 600.0
"""Seconds after which everything is counted anew."""
_RETRY: Final = 30.0


class UsageKeeper:
    """Counts at the start and now and then, for as long as this process leads."""

    def __init__(
        self,
        book: UsageBook,
        count: Callable[[], Awaitable[None]],
        wake: Callable[[str, str], None],
    ) -> None:
        """Make it; ``run`` works.

        Args:
            book: What is counted.
            count: Counts everything anew.
            wake: Has a KeyVault (namespace, name) looked at.
        """
        self._book = book
        self._count = count
        self._wake = wake

    async def run(self) -> None:
        """Count now, then again and again, until cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            if clock() >= due:
                due = clock() + (RECOUNT if await self._counted() else _RETRY)
            for namespace, vault in self._book.outdated():
                self._wake(namespace, vault)
            await asyncio.sleep(LOOK)

    async def _counted(self) -> bool:
        try:
            await self._count()
        except (FaultError, RefusedError) as error:
            _log.warning("artefact keys could not be counted", extra={"error": str(error)})
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator leads on
            _log.error("counting artefact keys failed", extra=described(error))
            return False
        return True
