"""A reconciler and a controller over a fake API server, with plans that a test writes."""

import asyncio
import datetime
from collections.abc import Callable, Sequence
from typing import Any

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Journal
from fakeapi.store import FakeApi, refusal
from fakeapi.transport import DirectTransport, FaultPlan
from leeward.api import KINDS_BY_NAME
from leeward.api.meta import API_VERSION, Kind
from leeward.engine.controller import Controller, Pace
from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Key
from leeward.engine.queue import Backoff
from leeward.engine.ratelimit import TokenBucket
from leeward.engine.reconciler import Reconciler
from leeward.engine.steps import Steps
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.kube.recent import RecentObjects
from leeward.plans.shared.model import (
    AckResult,
    Context,
    KeysOf,
    Manifest,
    ObjectRef,
    Observed,
    Outcome,
    Plan,
    ProgressOf,
    ResultOf,
)

KEY = Key("Dataset", "ns", "people")
REF = ObjectRef(API_VERSION, "Dataset", "ns", "people")
Script = Callable[[Manifest, Observed], Plan]


def config_map(name: str, **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "ns", "annotations": {"leeward.dev/uid": "u"}},
        "data": data,
    }


def child(name: str, kind: str = "ConfigMap", namespace: str = "ns") -> Manifest:
    version = API_VERSION if kind == "Dataset" else "v1"
    return {"apiVersion": version, "kind": kind, "name": name, "namespace": namespace}


class Planner:
    """A plan that a test writes as a function."""

    def __init__(self, script: Script, kind: str = "Dataset") -> None:
        self.script = script
        self._kind = KINDS_BY_NAME[kind]
        self.asked = 0

    @property
    def kind(self) -> Kind:
        return self._kind

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        return (("v1", "ConfigMap"),)

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        self.asked += 1
        return self.script(clone(resource), observed)


class NoKeys:
    """Says that all is done, and remembers it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    async def perform(self, action: Any) -> Outcome:
        self.done.append(action)
        return Outcome("Done")

    async def look(self, need: Any) -> Any:
        return "keys"


class NoPods:
    async def progress(self, need: ProgressOf) -> Manifest | None:
        return None

    async def keys(self, need: KeysOf) -> Manifest | None:
        return None

    async def result(self, need: ResultOf) -> Manifest | None:
        return None

    async def ack(self, action: AckResult) -> Outcome:
        return Outcome("Done")


class Bench:
    """A reconciler and a controller over a fake API server, and one Dataset."""

    def __init__(
        self,
        script: Script,
        faults: FaultPlan | None = None,
        *,
        bodies: int = 4000,
        workers: int = 4,
    ) -> None:
        self.api = FakeApi()
        self.faults = faults or FaultPlan()
        self.journal = Journal()
        self.echoes = Echoes()
        self.planner = Planner(script)
        self.gone: list[Key] = []
        self.keys = NoKeys()
        transport = DirectTransport(self.api, self.faults)
        kinds = frozenset({"Dataset", "KeyVault", "KeyDelivery"})
        recent = RecentObjects(lambda ref: ref.kind in kinds, lambda: True, virtualtime.elapsed)
        client = KubeClient(transport, TokenBucket(1000, 1000), self.journal, recent)
        objects = self.objects = ObjectStore(client)
        self.reconciler = Reconciler(
            api_version=API_VERSION,
            planners=dict.fromkeys(kinds, self.planner),
            objects=objects,
            steps=Steps(objects, self.keys, NoPods(), self.echoes, kinds),
            recorder=self.journal,
            echoes=self.echoes,
            context=lambda: Context(
                now=datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
                random=bytes,
                operator_namespace="system",
                masking_image="i",
            ),
            progress_reasons=frozenset(),
        )
        self.controller = Controller(
            reconciler=self.reconciler,
            echoes=self.echoes,
            meter=self.journal,
            pace=Pace(
                workers=workers, resync=3600, backoff=Backoff(base=1, limit=60), bodies=bodies
            ),
            unit_random=lambda: 0.5,
            on_gone=self.gone.append,
        )
        self.resource = self.add("people")

    def add(
        self,
        name: str,
        kind: str = "Dataset",
        status: Manifest | None = None,
        spec: Manifest | None = None,
    ) -> Manifest:
        made: Manifest = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "namespace": "ns"},
            "spec": spec or {},
        }
        if status is not None:
            made["status"] = status
        return self.api.add(made)

    def status(self, name: str = "people") -> Manifest:
        found = self.api.one("Dataset", "ns", name)
        assert found is not None
        status: Manifest = found.get("status", {})
        return status

    def watch(self) -> None:
        """Show the controller every change, a little late."""

        def see(change: Any) -> None:
            asyncio.get_running_loop().call_later(0.005, self._see, change)

        self.api.on_change.append(see)

    def _see(self, change: Any) -> None:
        body = change.manifest
        self.objects.shown(body, gone=change.type == "DELETED")
        if body["kind"] == "ConfigMap":
            self.controller.saw_child(KEY, body)
        elif change.type == "DELETED":
            self.controller.saw_gone(body)
        else:
            self.controller.saw(body, listed=False)


def forbid(api: FakeApi, method: str) -> None:
    def refuse(called: str, *_: Any) -> Any:
        message = 'x is forbidden: User "operator" cannot delete resource'
        return refusal(403, "Forbidden", message) if called == method else None

    api.refusals.append(refuse)
