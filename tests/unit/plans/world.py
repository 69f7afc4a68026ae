"""A world for plans, in memory: objects, wrapped keys, Jobs and their pods, and the engine's ports.

A test steps the Job controller, has actions refused, and has the operator killed at
any effect.
"""

from __future__ import annotations

import datetime
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakeapi.documents import clone
from leeward.kube.resources import object_path
from leeward.plans.shared.model import (
    AckResult,
    Action,
    Apply,
    Create,
    Delete,
    Manifest,
    Need,
    ObjectRef,
    Outcome,
    PatchStatus,
    PodsOf,
    ProgressOf,
    ResultOf,
    SetFinalizer,
)
from leeward.plans.shared.names import UID_ANNOTATION, ref_of
from unit.plans.keyworld import NOW, PEM, SimulatedKeys, stamp

__all__ = ["NOW", "PEM", "CrashError", "StaleError", "World", "condition", "merge", "stamp"]

IMAGE = "registry.example/leeward-masking@sha256:" + "ab" * 32


class CrashError(Exception):
    """The operator was killed."""


class StaleError(Exception):
    """What was read is not what is there: a status of another version, an object of another UID."""


@dataclass
class World(SimulatedKeys):
    """Everything outside the plans."""

    progress: dict[str, Manifest] = field(default_factory=dict)
    results: dict[str, Manifest] = field(default_factory=dict)
    refusals: list[Callable[[Action], Outcome | None]] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)
    started: Counter[str] = field(default_factory=Counter)
    before_effect: Callable[[], None] | None = None
    crash_after: int | None = None
    image: str = IMAGE
    models_image: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    # --- for tests --------------------------------------------------------------------------------

    def add(self, manifest: Manifest) -> Manifest:
        """Put an object there."""
        made = clone(manifest)
        number = next(self._numbers)
        made["metadata"].setdefault("uid", f"uid-{number}")
        made["metadata"].setdefault("generation", 1)
        made["metadata"]["resourceVersion"] = str(number)
        made["metadata"].setdefault("creationTimestamp", stamp(self.now))
        self.objects[ref_of(made)] = made
        return made

    def change(self, ref: ObjectRef, **parts: Any) -> None:
        """Replace top-level parts of an object; a new spec is a new generation."""
        found = self.objects[ref]
        made = {**found, "metadata": clone(found["metadata"]), **parts}
        if "spec" in parts:
            made["metadata"]["generation"] += 1
        made["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[ref] = made

    def annotate(self, ref: ObjectRef, **annotations: str) -> None:
        """Set annotations (leeward.dev/NAME)."""
        metadata = clone(self.objects[ref]["metadata"])
        named = {f"leeward.dev/{name}": value for name, value in annotations.items()}
        metadata["annotations"] = {**metadata.get("annotations", {}), **named}
        self.change(ref, metadata=metadata)

    def remove(self, ref: ObjectRef) -> None:
        """Delete an object and what it owns."""
        gone = self.objects.pop(ref, None)
        if gone is None:
            return
        uid = gone["metadata"]["uid"]
        for other, manifest in list(self.objects.items()):
            owners = manifest["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == uid for owner in owners):
                self.remove(other)

    def delete(self, ref: ObjectRef) -> None:
        """What kubectl delete does: an object with finalizers waits."""
        if self.objects[ref]["metadata"].get("finalizers"):
            deleted = {"deletionTimestamp": stamp(self.now)}
            self.change(ref, metadata={**self.objects[ref]["metadata"], **deleted})
        else:
            self.remove(ref)

    def of_kind(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [manifest for ref, manifest in self.objects.items() if ref.kind == kind]

    def only(self, kind: str) -> Manifest:
        """The one object of a kind."""
        (found,) = self.of_kind(kind)
        return found

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now += datetime.timedelta(seconds=seconds)

    # --- Jobs and their pods ----------------------------------------------------------------------

    def start_pod(
        self, job: Manifest | None = None, index: int | None = None, **container_state: Any
    ) -> Manifest:
        """What the Job controller and the kubelet do: one pod of the Job, running by default."""
        job = job or self.only("Job")
        assert not job["spec"]["suspend"], "a suspended Job gets no pod"
        template = job["spec"]["template"]
        number = next(self._numbers)
        self.started[job["metadata"]["uid"]] += 1
        if "startTime" not in job.setdefault("status", {}):
            job["status"]["startTime"] = stamp(self.now)
        uid = job["metadata"]["uid"]
        indexed = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
        return self.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{job['metadata']['name']}-{number}",
                    "namespace": job["metadata"]["namespace"],
                    "labels": {
                        **template["metadata"]["labels"],
                        "batch.kubernetes.io/job-name": job["metadata"]["name"],
                        "batch.kubernetes.io/controller-uid": uid,
                        **indexed,
                    },
                    "ownerReferences": [
                        {
                            "apiVersion": "batch/v1",
                            "kind": "Job",
                            "name": job["metadata"]["name"],
                            "uid": uid,
                            "controller": True,
                        }
                    ],
                },
                "spec": clone(template["spec"]),
                "status": {
                    "phase": "Running" if not container_state else "Pending",
                    "podIP": "10.244.0.9",
                    "containerStatuses": [
                        {"name": "masking", "state": container_state or {"running": {}}}
                    ],
                },
            }
        )

    def end_pod(self, pod: Manifest, phase: str, **terminated: Any) -> None:
        """The container has ended."""
        pod["status"]["phase"] = phase
        pod["status"]["containerStatuses"][0]["state"] = {"terminated": terminated}

    def succeed(self, result: Manifest, job: Manifest | None = None) -> None:
        """The Job's pod answers and the Job is Complete."""
        job = job or self.only("Job")
        pod = self.start_pod(job)
        self.end_pod(pod, "Succeeded", exitCode=0, message=json.dumps(result))
        condition(job, "Complete", "")

    def fail(self, **end: Any) -> None:
        """The Job's pod fails and the Job with it."""
        job = self.only("Job")
        pod = self.start_pod(job)
        self.end_pod(pod, "Failed", **end)
        condition(job, "Failed", "PodFailurePolicy")

    # --- the ports of the engine ------------------------------------------------------------------

    def look(self, need: Need) -> Any:
        """What is there."""
        match need:
            case ObjectRef():
                object_path(need)  # raises for a kind that the operator does not know
                return clone(self.objects.get(need))
            case PodsOf(namespace, job):
                return [
                    clone(pod)
                    for pod in self.of_kind("Pod")
                    if pod["metadata"]["namespace"] == namespace
                    and pod["metadata"]["labels"].get("batch.kubernetes.io/job-name") == job
                ]
            case ProgressOf(_, pod, _):
                return self.progress.get(pod)
            case ResultOf(_, pod, _, _):
                return self.results.get(pod)
            case _:
                return self.look_at_keys(need)

    def perform(self, action: Action) -> Outcome:
        """Do it, unless a test has it refused."""
        if self.before_effect is not None:
            self.before_effect()
        for refuse in self.refusals:
            refused = refuse(action)
            if refused is not None:
                return refused
        self.done.append(action)
        outcome = self._perform(action)
        self.effect()
        return outcome

    def _perform(self, action: Action) -> Outcome:
        match action:
            case Apply(manifest):
                return self._apply(manifest)
            case Create(manifest):
                return self._create(manifest)
            case Delete(ref, uid):
                if ref in self.objects and self.objects[ref]["metadata"]["uid"] != uid:
                    raise StaleError
                self.remove(ref)
            case PatchStatus(ref, status):
                if ref not in self.objects:
                    return Outcome("Missing")
                before = self.objects[ref].get("status", {})
                self.change(ref, status={**before, **clone(status)})
            case SetFinalizer():
                self._set_finalizers(action)
            case AckResult(_, pod, _, _):
                self.results.pop(pod, None)
            case _:
                return self.keep_keys(action)
        return Outcome("Done")

    def _set_finalizers(self, action: SetFinalizer) -> None:
        ref = ObjectRef(action.api_version, action.kind, action.namespace, action.name)
        found = self.objects.get(ref)
        if found is None or found["metadata"]["resourceVersion"] != action.resource_version:
            raise StaleError
        self.change(ref, metadata={**found["metadata"], "finalizers": list(action.finalizers)})
        if "deletionTimestamp" in found["metadata"] and not action.finalizers:
            self.remove(ref)

    def effect(self) -> None:
        """Something was changed: a crash may come now."""
        if self.crash_after is None:
            return
        self.crash_after -= 1
        if self.crash_after < 0:
            self.crash_after = None
            raise CrashError

    def _apply(self, manifest: Manifest) -> Outcome:
        ref = ref_of(manifest)
        found = self.objects.get(ref)
        if found is None:
            if ref.kind == "Job" and "template" not in manifest["spec"]:
                return Outcome("Invalid", "spec.template: Required value")
            self.created[ref] += 1
            return Outcome("Done", result=clone(self.add(manifest)))
        merged = merge(found, manifest)
        merged["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[ref] = merged
        return Outcome("Done", result=clone(merged))

    def _create(self, manifest: Manifest) -> Outcome:
        ref = ref_of(manifest)
        found = self.objects.get(ref)
        if found is None:
            self.created[ref] += 1
            return Outcome("Done", result=clone(self.add(manifest)))
        uid = manifest["metadata"]["annotations"][UID_ANNOTATION]
        ours = (found["metadata"].get("annotations") or {}).get(UID_ANNOTATION) == uid
        return Outcome("Done" if ours else "Conflict", result=clone(found))


def condition(job: Manifest, type_: str, reason: str) -> None:
    job.setdefault("status", {}).setdefault("conditions", []).append(
        {"type": type_, "status": "True", "reason": reason}
    )


def merge(target: Any, patch: Any) -> Any:
    """Server-side apply, as far as plans can tell."""
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return clone(patch)
    return {**target, **{name: merge(target.get(name), value) for name, value in patch.items()}}
