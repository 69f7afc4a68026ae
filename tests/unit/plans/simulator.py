"""The engine's loop on a world in memory: plans are run as they will be, without I/O."""

from __future__ import annotations

import itertools

from fakeapi.documents import clone
from leeward.plans.dataset import DatasetPlanner
from leeward.plans.datasetpreview import DatasetPreviewPlanner
from leeward.plans.keydelivery import KeyDeliveryPlanner
from leeward.plans.keyvault import KeyVaultPlanner
from leeward.plans.maskingjob import MaskingJobPlanner
from leeward.plans.shared.inventory import children
from leeward.plans.shared.model import (
    Context,
    Manifest,
    ObjectRef,
    Observed,
    Outcome,
    Plan,
    Planner,
    WriteStatus,
)
from leeward.plans.shared.names import ref_of
from unit.plans.world import StaleError, World

PLANNERS: dict[str, Planner] = {
    planner.kind.kind: planner
    for planner in (
        KeyVaultPlanner(),
        DatasetPlanner(),
        DatasetPreviewPlanner(),
        MaskingJobPlanner(),
        KeyDeliveryPlanner(),
    )
}


class Engine:
    """The loop of ``engine.reconciler``, one resource at a time."""

    def __init__(self, world: World, seed: int = 1) -> None:
        self.world = world
        self._draws = itertools.count(seed * 1000)

    def context(self) -> Context:
        return Context(
            now=self.world.now,
            random=lambda size: next(self._draws).to_bytes(size, "little"),
            operator_namespace="leeward-system",
            masking_image=self.world.image,
            masking_models_image=self.world.models_image,
            image_pull_secrets=self.world.image_pull_secrets,
            operator_pod_labels={"app.kubernetes.io/component": "operator"},
        )

    def reconcile(self, ref: ObjectRef) -> Plan | None:
        """Until the plan asks for nothing; None: the resource is gone."""
        resource = self.world.look(ref)
        if resource is None:
            return None
        observed, context, planner = Observed(), self.context(), PLANNERS[ref.kind]
        for _ in range(20):
            plan = planner.plan(clone(resource), observed, context)
            needs = [need for need in plan.needs if not observed.has(need)]
            if needs:
                observed.seen.update({need: self.world.look(need) for need in needs})
            elif plan.actions:
                resource = self._act(resource, plan, observed)
            else:
                self._write(resource, plan.status)
                return plan
        raise AssertionError("the plan does not settle")

    def settle(self, ref: ObjectRef, times: int = 4) -> Manifest:
        """Reconcile until the status stands; the status."""
        for _ in range(times):
            before = clone(self.world.objects[ref].get("status"))
            self.reconcile(ref)
            if self.world.objects[ref].get("status") == before:
                break
        status: Manifest = self.world.objects[ref].get("status", {})
        return status

    def _act(self, resource: Manifest, plan: Plan, observed: Observed) -> Manifest:
        for action in plan.actions:
            if isinstance(action, WriteStatus):
                resource = self._write(resource, plan.status)
                outcome = Outcome("Done")
            else:
                outcome = self.world.perform(action)
            observed.outcomes[action] = outcome
            if outcome.code != "Done":
                break
        return resource

    def _write(self, resource: Manifest, status: Manifest) -> Manifest:
        """First with the children that go, then they go, then without them."""
        listed = children(status)
        lost = [ref for ref in children(resource.get("status", {})) if ref not in listed]
        if lost:
            records = [r for r in resource["status"]["children"] if _ref(r) in lost]
            both = [*status.get("children", ()), *records]
            resource = self._store(resource, {**status, "children": both})
            for ref in lost:
                self.world.remove(ref)
                self.world.effect()
        return self._store(resource, status)

    def _store(self, resource: Manifest, status: Manifest) -> Manifest:
        if status == resource.get("status", {}):
            return resource
        if self.world.before_effect is not None:
            self.world.before_effect()
        ref = ref_of(resource)
        stored = self.world.objects.get(ref)
        version = resource["metadata"]["resourceVersion"]
        if stored is None or stored["metadata"]["resourceVersion"] != version:
            raise StaleError
        self.world.change(ref, status=clone(status))
        self.world.effect()
        return clone(self.world.objects[ref])


def _ref(record: Manifest) -> ObjectRef:
    return ObjectRef(record["apiVersion"], record["kind"], record["namespace"], record["name"])


def ready(status: Manifest, type_: str = "Ready") -> tuple[str, str, str]:
    """(status, reason, message) of a condition."""
    for found in status.get("conditions", []):
        if found["type"] == type_:
            return found["status"], found["reason"], found["message"]
    return "", "", ""
