"""A process that remembers what it was answered, over a fake API server."""

from typing import Any

from fakeapi import virtualtime
from fakeapi.replica import Journal
from fakeapi.store import FakeApi
from fakeapi.transport import DirectTransport, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.kube.recent import RecentObjects
from leeward.plans.shared.model import Manifest, ObjectRef

REF = ObjectRef("v1", "ConfigMap", "ns", "config")
OTHER = ObjectRef("v1", "Pod", "ns", "pod")
DATASET = ObjectRef("leeward.dev/v1alpha1", "Dataset", "ns", "letters")


def manifest(ref: ObjectRef, data: str = "0", version: str | None = None) -> Manifest:
    metadata = {"name": ref.name, "namespace": ref.namespace}
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": metadata,
        "data": {"a": data},
    }


def delivery(name: str, dataset: str, **status: Any) -> Manifest:
    return {
        "apiVersion": "leeward.dev/v1alpha1",
        "kind": "KeyDelivery",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"items": [{"name": "data", "dataset": {"name": dataset}}]},
        "status": status,
    }


def is_remembered(ref: ObjectRef) -> bool:
    return ref.kind in ("ConfigMap", "KeyDelivery")


def standing_still() -> RecentObjects:
    """One for which no time passes."""
    return RecentObjects(is_remembered, lambda: True, lambda: 0.0)


class Bench:
    """A process that remembers, and what the API server has."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.api = FakeApi()
        self.plan = plan or FaultPlan()
        self.leads = True
        self.recent = RecentObjects(is_remembered, lambda: self.leads, virtualtime.elapsed)
        transport = DirectTransport(self.api, self.plan)
        self.client = KubeClient(transport, TokenBucket(1000, 1000), Journal(), self.recent)
        self.objects = ObjectStore(self.client)

    def change(self, ref: ObjectRef, data: str) -> str:
        """As somebody else does; the version that it is then."""
        changed = self.api.one(ref.kind, ref.namespace, ref.name)
        assert changed is not None
        self.api.edit({**changed, "data": {"a": data}})
        return self.version(ref)

    def version(self, ref: ObjectRef) -> str:
        found = self.api.one(ref.kind, ref.namespace, ref.name)
        assert found is not None
        return str(found["metadata"]["resourceVersion"])

    async def read(self, ref: ObjectRef) -> str:
        return str((await self.client.get(ref))["data"]["a"])

    def calls(self) -> int:
        return len(self.plan.calls)


def names(found: list[Manifest]) -> set[str]:
    return {each["metadata"]["name"] for each in found}
