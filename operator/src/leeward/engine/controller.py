"""Joins watches, queue and reconciler: what is seen becomes work, what is done becomes figures.

A follower sees everything and does nothing: it keeps the inventory, so that the first thing a new
leader does is to reconcile, not to list.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leeward.engine.echoes import Echoes
from leeward.engine.errors import described
from leeward.engine.inventory import Inventory, Key, key_of
from leeward.engine.ports import Meter
from leeward.engine.queue import Backoff, Priority, WorkQueue
from leeward.engine.reconciler import Reconciler, Settled
from leeward.engine.references import References
from leeward.plans.shared.faults import DeniedError, FaultError, StaleWriteError, TransientError
from leeward.plans.shared.model import Manifest
from leeward.plans.shared.relevance import relevance

_log = logging.getLogger(__name__)

_TOGETHER: Final = 0.05
"""Seconds that children which change have for company: a Job and its pod change together."""


@dataclass(slots=True)
class _Meanwhile:
    """What changed while a resource was reconciled.

    Attributes:
        shown: The resource itself, as watches showed it: an own write, perhaps, of which the answer
            was still under way.
        children: (kind, resourceVersion) of its children.
        seen: Other resources, and digests of them: what its plan may have seen, or not yet.
    """

    shown: list[Manifest] = field(default_factory=list)
    children: list[tuple[str, str]] = field(default_factory=list)
    seen: list[tuple[Key, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much and how often.

    Attributes:
        workers: Reconciles at once.
        resync: Seconds after which each key is looked at again, whatever happens; a tenth less or
            more, so that they spread.
        backoff: After failures.
        bodies: How many bodies from watches are kept for keys that wait. Beyond, the resource is
            read again: a restart over ten thousand resources must not hold them all.
    """

    workers: int = 24
    resync: float = 3600.0
    backoff: Backoff = field(default_factory=Backoff)
    bodies: int = 4000


