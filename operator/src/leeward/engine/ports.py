"""What the engine needs from outside, as protocols. ``app.wiring`` supplies them.

Every method may raise a ``FaultError`` (``plans.shared.faults``), which ends the reconcile. What a
plan can act on is returned as an ``Outcome``.
"""

import datetime
from typing import Any, Protocol

from leeward.plans.shared.model import (
    AckResult,
    DeliveriesOf,
    Event,
    KeyAction,
    KeyNeed,
    KeysOf,
    Listing,
    Manifest,
    MarkPod,
    ObjectRef,
    Outcome,
    PodsHolding,
    PodsOf,
    ProgressOf,
    ResultOf,
    SetFinalizer,
)


class Objects(Protocol):
    """API objects, read and written by name."""

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest | None:
        """The object as it is now (fresh), or was a moment ago; None: there is none."""

    def forget(self) -> None:
        """Have whatever is asked for from now on told as it is then, or later."""

    async def listing(self, need: Listing) -> list[Manifest]:
        """Objects that a field selector selects, in any order."""

    async def pods_of(self, need: PodsOf | PodsHolding) -> list[Manifest]:
        """The pods of one Job, with those labels, or that name a Secret; in any order."""

    async def deliveries_of(self, need: DeliveriesOf) -> list[Manifest]:
        """The KeyDeliveries that name a Dataset or a KeyVault."""

    async def apply(self, manifest: Manifest, manager: str) -> Outcome:
        """Server-side apply. Done carries what is there now as its result."""

    async def create(self, manifest: Manifest, manager: str) -> Outcome:
        """Create once. Done also where it was made before, by the same owner."""

    async def delete(
        self, ref: ObjectRef, uid: str | None = None, grace: int | None = None
    ) -> Outcome:
        """Delete with background propagation. Done also where it is gone already.

        Raises:
            StaleWriteError: Another object has that name than the one of this uid.
        """

    async def mark(self, action: MarkPod, manager: str) -> Outcome:
        """Set labels and annotations of a pod. Missing where it does not exist."""

    async def write_status(self, resource: Manifest, status: Manifest, manager: str) -> Manifest:
        """Replace the status of the resource as it was read; return it as it is now.

        Raises:
            StaleWriteError: It has changed since, or is gone.
        """

    async def set_finalizers(self, action: SetFinalizer, manager: str) -> Outcome:
        """Replace the finalizers of a resource.

        Raises:
            StaleWriteError: It has changed since it was seen, or is gone.
        """

    async def patch_status(self, ref: ObjectRef, status: Manifest, manager: str) -> Outcome:
        """Set fields in the status of another resource. Missing where it does not exist."""


class KeyStore(Protocol):
    """Key material: made, wrapped, delivered, destroyed. It never leaves through this port."""

    async def perform(self, action: KeyAction) -> Outcome:
        """Do it; doing it again changes nothing."""

    async def look(self, need: KeyNeed) -> Any:
        """What is known, without material, or None: see ``plans.shared.needs``."""


class Pods(Protocol):
    """HTTP to running pods. A pod that does not answer is no fault: it yields None."""

    async def progress(self, need: ProgressOf) -> Manifest | None:
        """``/progress``, or None without an answer."""

    async def keys(self, need: KeysOf) -> Manifest | None:
        """``/keys``, or None without an answer."""

    async def result(self, need: ResultOf) -> Manifest | None:
        """``/result``, if its digest is right, or None."""

    async def ack(self, action: AckResult) -> Outcome:
        """DELETE ``/result``; Done also where nobody answers: the pod has ended, then."""


class Recorder(Protocol):
    """Events for users. Recording is never waited for and never fails a reconcile."""

    def record(self, resource: Manifest, event: Event) -> None:
        """Queue one event about the resource."""


class Meter(Protocol):
    """Figures of the engine."""

    def reconciled(self, kind: str, outcome: str, seconds: float) -> None:
        """One reconcile ended: ok, gone, stale, transient, denied or error."""


class Clock(Protocol):
    """Wall-clock time. Intervals are measured by the event loop's own monotonic clock."""

    def now(self) -> datetime.datetime:
        """Time now, UTC."""
