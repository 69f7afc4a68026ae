"""Cleans up after jobs that were deleted before they published what they made.

Without a finalizer nobody tells the operator in time, so the leader looks: at its start, now and
then, and soon after a workload went. What is done about each key is a plan (``plans.shared.clean``)
and goes through the same loop as every other plan.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from leeward.engine.errors import EngineError, described
from leeward.engine.steps import Steps
from leeward.keystore.records import UnpublishedKeys
from leeward.kube.errors import RefusedError
from leeward.plans.shared.clean import plan_orphan
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import ArtefactKeyInfo, Context, Manifest, Observed

_log = logging.getLogger(__name__)

_MANAGER: Final = "leeward-sweep"
_SETTLE: Final = 5.0
"""Deletions come in groups: one search a few seconds later serves them all."""


class Sweeper:
    """Looks for keys of artefacts that were never published, of which the owner is gone."""

    def __init__(
        self,
        *,
        unpublished: Callable[[], Awaitable[UnpublishedKeys]],
        steps: Steps,
        context: Callable[[], Context],
        interval: float,
    ) -> None:
        """Make a sweeper; ``run`` sweeps.

        Args:
            unpublished: Lists the keys that may have lost their owner.
            steps: Does what the plan asks for.
            context: What the plan may know.
            interval: Seconds between two searches.
        """
        self._unpublished = unpublished
        self._steps = steps
        self._context = context
        self._interval = interval
        self._wanted = asyncio.Event()
        self._damaged = 0

    @property
    def damaged(self) -> int:
        """How many records of keys the last search could make nothing of."""
        return self._damaged

    def soon(self) -> None:
        """A workload has gone: look before it is time."""
        self._wanted.set()

    async def run(self) -> None:
        """Search now, then again and again, until cancelled."""
        while True:
            await self.sweep()
            try:
                async with asyncio.timeout(self._interval):
                    await self._wanted.wait()
                await asyncio.sleep(_SETTLE)
            except TimeoutError:
                pass
            self._wanted.clear()

    async def sweep(self) -> None:
        """Search once. What fails is found again the next time."""
        try:
            found = await self._unpublished()
        except (FaultError, RefusedError) as error:
            _log.warning("keys could not be listed", extra={"error": str(error)})
            return
        for name in found.damaged:
            _log.error(
                "the record of an artefact key is damaged: restore the Secret from a backup",
                extra={"secret": name},
            )
        self._damaged = len(found.damaged)
        for key in found.keys:
            try:
                await self._settle(key)
            except (FaultError, RefusedError) as error:
                _log.warning(
                    "an unpublished artefact could not be cleaned up yet",
                    extra={"key": key.id, "owner": key.owner, "error": str(error)},
                )
            except Exception as error:  # noqa: BLE001 - one artefact must not keep the others
                _log.error(
                    "cleaning up an unpublished artefact failed",
                    extra={"key": key.id, "owner": key.owner, **described(error)},
                )

    async def _settle(self, key: ArtefactKeyInfo) -> None:
        observed = Observed()
        context = self._context()
        await self._steps.settle(
            lambda: plan_orphan(key, observed, context), observed, _MANAGER, _no_status, _is_gone
        )
        if observed.outcomes:
            _log.info(
                "cleaned up after a workload that was deleted",
                extra={"key": key.id, "owner": key.owner, "namespace": key.namespace},
            )


async def _is_gone() -> None:
    """The owner: only the API server's own word, now, has an orphan planned for."""


async def _no_status(_: Manifest) -> None:
    raise EngineError("the plan of an orphan has no status to write")
