"""One reconcile: from what is to what should be, level-based, repeatable at any point.

    read the resource -> ask its plan -> look, act, ask again ... -> write the status, prune

Every step may be the last one before a crash. What must survive it stands in the status before
anything is done about it (``WriteStatus``), and a status is written only over the version that was
read: who works on stale news is stopped by the first write.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Key, key_of
from leeward.engine.ports import Objects, Recorder
from leeward.engine.steps import Steps
from leeward.engine.transitions import condition_events
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    Context,
    DeliveriesOf,
    Manifest,
    ObjectRef,
    Observed,
    Plan,
    Planner,
)
from leeward.plans.shared.names import FINALIZER
from leeward.plans.shared.relevance import relevance

_log = logging.getLogger(__name__)

MAX_READS: Final = 3
_FEW: Final = 16
"""Who looks at more KeyDeliveries than these is not woken by each of them."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a reconcile ended.

    Attributes:
        gone: The resource does not exist (any more).
        deleting: It is being deleted, and nothing is to be done for it before.
        requeue_after: Seconds until the plan wants to look again, or None.
        looked_at: Resources of ours that the plan looked at, and digests of what it saw there.
    """

    gone: bool = False
    deleting: bool = False
    requeue_after: float | None = None
    looked_at: Mapping[Key, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """One pass over one resource, as it was read.

    Attributes:
        resource: As its plan is to see it.
        stored: Its status as it is stored: that may list children that are deleted by now.
        sure: Whether it is as it was read: a watch has just shown it, its status was stored over
            that, or it was read again.
    """

    planner: Planner
    manager: str
    resource: Manifest
    first_status: Manifest
    stored: Manifest
    observed: Observed
    sure: bool


class Reconciler:
    """Runs plans against the ports."""

    def __init__(
        self,
        *,
        api_version: str,
        planners: Mapping[str, Planner],
        objects: Objects,
        steps: Steps,
        recorder: Recorder,
        echoes: Echoes,
        context: Callable[[], Context],
        progress_reasons: frozenset[str],
    ) -> None:
        """Join plans and ports.

        Args:
            api_version: Of all our kinds.
            planners: By kind.
            objects: Reads and writes the resource itself.
            steps: Does everything else.
            recorder: Takes events.
            echoes: Remembers status writes.
            context: What plans may know, made anew for each reconcile.
            progress_reasons: See ``transitions.condition_events``.
        """
        self._api_version = api_version
        self._planners = planners
        self._objects = objects
        self._steps = steps
        self._recorder = recorder
        self._echoes = echoes
        self._context = context
        self._progress_reasons = progress_reasons

    def forget(self) -> None:
        """See ``Objects.forget``."""
        self._objects.forget()

    async def reconcile(self, key: Key, body: Manifest | None = None) -> Settled:
        """Bring one resource to where its plan wants it.

        Args:
            key: The resource.
            body: The resource as a watch has just shown it; it saves the first read.

        Raises:
            FaultError: It did not get there now; try again later.
            EngineError: The plan does not settle.
        """
        for _ in range(MAX_READS):
            shown = body is not None
            resource = body if body is not None else await self._read(key)
            body = None
            if resource is None:
                return Settled(gone=True)
            metadata = resource["metadata"]
            if self._echoes.is_unseen(key, metadata["resourceVersion"]):
                self.forget()  # who changed it may have changed more before
            if metadata.get("deletionTimestamp") and FINALIZER not in metadata.get(
                "finalizers", ()
            ):
                return Settled(deleting=True)
            try:
                return await self._settle(key, resource, shown=shown)
            except StaleWriteError:
                self.forget()
                _log.debug("stale", extra={"object": key._asdict()})
        raise StaleWriteError(f"{key.kind} changed {MAX_READS} times while it was reconciled")

    async def _read(self, key: Key, *, fresh: bool = False) -> Manifest | None:
        ref = ObjectRef(self._api_version, key.kind, key.namespace, key.name)
        return await self._objects.get(ref, fresh=fresh)

    async def _settle(self, key: Key, resource: Manifest, *, shown: bool) -> Settled:
        planner = self._planners[key.kind]
        run = _Run(
            planner=planner,
            manager=f"leeward-{key.kind.lower()}",
            resource=resource,
            first_status=resource.get("status", {}),
            stored=resource.get("status", {}),
            observed=Observed(),
            sure=shown,
        )
        context = self._context()
        plan = await self._steps.settle(
            lambda: planner.plan(run.resource, run.observed, context),
            run.observed,
            run.manager,
            lambda status: self._write_status(run, status, last=False),
            lambda: self._confirm(key, run),
        )
        await self._write_status(run, plan.status, last=True)
        self._announce(run, plan)
        return Settled(requeue_after=plan.requeue_after, looked_at=self._looked_at(key, run))

    async def _confirm(self, key: Key, run: _Run) -> None:
        """See once that the resource is still as it was read.

        Raises:
            StaleWriteError: It is not, or is gone.
        """
        if run.sure:
            return
        found = await self._read(key, fresh=True)
        version = found["metadata"]["resourceVersion"] if found else None
        if version != run.resource["metadata"]["resourceVersion"]:
            raise StaleWriteError(f"{key.kind} changed before anything was done for it")
        run.sure = True

    def _looked_at(self, key: Key, run: _Run) -> dict[Key, int]:
        """Resources of ours that decided what the plan said."""
        found: dict[Key, int] = {}
        for need, seen in run.observed.seen.items():
            if isinstance(need, ObjectRef) and need.api_version == self._api_version:
                found[Key(need.kind, need.namespace, need.name)] = relevance(key.kind, seen)
            elif isinstance(need, DeliveriesOf) and len(seen) <= _FEW:
                found |= {key_of(delivery): relevance(key.kind, delivery) for delivery in seen}
        return found

    async def _write_status(self, run: _Run, status: Manifest, *, last: bool) -> None:
        """Write the status if it differs, and delete the children that it no longer lists.

        First the status is stored with those children still in it, then they are deleted, then
        the list is put right: a crash in between neither loses what the status has to say (the
        result of a Job that is deleted now) nor a child that is still there. Where the reconcile
        goes on, the list is put right by the next status that it stores.
        """
        lost = self._lost_children(run.resource, status)
        if lost:
            listed = [*status.get("children", ()), *lost.values()]
            await self._store_status(run, {**status, "children": listed})
            kept = [record for ref, record in lost.items() if not await self._prune(ref)]
            if kept:
                status = {**status, "children": [*status.get("children", ()), *kept]}
            if not last:
                run.resource = {**run.resource, "status": status}
                return
        await self._store_status(run, status)

    async def _store_status(self, run: _Run, status: Manifest) -> None:
        if status == run.stored:
            return
        run.resource = await self._objects.write_status(run.resource, status, run.manager)
        run.stored = run.resource.get("status", {})
        run.sure = True
        self._echoes.wrote_own(key_of(run.resource), run.resource["metadata"]["resourceVersion"])

    def _lost_children(self, resource: Manifest, status: Manifest) -> dict[ObjectRef, Manifest]:
        """Records of children to delete.

        Nothing outside the resource's namespace, wrapped keys above all, and nothing of our own
        kinds: a published Dataset outlives the job that made it.
        """
        namespace = resource["metadata"]["namespace"]
        listed = _children(status)
        return {
            ref: record
            for ref, record in _children(resource.get("status", {})).items()
            if ref not in listed
            and ref.namespace == namespace
            and ref.api_version != self._api_version
        }

    async def _prune(self, ref: ObjectRef) -> bool:
        outcome = await self._objects.delete(ref)
        if outcome.code != "Done":
            _log.warning(
                "a child could not be removed",
                extra={"child": f"{ref.kind}/{ref.name}", "outcome": outcome.code},
            )
        return outcome.code == "Done"

    def _announce(self, run: _Run, plan: Plan) -> None:
        events = condition_events(
            run.first_status,
            plan.status,
            workload=run.planner.kind.is_workload,
            progress=self._progress_reasons,
        )
        for event in (*events, *plan.events):
            self._recorder.record(run.resource, event)


def _children(status: Manifest) -> dict[ObjectRef, Manifest]:
    records: list[dict[str, Any]] = status.get("children", [])
    return {ObjectRef(r["apiVersion"], r["kind"], r["namespace"], r["name"]): r for r in records}
