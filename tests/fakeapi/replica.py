"""One process of the operator over the fake API server: everything but Kopf and sockets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fakeapi import virtualtime
from fakeapi.store import Change, FakeApi
from fakeapi.transport import DirectTransport, FaultPlan
from fakeapi.world import World, WorldPods
from leeward.api import KINDS_BY_NAME
from leeward.api.meta import API_VERSION
from leeward.app.rootrotation import RootKeyRotator
from leeward.app.sweep import Sweeper
from leeward.app.usage import UsageKeeper
from leeward.app.wiring import CHILDREN, PLANNERS, recent_objects
from leeward.engine.controller import Controller, Pace
from leeward.engine.echoes import Echoes
from leeward.engine.inventory import Key
from leeward.engine.queue import Backoff
from leeward.engine.ratelimit import TokenBucket
from leeward.engine.reconciler import Reconciler
from leeward.engine.steps import Steps
from leeward.keystore.rootrotation import RootKeyRotation
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.plans.shared.conditions import NOT_YET
from leeward.plans.shared.model import Context, Event, Manifest

SYSTEM = "leeward-system"
_CHILD_KINDS = {kind for _, kind in CHILDREN}


class Journal:
    """Takes events, reconciles and calls, and keeps them (recorder and both meters)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []
        self.reconciles: list[tuple[str, str]] = []
        self.calls: list[tuple[str, str]] = []

    def record(self, resource: Manifest, event: Event) -> None:
        self.events.append((resource["metadata"]["name"], event.type, event.reason))

    def reconciled(self, kind: str, outcome: str, seconds: float) -> None:
        self.reconciles.append((kind, outcome))

    def called(self, verb: str, code: str) -> None:
        self.calls.append((verb, code))


class Replica:
    """One process, leading from its start."""

    def __init__(self, world: World, plan: FaultPlan, seed: int = 0, *, holds: bool = True) -> None:
        """Make it.

        Args:
            world: Where it is.
            plan: What happens to its calls.
            seed: Of its randomness.
            holds: Whether it holds the lease by its own clock.
        """
        chance = random.Random(seed)
        self.journal = Journal()
        self.transport = DirectTransport(world.api, plan)
        self._api = world.api
        recent = recent_objects(SYSTEM, lambda: holds, virtualtime.elapsed)
        client = KubeClient(self.transport, TokenBucket(1000, 1000), self.journal, recent)
        objects = self._objects = ObjectStore(client)
        self.keys = EmbeddedKeyStore(client, SYSTEM, chance.randbytes, virtualtime.now)
        echoes = Echoes()
        steps = Steps(objects, self.keys, WorldPods(world), echoes, frozenset(PLANNERS))

        def context() -> Context:
            return Context(
                now=virtualtime.now(),
                random=chance.randbytes,
                operator_namespace=SYSTEM,
                masking_image="localhost/masking:1",
                operator_pod_labels={"app.kubernetes.io/component": "operator"},
            )

        self.sweeper = Sweeper(
            unpublished=self.keys.unpublished_keys, steps=steps, context=context, interval=300
        )
        self.rotator = self._root_key_rotator(client, chance)
        reconciler = Reconciler(
            api_version=API_VERSION,
            planners=PLANNERS,
            objects=objects,
            steps=steps,
            recorder=self.journal,
            echoes=echoes,
            context=context,
            progress_reasons=NOT_YET,
        )
        self.controller = Controller(
            reconciler=reconciler,
            echoes=echoes,
            meter=self.journal,
            pace=Pace(workers=8, resync=3600, backoff=Backoff(base=0.25, limit=60)),
            unit_random=chance.random,
            on_gone=self._on_gone,
        )

        self.usage = UsageKeeper(
            self.keys.usage,
            self.keys.count_usage,
            lambda namespace, name: self.controller.look_again(Key("KeyVault", namespace, name)),
        )

    def _root_key_rotator(self, client: KubeClient, chance: random.Random) -> RootKeyRotator:
        rotation = RootKeyRotation(
            client,
            SYSTEM,
            self.keys.root_keys,
            random=chance.randbytes,
            monotonic=virtualtime.elapsed,
            created_at=virtualtime.stamp,
        )
        return RootKeyRotator(rotation.step)

    def _on_gone(self, key: Key) -> None:
        if KINDS_BY_NAME[key.kind].is_workload:
            self.sweeper.soon()

    async def run(self) -> None:
        """Lead, until cancelled; returns when the process is killed by a fault."""
        work = asyncio.create_task(self._lead())
        killed = asyncio.create_task(self.transport.killed.wait())
        try:
            await asyncio.wait((work, killed), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            self._api.on_change[:] = [see for see in self._api.on_change if see != self._see]
            for task in (work, killed):
                task.cancel()
            await asyncio.wait((work, killed))
            await self.controller.stop(0)

    async def _lead(self) -> None:
        while True:
            try:
                await self.keys.ensure_root_key()
                break
            except Exception:  # noqa: BLE001 - as app.process: whatever it was, once more
                await asyncio.sleep(2)
        self._api.on_change.append(self._see)
        for manifest in list(self._api.objects.values()):
            if manifest["kind"] in PLANNERS:
                self.controller.saw(manifest, listed=True)
        self.controller.lead()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sweeper.run())
            group.create_task(self.rotator.run())
            group.create_task(self.usage.run())

    def _see(self, change: Change) -> None:
        """The watch, a few milliseconds late."""
        asyncio.get_running_loop().call_later(0.005, self._hand_on, change)

    def _hand_on(self, change: Change) -> None:
        if self.transport.killed.is_set() or not self.controller.leads:
            return
        kind = change.manifest["kind"]
        self._objects.shown(change.manifest, gone=change.type == "DELETED")
        if kind in PLANNERS:
            if change.type == "DELETED":
                self.controller.saw_gone(change.manifest)
            else:
                self.controller.saw(change.manifest, listed=False)
        elif kind in _CHILD_KINDS:
            labels = change.manifest["metadata"].get("labels") or {}
            if labels.get("app.kubernetes.io/managed-by") == "leeward-operator":
                owner = Key(
                    labels["leeward.dev/kind"], change.place.namespace, labels["leeward.dev/name"]
                )
                self.controller.saw_child(owner, change.manifest)


@asynccontextmanager
async def working(world: World) -> AsyncIterator[FakeApi]:
    """The world's controllers at work."""
    task = asyncio.create_task(world.run())
    try:
        yield world.api
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
