"""Leader election by a Lease (coordination.k8s.io/v1).

Whether somebody else's lease has run out is judged by how long this process has seen it unchanged
on its own monotonic clock: clocks of machines may differ. A holder gives up before others may take
over: it has ``renew_deadline`` seconds to renew, they wait ``duration``. Its seconds count from the
moment in which the last request that succeeded was sent, which no other process can have seen
earlier; a request that hangs does not lengthen them. It releases on stop, so that the next one
starts at once. The lease keeps two leaders from doing the same work; it is not
what keeps that work from being done twice: that is compare-and-swap.
"""

import asyncio
import contextlib
import datetime
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from leeward.kube.client import JSON, KubeClient
from leeward.kube.errors import AlreadyExistsError, NotFoundError, RefusedError
from leeward.kube.resources import collection_path, object_path
from leeward.plans.shared.faults import FaultError, StaleWriteError
from leeward.plans.shared.model import Manifest, ObjectRef

_log = logging.getLogger(__name__)

_API_VERSION: Final = "coordination.k8s.io/v1"


class LeaseLostError(Exception):
    """This process led, and could not renew in time: it must not act any more."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds.

    Attributes:
        duration: After so long without renewal others may take over.
        renew_deadline: After so long without renewal the holder gives up; below ``duration``.
        retry: Between two attempts to take or renew; below ``renew_deadline``.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError("lease times: retry < renew deadline < duration is required")


class LeaderLease:
    """One candidate for the leadership."""

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes,
        now: Callable[[], datetime.datetime],
        elapsed: Callable[[], float],
    ) -> None:
        """Make a candidate.

        Args:
            client: The API server.
            namespace: Of the Lease.
            name: Of the Lease.
            identity: Name of this process, unique among the candidates and starts.
            times: See there.
            now: Wall-clock time, UTC; written for people to read, never compared.
            elapsed: Seconds of a clock that never goes back, and goes on while the machine sleeps:
                others take over meanwhile.
        """
        self._client = client
        self._ref = ObjectRef(_API_VERSION, "Lease", namespace, name)
        self._identity = identity
        self._times = times
        self._now = now
        self._elapsed = elapsed
        self._held: Manifest | None = None
        self._renewed = -math.inf
        self._seen: tuple[str, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether this process leads, as far as it may still believe so."""
        return self._held is not None and self._left() > 0

    async def acquire(self) -> None:
        """Wait until this process leads."""
        while True:
            if await self._attempt(self._try_acquire):
                break
            await asyncio.sleep(self._times.retry)
        _log.info("leading", extra={"identity": self._identity})

    async def hold(self) -> None:
        """Renew for as long as it can be done.

        Raises:
            LeaseLostError: Somebody else leads, or the API server could not be reached in time.
        """
        while True:
            await asyncio.sleep(max(0.0, min(self._times.retry, self._left())))
            if self._left() > 0:
                await self._attempt(self._try_renew, self._left())
            if self._held is None:
                raise LeaseLostError("another process holds the lease")
            if self._left() <= 0:
                self._held = None
                raise LeaseLostError("the lease could not be renewed in time")

    def _left(self) -> float:
        """Seconds for which this process may still believe that it leads."""
        return self._renewed + self._times.renew_deadline - self._elapsed()

    async def release(self) -> None:
        """Give the lease up, so that another candidate can take it at once."""
        if self._held is None:
            return
        held, self._held = self._held, None
        spec = {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        spec["renewTime"] = self._stamp()
        with contextlib.suppress(RefusedError, FaultError, TimeoutError):
            async with asyncio.timeout(self._times.retry):
                await self._request("update", "PUT", object_path(self._ref), {**held, "spec": spec})

    async def _attempt(self, step: Callable[[], Any], limit: float = math.inf) -> bool:
        try:
            async with asyncio.timeout(min(limit, self._times.renew_deadline / 2)):
                return bool(await step())
        except (FaultError, RefusedError, TimeoutError) as error:
            _log.warning("lease not reached", extra={"error": type(error).__name__})
            return False

    async def _try_acquire(self) -> bool:
        try:
            lease = await self._request("get", "GET", object_path(self._ref))
        except NotFoundError:
            with contextlib.suppress(AlreadyExistsError):
                await self._post()
            return self.holds
        if not self._is_free(lease):
            return False
        transitions = int(lease["spec"].get("leaseTransitions") or 0) + 1
        await self._put({**lease, "spec": self._spec(transitions)})
        return self.holds

    def _is_free(self, lease: Manifest) -> bool:
        spec = lease["spec"]
        if spec.get("holderIdentity") in (None, "", self._identity):
            return True  # its own: the answer to an earlier attempt was lost
        version = lease["metadata"]["resourceVersion"]
        time = self._elapsed()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, time)
            return False
        return time - self._seen[1] > float(spec.get("leaseDurationSeconds") or 0)

    async def _try_renew(self) -> bool:
        if self._held is None:
            return False
        try:
            await self._put(self._renewal(self._held))
        except NotFoundError:
            self._held = None  # somebody deleted it, and another candidate makes it anew at once
            return False
        except StaleWriteError:
            lease = await self._request("get", "GET", object_path(self._ref))
            if lease["spec"].get("holderIdentity") != self._identity:
                self._held = None
                return False
            await self._put(self._renewal(lease))
        return True

    def _renewal(self, lease: Manifest) -> Manifest:
        return {**lease, "spec": {**lease["spec"], "renewTime": self._stamp()}}

    def _spec(self, transitions: int) -> Manifest:
        stamp = self._stamp()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._times.duration),
            "acquireTime": stamp,
            "renewTime": stamp,
            "leaseTransitions": transitions,
        }

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    async def _post(self) -> None:
        lease: Manifest = {
            "apiVersion": _API_VERSION,
            "kind": "Lease",
            "metadata": {"name": self._ref.name, "namespace": self._ref.namespace},
            "spec": self._spec(0),
        }
        path = collection_path(_API_VERSION, "Lease", self._ref.namespace)
        await self._hold_by("create", "POST", path, lease)

    async def _put(self, lease: Manifest) -> None:
        await self._hold_by("update", "PUT", object_path(self._ref), lease)

    async def _hold_by(self, verb: str, method: str, path: str, lease: Manifest) -> None:
        """Write the lease in this process's name."""
        sent = self._elapsed()
        self._held = await self._request(verb, method, path, lease)
        self._renewed = sent

    async def _request(
        self, verb: str, method: str, path: str, body: Manifest | None = None
    ) -> Manifest:
        return await self._client.request(
            verb, method, path, body=body, content_type=JSON, limited=False
        )
