"""A course of events, from manifests to a published Dataset, and what is left when it is over."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Replica, working
from fakeapi.store import FakeApi, Manifest
from fakeapi.transport import FaultPlan
from fakeapi.world import World
from leeward.api.meta import API_VERSION

NAMESPACE = "clinic"
PATIENCE = 3 * 3600.0
AFTER = 30.0
WORK = ["MaskingJob", "DatasetPreview"]


def resource(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _key(name: str, algorithm: str, *operations: str) -> Manifest:
    grant = {"name": "work", "kinds": WORK, "operations": list(operations)}
    return {"name": name, "algorithm": algorithm, "grants": [grant]}


def _key_ref(key: str) -> Manifest:
    return {"vault": {"name": "vault"}, "key": key}


def _dataset(name: str, path: str, **more: Any) -> Manifest:
    spec = {
        "location": {"volume": {"claimName": "data", "path": path}},
        "format": "CSV",
        "grants": [{"name": "research", "kinds": WORK, "purposes": ["research"]}],
        **more,
    }
    return resource("Dataset", name, spec)


VAULT = resource(
    "KeyVault",
    "vault",
    {
        "keys": [
            _key("data", "AES256_GCM", "Seal", "Open"),
            _key("tokens", "AES256_SIV", "Mask"),
            _key("intake", "HPKE_X25519", "Open"),
        ]
    },
)
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": NAMESPACE},
}
PLAIN = _dataset("people", "raw/people.csv")
SEALED = _dataset("sealed", "raw/people.csv.lwe1", sealedWith=_key_ref("intake"))
PREVIEW = resource(
    "DatasetPreview",
    "look",
    {
        "purpose": "research",
        "dataset": {"name": "sealed"},
        "recipientKey": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
        "rows": 5,
    },
)
DURING = "2026-01-01T00:16:52Z"
"""While the MaskingJob of a course runs that begins when the loop does."""
RENEWED, REENCRYPTED = (
    _dataset(
        "sealed",
        "raw/people.csv.lwe1",
        sealedWith=_key_ref("intake"),
        rotation={field: DURING},
    )
    for field in ("renewedAfter", "reencryptedAfter")
)
JOB = resource(
    "MaskingJob",
    "mask",
    {
        "purpose": "research",
        "source": {"name": "people"},
        "columns": [
            {"name": "patient", "tokenize": {"key": _key_ref("tokens")}},
            {"name": "income", "generalize": {"bins": ["0", "20000"]}},
        ],
        "output": {
            "dataset": "people-masked",
            "location": {"volume": {"claimName": "data", "path": "masked/"}},
            "sealedWith": _key_ref("data"),
        },
    },
)

JOB_ON_SEALED = resource("MaskingJob", "mask", JOB["spec"] | {"source": {"name": "sealed"}})


def replaced(api: FakeApi) -> bool:
    """Whether the keys of the sealed Dataset were replaced, and the job beside it is done."""
    found = api.one("Dataset", NAMESPACE, "sealed")
    status = {} if found is None else found.get("status", {})
    return (
        "replacedKeyId" in status
        and "replacement" not in status
        and ready(api, "Dataset", "sealed", "Inspected")
        and ready(api, "MaskingJob", "mask", "Published")
    )


def _delivery(name: str, secret: str) -> Manifest:
    certificate = {**_key_ref("mesh"), "dnsNames": [f"{name}.{NAMESPACE}.svc"]}
    spec = {
        "purpose": "research",
        "selector": {"matchLabels": {"app": "ward"}},
        "secretName": secret,
        "items": [
            {"name": "data", "dataset": {"name": "sealed"}},
            {"name": "mesh", "certificate": certificate},
        ],
    }
    return resource("KeyDelivery", name, spec)


def _long_lived(name: str, secret: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": "ward"}},
        "spec": {
            "nodeName": "one",
            "containers": [{"name": "ward"}],
            "volumes": [{"name": "keys", "secret": {"secretName": secret}}],
        },
        "status": {"phase": "Running", "podIP": "10.244.0.7"},
    }


def _wards(*operations: str) -> list[Manifest]:
    return [{"name": "wards", "kinds": ["KeyDelivery"], "operations": list(operations)}]


GRANTING = resource(
    "KeyVault",
    "vault",
    {
        "keys": [
            {"name": "intake", "algorithm": "HPKE_X25519", "grants": _wards("Open")},
            {
                "name": "mesh",
                "algorithm": "ED25519",
                "authority": {"trustDomain": "clinic.example"},
                "grants": _wards("Issue"),
            },
        ]
    },
)
GRANTED = _dataset(
    "sealed",
    "raw/people.csv.lwe1",
    sealedWith=_key_ref("intake"),
    grants=[{"name": "wards", "kinds": ["KeyDelivery"]}],
)
DELIVERY = _delivery("ward", "ward-keys")


def acknowledged(api: FakeApi) -> bool:
    """Whether the one consumer has loaded everything."""
    found = api.one("KeyDelivery", NAMESPACE, "ward")
    return found is not None and any(
        (c["type"], c["reason"]) == ("Acknowledged", "AllAcknowledged")
        for c in found.get("status", {}).get("conditions", ())
    )


def ready(api: FakeApi, kind: str, name: str, *reasons: str) -> bool:
    found = api.one(kind, NAMESPACE, name)
    return found is not None and any(
        condition["type"] == "Ready" and condition["reason"] in reasons
        for condition in found.get("status", {}).get("conditions", ())
    )


@dataclass(frozen=True)
class Course:
    """What is applied, and when it is over."""

    name: str
    manifests: tuple[Manifest, ...]
    over: Callable[[FakeApi], bool]


COURSES = {
    course.name: course
    for course in (
        Course("vault", (VAULT,), lambda api: ready(api, "KeyVault", "vault", "KeysReady")),
        Course(
            "preview",
            (VAULT, CLAIM, SEALED, PREVIEW),
            lambda api: (
                ready(api, "DatasetPreview", "look", "Served")
                and ready(api, "Dataset", "sealed", "Inspected")
            ),
        ),
        Course(
            "delivery",
            (GRANTING, CLAIM, GRANTED, DELIVERY, _long_lived("ward-0", "ward-keys")),
            lambda api: acknowledged(api) and ready(api, "Dataset", "sealed", "Inspected"),
        ),
        Course(
            "masking",
            (VAULT, CLAIM, PLAIN, JOB),
            lambda api: ready(api, "MaskingJob", "mask", "Published"),
        ),
        Course("renewed", (VAULT, CLAIM, RENEWED, JOB_ON_SEALED), replaced),
        Course("reencrypted", (VAULT, CLAIM, REENCRYPTED, JOB_ON_SEALED), replaced),
    )
}


REPLACING = ("renewed", "reencrypted")
"""Courses in which the key of a file is replaced while a job reads it."""


@dataclass
class End:
    """What there is when a course is over."""

    objects: Counter[str] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    pods_started: Counter[str] = field(default_factory=Counter)
    files: int = 0
    replaced: bool = False
    processes: int = 0


def play(course: Course, plan: FaultPlan, replicas: int = 1) -> End:
    """Play a course to its end; a process that is killed is followed by a new one."""
    return virtualtime.run(_play(course, plan, replicas))


async def _play(course: Course, plan: FaultPlan, replicas: int) -> End:
    world = World(FakeApi(virtualtime.stamp))
    for manifest in course.manifests:
        world.api.add(clone(manifest))
    end = End()
    async with working(world), asyncio.TaskGroup() as group:
        keepers = [group.create_task(_keep(world, plan, end, n)) for n in range(replicas)]
        await until(lambda: course.over(world.api))
        await asyncio.sleep(AFTER)
        for keeper in keepers:
            keeper.cancel()
    _take_stock(world, end)
    return end


async def until(over: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Look every second of virtual time."""
    async with asyncio.timeout(patience):
        while True:
            if over():
                return
            await asyncio.sleep(1)


