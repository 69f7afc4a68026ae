"""A transport to the fake API server, with faults at chosen calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fakeapi.store import FakeApi, refusal
from leeward.plans.shared.faults import TransientError


class Fault(Enum):
    """What happens at one call."""

    KILL_BEFORE = "the process is killed before the request is sent"
    KILL_AFTER = "the process is killed after the request was carried out"
    CONFLICT = "409"
    TOO_MANY = "429"
    BROKEN = "500"
    UNSENT = "the connection breaks before the request arrives"
    UNANSWERED = "the request is carried out and the answer is lost"


@dataclass
class FaultPlan:
    """Which call (counted from 0 over all processes) meets which fault."""

    faults: dict[int, Fault] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def next(self, what: str) -> Fault | None:
        """Count a call."""
        self.calls.append(what)
        return self.faults.get(len(self.calls) - 1)


class DirectTransport:
    """Calls the fake API server without a socket (``kube.client.Transport``)."""

    def __init__(self, api: FakeApi, plan: FaultPlan | None = None) -> None:
        self._api = api
        self._plan = plan or FaultPlan()
        self.killed = asyncio.Event()

    async def exchange(
        self, method: str, path: str, body: dict[str, Any] | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request, in a millisecond of the loop's time each way."""
        await asyncio.sleep(0.001)
        fault = self._plan.next(f"{method} {path}")
        if fault is Fault.KILL_BEFORE:
            await self._die()
        if fault is Fault.UNSENT:
            raise TransientError("the connection broke")
        if fault in _REFUSALS:
            answer = _REFUSALS[fault]
        else:
            answer = self._api.handle(method, path, body, content_type)
        if fault is Fault.KILL_AFTER:
            await self._die()
        if fault is Fault.UNANSWERED:
            raise TransientError("the answer was lost")
        await asyncio.sleep(0.001)
        return answer.status, answer.headers, json.dumps(answer.body).encode()

    async def _die(self) -> None:
        self.killed.set()
        await asyncio.get_running_loop().create_future()


_REFUSALS = {
    Fault.CONFLICT: refusal(409, "Conflict", "the object has been modified"),
    Fault.TOO_MANY: refusal(429, "TooManyRequests", "slow down", **{"Retry-After": "7"}),
    Fault.BROKEN: refusal(500, "InternalError", "etcdserver: request timed out"),
}
