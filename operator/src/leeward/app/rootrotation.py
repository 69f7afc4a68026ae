"""Carries out rotations of the root key, for as long as this process leads."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from leeward.engine.errors import described
from leeward.keystore.rootrotation import RotationProgress
from leeward.kube.errors import RefusedError
from leeward.plans.shared.faults import FaultError

_log = logging.getLogger(__name__)

LOOK: Final = 60.0
"""Seconds between two looks for a request."""

WORK: Final = 15.0
"""Seconds between two rounds of a rotation that is under way."""


class RootKeyRotator:
    """Looks for requests, and does a round of work after the other until nothing is left."""

    def __init__(self, step: Callable[[], Awaitable[RotationProgress]]) -> None:
        """Make it; ``run`` works.

        Args:
            step: Does one round (``keystore.rootrotation.RootKeyRotation.step``).
        """
        self._step = step
        self._stuck: tuple[str, ...] = ()

    @property
    def stuck(self) -> tuple[str, ...]:
        """Secrets of keysets that hold the last round up."""
        return self._stuck

    async def run(self) -> None:
        """Look now, then again and again, until cancelled."""
        while True:
            more = await self.round()
            await asyncio.sleep(WORK if more else LOOK)

    async def round(self) -> bool:
        """One round; whether there is more to do soon. What fails is tried again."""
        try:
            progress = await self._step()
        except (FaultError, RefusedError) as error:
            _log.warning("the root key could not be looked after", extra={"error": str(error)})
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator leads on
            _log.error("looking after the root key failed", extra=described(error))
            return False
        self._stuck = progress.stuck
        return progress.under_way