async def _keep(world: World, plan: FaultPlan, end: End, number: int) -> None:
    """What the kubelet does with the operator: start it again when it has died.

    Of several, the first one holds the lease; the others have not noticed yet that they do not.
    """
    while True:
        end.processes += 1
        await Replica(world, plan, seed=end.processes, holds=number == 0).run()
        await asyncio.sleep(1)


def _take_stock(world: World, end: End) -> None:
    for place, manifest in world.api.objects.items():
        conditions = sorted(
            f"{c['type']}={c['status']}/{c.get('reason', '')}"
            for c in manifest.get("status", {}).get("conditions", ())
        )
        end.objects[f"{manifest['kind']} {place.namespace}/{_plain(place.name)} {conditions}"] += 1
    for (kind, namespace, name), count in world.api.created.items():
        # Each of them: a second one with another name, or the same name again, both count.
        end.created[f"{kind} {namespace}/{_plain(name)}"] += count
    end.pods_started = Counter({_plain(name): count for name, count in world.pods_started.items()})
    end.files = len(world.files)
    end.replaced = any("replacedKeyId" in d.get("status", {}) for d in world.api.find("Dataset"))


def _plain(name: str) -> str:
    """A name without what is drawn at random or hashed from it."""
    return re.sub(r"\b(lw-)[a-z0-9]{10}\b|\b[0-9a-f]{8,}\b", r"\1*", name)