class Controller:
    """The control loop of one process."""

    def __init__(
        self,
        *,
        reconciler: Reconciler,
        echoes: Echoes,
        meter: Meter,
        pace: Pace,
        unit_random: Callable[[], float],
        on_gone: Callable[[Key], None],
    ) -> None:
        """Make a follower.

        Args:
            reconciler: What to do with a key.
            echoes: Versions that this process wrote.
            meter: Takes figures.
            pace: How much and how often.
            unit_random: Random numbers in [0, 1).
            on_gone: Called for each resource that was deleted.
        """
        self._reconciler = reconciler
        self._echoes = echoes
        self._meter = meter
        self._pace = pace
        self._random = unit_random
        self._on_gone = on_gone
        self._references = References()
        self._bodies: dict[Key, Manifest] = {}
        self._during: dict[Key, _Meanwhile] = {}
        self._leads = False
        self.inventory = Inventory()
        self.queue: WorkQueue[Key] = WorkQueue(
            self._work, workers=pace.workers, backoff=pace.backoff, unit_random=unit_random
        )

    @property
    def leads(self) -> bool:
        """Whether this process acts on what it sees."""
        return self._leads

    def lead(self) -> None:
        """Begin to act: reconcile everything that is known, then whatever changes."""
        self._leads = True
        for key in self.inventory:
            self.queue.add(key, self._priority(key))
        self.queue.open()

    async def stop(self, grace: float) -> None:
        """Take up nothing new, and let running reconciles end within so many seconds."""
        self._leads = False
        await self.queue.close(grace)

    def saw(self, body: Manifest, *, listed: bool) -> None:
        """A resource of ours was listed, made or changed.

        Args:
            body: The resource.
            listed: Whether it was there before the watch began.
        """
        key = key_of(body)
        self.inventory.put(key, body)
        if not self._leads:
            return
        version = body["metadata"]["resourceVersion"]
        self._echoes.shown(key, version)
        during = self._during.get(key)
        if during is None or self._echoes.is_echo(key.kind, version):
            self._judge(key, body, listed=listed)
        else:
            during.shown.append(body)

    def _judge(self, key: Key, body: Manifest, *, listed: bool) -> None:
        """Tell an own write from a change by somebody else."""
        if not self._echoes.is_echo(key.kind, body["metadata"]["resourceVersion"]):
            self._take(key, body, listed=listed)
        elif not listed:
            self._wake_dependants(key, body)

    def _take(self, key: Key, body: Manifest, *, listed: bool) -> None:
        """Somebody else changed a resource: have it reconciled, and those that it matters to."""
        # What he had changed before that is seen from now on, in whatever order watches show it:
        # he may have taken a grant back, and then made a workload.
        self._reconciler.forget()
        if not listed:
            self._wake_dependants(key, body)
        self._bodies.pop(key, None)
        version = body["metadata"]["resourceVersion"]
        if len(self._bodies) < self._pace.bodies and self._echoes.is_news(key, version):
            self._bodies[key] = body
        self.queue.add(key, self._priority(key) if listed else Priority.CHANGE)

    def saw_gone(self, body: Manifest) -> None:
        """A resource of ours was deleted."""
        key = key_of(body)
        self.queue.forget(key)
        self._forget(key)

    def _forget(self, key: Key) -> None:
        self.inventory.remove(key)
        self._references.remove(key)
        self._bodies.pop(key, None)
        self._echoes.forget(key)
        if self._leads:
            self._reconciler.forget()
            self._wake_dependants(key, None)
            self._on_gone(key)

    def saw_child(self, owner: Key, child: Manifest) -> None:
        """A child of a resource of ours was made, changed or deleted."""
        if not self._leads or owner not in self.inventory:
            return
        kind, version = child["kind"], child["metadata"]["resourceVersion"]
        if self._echoes.is_echo(kind, version):
            return
        during = self._during.get(owner)
        if during is None:
            self.queue.add_after(owner, _TOGETHER)
        else:
            during.children.append((kind, version))

    def look_again(self, key: Key) -> None:
        """What the plan of a resource looks at has changed, other than a resource."""
        if self._leads and key in self.inventory:
            self.queue.add(key, Priority.RESYNC)

    def _priority(self, key: Key) -> Priority:
        """Of a key that is looked at because a process begins to lead, or to watch."""
        return Priority.CHANGE if self.inventory.awaits(key) else Priority.RESYNC

    def _wake_dependants(self, key: Key, body: Manifest | None) -> None:
        """Wake those to whom it matters; for one that is being worked on, that is told at the end.

        Args:
            key: What changed.
            body: As it is now; None: it is gone.
        """
        digests: dict[str, int] = {}
        for dependant in self._references.dependants(key):
            if dependant.kind not in digests:
                digests[dependant.kind] = relevance(dependant.kind, body)
            digest = digests[dependant.kind]
            during = self._during.get(dependant)
            if during is not None:
                during.seen.append((key, digest))
            elif self._references.seen(dependant, key) != digest:
                self.queue.add(dependant, Priority.CHANGE)

    async def _work(self, key: Key) -> float | None:
        body = self._bodies.pop(key, None)
        if body is not None and not self._echoes.is_news(key, body["metadata"]["resourceVersion"]):
            body = None
        during = self._during[key] = _Meanwhile()
        settled: Settled | None = None
        clock = asyncio.get_running_loop().time
        start = clock()
        outcome = "error"
        try:
            settled = await self._reconciler.reconcile(key, body)
            outcome = "gone" if settled.gone or settled.deleting else "ok"
        except FaultError as fault:
            outcome = _outcome_of(fault)
            _log.warning(
                "reconcile put off",
                extra={"object": key._asdict(), "outcome": outcome, "reason": str(fault)},
            )
            raise
        except Exception as error:
            _log.error("reconcile failed", extra={"object": key._asdict(), **described(error)})
            raise
        finally:
            del self._during[key]
            for shown in during.shown:
                self._judge(key, shown, listed=False)
            if self._is_news(during, settled):
                self.queue.add(key)
            self._meter.reconciled(key.kind, outcome, clock() - start)
        if settled.gone and key in self.inventory:
            self._forget(key)  # it went while nobody watched
        if settled.gone or settled.deleting:
            return None
        self._references.set(key, settled.looked_at)
        resync = self._pace.resync * (0.9 + 0.2 * self._random())
        return resync if settled.requeue_after is None else min(resync, settled.requeue_after)

    def _is_news(self, during: _Meanwhile, settled: Settled | None) -> bool:
        """Whether something changed meanwhile that it did not write, and may not have seen."""
        if any(not self._echoes.is_echo(*version) for version in during.children):
            return True
        looked_at = settled.looked_at if settled else {}
        return any(looked_at.get(target) != digest for target, digest in during.seen)


def _outcome_of(fault: FaultError) -> str:
    match fault:
        case TransientError():
            return "transient"
        case StaleWriteError():
            return "stale"
        case DeniedError():
            return "denied"
    return "error"
