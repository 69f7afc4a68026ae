"""Long-lived pods and the KeyDelivery that gives them keys, on a world in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fakeapi.documents import clone
from leeward.api.meta import API_VERSION
from leeward.plans.shared.acknowledgements import targets
from leeward.plans.shared.holders import names_secret
from leeward.plans.shared.model import (
    Action,
    DeliveriesOf,
    KeysOf,
    Listing,
    Manifest,
    MarkPod,
    Need,
    ObjectRef,
    Outcome,
    PodsHolding,
    PutKeys,
    RemoveKeys,
    WrittenKeys,
)
from unit.plans.clinic import NAMESPACE, SOURCE, clinic, resource, sealed_source
from unit.plans.simulator import Engine
from unit.plans.world import World

WARD = ObjectRef(API_VERSION, "KeyDelivery", NAMESPACE, "ward")
SECRET = ObjectRef("v1", "Secret", NAMESPACE, "ward-keys")
LABELS = {"app": "ward"}


def delivery_spec(**changes: Any) -> Manifest:
    return {
        "purpose": "research",
        "selector": {"matchLabels": LABELS},
        "secretName": SECRET.name,
        "items": [{"name": "data", "dataset": {"name": "people"}}],
        **changes,
    }


@dataclass
class WardWorld(World):
    """A world with long-lived pods.

    Attributes:
        held: Pod -> what it says at /keys: (role, id). Who is not in it does not answer.
    """

    held: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    written: list[tuple[str, ...]] = field(default_factory=list)

    def look(self, need: Need) -> Any:
        match need:
            case PodsHolding(namespace, secret):
                return [
                    clone(pod)
                    for pod in self.of_kind("Pod")
                    if pod["metadata"]["namespace"] == namespace and names_secret(pod, secret)
                ]
            case KeysOf(_, pod, _, _):
                if pod not in self.held:
                    return None
                keys = [{"role": r, "id": i, "version": 1} for r, i in sorted(self.held[pod])]
                return {"formatVersion": 1, "keys": keys}
            case Listing(_, kind, namespace, "spec.secretName", name):
                return [
                    clone(one)
                    for one in self.of_kind(kind)
                    if one["metadata"]["namespace"] == namespace
                    and one["spec"]["secretName"] == name
                ]
            case DeliveriesOf(target):
                found = self.of_kind("KeyDelivery")
                return [clone(one) for one in found if target in targets(one)]
        return super().look(need)

    def _perform(self, action: Action) -> Outcome:
        match action:
            case MarkPod(ref):
                return self._mark(action, ref)
            case PutKeys():
                return self._put_keys(action)
            case RemoveKeys(namespace, name, type_):
                ref = ObjectRef("v1", "Secret", namespace, name)
                if ref in self.objects and self.objects[ref]["type"] != type_:
                    return Outcome("Conflict")
                self.remove(ref)
                return Outcome("Done")
        return super()._perform(action)

    def _mark(self, action: MarkPod, ref: ObjectRef) -> Outcome:
        if ref not in self.objects:
            return Outcome("Missing")
        metadata = clone(self.objects[ref]["metadata"])
        metadata["labels"] = {**metadata.get("labels", {}), **action.labels}
        metadata["annotations"] = {**metadata.get("annotations", {}), **action.annotations}
        self.change(ref, metadata=metadata)
        return Outcome("Done")

    def _put_keys(self, action: PutKeys) -> Outcome:
        if any(entry.id not in self.keys for entry in action.entries):
            return Outcome("Missing")
        ref = ObjectRef("v1", "Secret", action.namespace, action.name)
        found = self.objects.get(ref)
        if found is None:
            self.add(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": action.type,
                    "metadata": {"name": action.name, "namespace": action.namespace},
                }
            )
        elif found["type"] != action.type:
            return Outcome("Conflict", "type: field is immutable")
        elif action.over not in (None, found["metadata"]["resourceVersion"]):
            return Outcome("Conflict", "the object has been modified", "Changed")
        if found is None or found["entries"] != action.entries:
            self.change(ref, entries=action.entries)
            self.written.append(tuple(entry.id for entry in action.entries))
        return Outcome("Done", result=WrittenKeys(self.objects[ref]["metadata"]["resourceVersion"]))

    # --- for tests --------------------------------------------------------------------------------

    def pod(self, name: str = "ward-0", *, loads: bool = True, **status: Any) -> ObjectRef:
        """A pod that mounts the Secret and runs."""
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(LABELS)},
                "spec": {
                    "nodeName": "one",
                    "volumes": [{"name": "keys", "secret": {"secretName": SECRET.name}}],
                    "containers": [{"name": "ward"}],
                },
                "status": {
                    "phase": "Running",
                    "podIP": "10.244.0.7",
                    "containerStatuses": [{"name": "ward", "state": {"running": {}}}],
                    **status,
                },
            }
        )
        if loads:
            self.load(name)
        return ObjectRef("v1", "Pod", NAMESPACE, name)

    def load(self, name: str = "ward-0") -> None:
        """The pod takes up what the Secret holds now."""
        secret = self.objects.get(SECRET)
        entries = secret["entries"] if secret else ()
        self.held[name] = {(entry.role, entry.id) for entry in entries}


def ward(**changes: Any) -> tuple[WardWorld, Engine, str]:
    """A sealed Dataset that is granted to a KeyDelivery; the id of its key."""
    plain, _ = clinic()
    world = WardWorld(
        **{name: getattr(plain, name) for name in ("now", "objects", "keysets", "keys")}
    )
    world._numbers = plain._numbers
    key_id = sealed_source(world)
    grant_all(world)
    world.add(resource(WARD, delivery_spec(**changes)))
    return world, Engine(world), key_id


def grant_all(world: World, **limits: Any) -> None:
    """Grant the Dataset and its key to KeyDeliveries."""
    vault_ref = ObjectRef(API_VERSION, "KeyVault", NAMESPACE, "vault")
    spec = clone(world.objects[vault_ref]["spec"])
    for key in spec["keys"]:
        if key["name"] == "intake":
            key["grants"] = [
                {"name": "wards", "kinds": ["KeyDelivery"], "operations": ["Open"], **limits}
            ]
    world.change(vault_ref, spec=spec)
    spec = clone(world.objects[SOURCE]["spec"])
    spec["grants"] = [{"name": "wards", "kinds": ["KeyDelivery"], "purposes": ["research"]}]
    world.change(SOURCE, spec=spec)


def revoke_key(world: World) -> None:
    """Take the grant of the key away."""
    vault_ref = ObjectRef(API_VERSION, "KeyVault", NAMESPACE, "vault")
    spec = clone(world.objects[vault_ref]["spec"])
    for key in spec["keys"]:
        if key["name"] == "intake":
            key["grants"] = []
    world.change(vault_ref, spec=spec)


def looked(engine: Engine, world: WardWorld) -> Manifest:
    """Its status when nothing more is to be done."""
    return engine.settle(WARD, times=8)


def states(status: Manifest) -> dict[str, str]:
    """Its conditions: type -> status and reason."""
    return {c["type"]: f"{c['status']} {c['reason']}" for c in status["conditions"]}
