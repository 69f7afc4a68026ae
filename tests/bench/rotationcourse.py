"""Datasets whose keys are replaced under long-lived pods, with the operator's own control loop.

The API server, kubelet, Job controller and programs in pods are the fakes of the tests; time is
virtual, so that what pods wait for takes none. What is measured is what the operator does: its
calls, and the processor's time of all of it, fakes included.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from chaos.course import CLAIM, NAMESPACE, ready, resource, until
from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Replica, working
from fakeapi.store import FakeApi, Manifest
from fakeapi.transport import FaultPlan
from fakeapi.world import World

PATIENCE = 4 * 3600.0
_KEY = {"vault": {"name": "vault"}, "key": "intake"}
_VAULT = resource(
    "KeyVault",
    "vault",
    {
        "keys": [
            {
                "name": "intake",
                "algorithm": "HPKE_X25519",
                "grants": [{"name": "wards", "kinds": ["KeyDelivery"], "operations": ["Open"]}],
            }
        ]
    },
)


@dataclass(frozen=True)
class Taken:
    """What replacing the keys took.

    Attributes:
        calls: Requests to the API server.
        writes: Those of them that write.
        seconds: Of the clock on the wall, in which virtual time counts nothing.
        virtual: Seconds of virtual time.
    """

    calls: int
    writes: int
    seconds: float
    virtual: float


def rotate(keys: int, consumers: int) -> Taken:
    """Replace so many keys at once, each of a Dataset that so many pods read.

    Without pods there is no KeyDelivery, either.
    """
    return virtualtime.run(_rotate(keys, consumers))


async def _rotate(keys: int, consumers: int) -> Taken:
    world, plan = World(FakeApi(virtualtime.stamp)), FaultPlan()
    for manifest in (_VAULT, CLAIM):
        world.api.add(clone(manifest))
    for number in range(keys):
        for manifest in _dataset(number, consumers):
            world.api.add(manifest)
    async with working(world) as api:
        operator = asyncio.create_task(Replica(world, plan, seed=1).run())
        await until(
            lambda: all(_settled(api, number, consumers) for number in range(keys)), PATIENCE
        )
        await asyncio.sleep(60)
        calls, begin, virtual = len(plan.calls), time.perf_counter(), virtualtime.elapsed()
        for number in range(keys):
            found = _get(api, "Dataset", number)
            found["spec"]["rotation"] = {"renewedAfter": virtualtime.stamp()}
            api.edit(found)
        await until(lambda: all(_replaced(api, number) for number in range(keys)), PATIENCE)
        made = plan.calls[calls:]
        taken = Taken(
            calls=len(made),
            writes=sum(not call.startswith("GET ") for call in made),
            seconds=time.perf_counter() - begin,
            virtual=virtualtime.elapsed() - virtual,
        )
        operator.cancel()
        await asyncio.wait({operator})
    return taken


def _dataset(number: int, consumers: int) -> list[Manifest]:
    name, secret = f"letters-{number}", f"keys-{number}"
    dataset = {
        "location": {"volume": {"claimName": "data", "path": f"raw/{name}.csv.lwe1"}},
        "format": "CSV",
        "sealedWith": _KEY,
        "grants": [{"name": "wards", "kinds": ["KeyDelivery"], "purposes": ["care"]}],
    }
    delivery = {
        "purpose": "care",
        "selector": {"matchLabels": {"app": name}},
        "secretName": secret,
        "items": [{"name": "data", "dataset": {"name": name}}],
    }
    pods = [_pod(f"{name}-{place}", name, secret) for place in range(consumers)]
    deliveries = [resource("KeyDelivery", name, delivery)] if consumers else []
    return [resource("Dataset", name, dataset), *deliveries, *pods]


def _pod(name: str, app: str, secret: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": app}},
        "spec": {
            "nodeName": "one",
            "containers": [{"name": "ward"}],
            "volumes": [{"name": "keys", "secret": {"secretName": secret}}],
        },
        "status": {"phase": "Running", "podIP": "10.244.0.7"},
    }


def _get(api: FakeApi, kind: str, number: int) -> Manifest:
    found = api.one(kind, NAMESPACE, f"letters-{number}")
    assert found is not None
    return found


def _settled(api: FakeApi, number: int, consumers: int) -> bool:
    if not ready(api, "Dataset", f"letters-{number}", "Inspected"):
        return False
    if not consumers:
        return True
    conditions = _get(api, "KeyDelivery", number).get("status", {}).get("conditions", ())
    return any((c["type"], c["reason"]) == ("Acknowledged", "AllAcknowledged") for c in conditions)


def _replaced(api: FakeApi, number: int) -> bool:
    status = _get(api, "Dataset", number)["status"]
    return "replacement" not in status and "replacedKeyId" in status
