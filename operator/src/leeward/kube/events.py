"""Events for users (events.k8s.io/v1): recorded without waiting, repeated ones as a series.

The same event about the same object within ten minutes is counted in one Event, as client-go
does it. Writing is slow on purpose: events are for reading, and the API server has other work.
What cannot be written is dropped: an event is never the only place where something stands.
"""

import asyncio
import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leeward.kube.client import KubeClient
from leeward.kube.errors import NotFoundError, RefusedError
from leeward.kube.resources import ref_of
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import Event, Manifest, ObjectRef

_log = logging.getLogger(__name__)

CONTROLLER: Final = "leeward.dev/operator"
_API_VERSION: Final = "events.k8s.io/v1"
_MANAGER: Final = "leeward-operator"
_NOTE_LIMIT: Final = 1024
_SERIES_SECONDS: Final = 600.0
_SERIES_KEPT: Final = 1000
_BACKLOG: Final = 1000
_PER_SECOND: Final = 10.0


@dataclass(slots=True)
class _Series:
    ref: ObjectRef
    count: int
    last: float


class EventRecorder:
    """Writes events in the background (``engine.ports.Recorder``)."""

    def __init__(
        self,
        client: KubeClient,
        *,
        instance: str,
        now: Callable[[], datetime.datetime],
        random: Callable[[int], bytes],
    ) -> None:
        """Make a recorder; ``run`` writes.

        Args:
            client: The API server.
            instance: Name of this process, as the reporting instance.
            now: Wall-clock time, UTC.
            random: ``random(n)`` yields n random bytes, for names.
        """
        self._client = client
        self._instance = instance[:128]
        self._now = now
        self._random = random
        self._backlog: asyncio.Queue[tuple[Manifest, Event]] = asyncio.Queue(_BACKLOG)
        self._series: dict[tuple[str, str, str, str], _Series] = {}

    def record(self, resource: Manifest, event: Event) -> None:
        """Queue one event about the resource; drop it where too many wait."""
        regarding = {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "name": resource["metadata"]["name"],
            "namespace": resource["metadata"]["namespace"],
            "uid": resource["metadata"]["uid"],
        }
        try:
            self._backlog.put_nowait((regarding, event))
        except asyncio.QueueFull:
            _log.warning("event dropped: too many wait", extra={"reason": event.reason})

    async def run(self) -> None:
        """Write events, a few per second, until cancelled."""
        while True:
            regarding, event = await self._backlog.get()
            try:
                await self._write(regarding, event)
            except (FaultError, RefusedError) as error:
                _log.warning(
                    "event not written", extra={"reason": event.reason, "error": str(error)}
                )
            await asyncio.sleep(1.0 / _PER_SECOND)

    async def flush(self) -> None:
        """Write what waits, without delay: for the end of the process."""
        while not self._backlog.empty():
            await self._write(*self._backlog.get_nowait())

    async def _write(self, regarding: Manifest, event: Event) -> None:
        same = (regarding["uid"], event.type, event.reason, event.message)
        time = asyncio.get_running_loop().time()
        series = self._series.get(same)
        if series is not None and time - series.last < _SERIES_SECONDS:
            series.count += 1
            series.last = time
            patch = {"series": {"count": series.count, "lastObservedTime": self._stamp()}}
            try:
                await self._client.merge_patch(series.ref, patch, _MANAGER)
            except NotFoundError:
                self._series.pop(same, None)  # it has expired: a new one is due
            else:
                return
        made = await self._client.create(self._manifest(regarding, event), _MANAGER)
        self._series.pop(same, None)
        self._series[same] = _Series(ref_of({**made, "apiVersion": _API_VERSION}), 1, time)
        if len(self._series) > _SERIES_KEPT:
            del self._series[next(iter(self._series))]

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _manifest(self, regarding: Manifest, event: Event) -> Manifest:
        note = event.message
        while len(note.encode()) > _NOTE_LIMIT:
            note = note[: -max(1, (len(note.encode()) - _NOTE_LIMIT) // 4)]
        return {
            "apiVersion": _API_VERSION,
            "kind": "Event",
            "metadata": {
                "name": f"{regarding['name']}.{self._random(8).hex()}",
                "namespace": regarding["namespace"],
            },
            "eventTime": self._stamp(),
            "type": event.type,
            "reason": event.reason,
            "action": "Reconcile",
            "note": note,
            "regarding": regarding,
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
        }
