"""Jobs: their manifests, and what the state of a Job and its pods means.

A workload's Job is created suspended and resumed only when its UID stands in the status. A writer
that is late (a former leader, a request that was delayed) can so create it again after it has
ended and was removed, but never start it again.
"""

from collections.abc import Mapping
from typing import Final

from leeward.formats.document import Document
from leeward.formats.jobconfig import CONFIG_FILE
from leeward.plans.shared.model import Context, Manifest, ObjectRef
from leeward.plans.shared.names import UID_ANNOTATION, Owner, metadata
from leeward.plans.shared.pods import CONTAINER, PodParts, pod_template

FINAL: Final = 2
"""Exit code by which the program says that another try ends the same."""
KILLED: Final = 137
"""Exit code of a container that was killed, as a rule for its memory, which another try under the
same limit would need again. Of several workers each may die: another one takes over."""
FIRST_INDEX: Final = 0
"""Of the pod of an Indexed Job that answers for all."""

JOB_CHILDREN: Final = (
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)
"""(apiVersion, kind) of what a plan makes around a Job and wants to hear of. Secrets are not among
them: they cannot be watched where workloads run."""


def config_map(owner: Owner, name: str, config: Document) -> Manifest:
    """The config of a job, which nobody can change once the API server has it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, name, "config"),
        "immutable": True,
        "data": {CONFIG_FILE: config.canonical().decode()},
    }


def job(
    placed: Manifest,
    parts: PodParts,
    context: Context,
    *,
    backoff_limit: int,
    deadline: int | None,
    suspended: bool,
    ttl: int | None = None,
    workers: int = 1,
) -> Manifest:
    """A Job of one pod at a time, or of several that share their work.

    Args:
        placed: Its metadata.
        parts: What its pod is made of.
        context: The installation.
        backoff_limit: How often a pod that failed is tried again.
        deadline: Seconds that it may run.
        suspended: Whether it starts no pod until it is resumed.
        ttl: Seconds after its end when Kubernetes removes it; None: it is removed by a plan.
        workers: How many pods there are at once.
    """
    spec: Manifest = {
        **(_indexed(workers, backoff_limit) if workers > 1 else _single(backoff_limit)),
        "suspend": suspended,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {
                        "containerName": CONTAINER,
                        "operator": "In",
                        "values": [FINAL] if workers > 1 else [FINAL, KILLED],
                    },
                },
            ]
        },
        "template": pod_template(parts, context),
    }
    if deadline is not None:
        spec["activeDeadlineSeconds"] = deadline
    if ttl is not None:
        spec["ttlSecondsAfterFinished"] = ttl
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": placed, "spec": spec}


def _single(backoff_limit: int) -> Manifest:
    return {"completions": 1, "parallelism": 1, "backoffLimit": backoff_limit}


def _indexed(workers: int, backoff_limit: int) -> Manifest:
    """Each pod is tried again so often; the Job has ended well when the one that answers has."""
    return {
        "completionMode": "Indexed",
        "completions": workers,
        "parallelism": workers,
        "backoffLimitPerIndex": backoff_limit,
        "maxFailedIndexes": 0,
        "successPolicy": {"rules": [{"succeededIndexes": str(FIRST_INDEX)}]},
    }


def job_ref(namespace: str, name: str) -> ObjectRef:
    """A Job by name."""
    return ObjectRef("batch/v1", "Job", namespace, name)


def config_ref(namespace: str, name: str) -> ObjectRef:
    """A ConfigMap by name."""
    return ObjectRef("v1", "ConfigMap", namespace, name)


def changed(owner: Owner, found: Manifest, wanted: Mapping[str, object]) -> Manifest | None:
    """What to apply so that a Job has these fields of its spec; None: it has them.

    Only these fields are applied: the template of a Job cannot change, and an operator of another
    release would write another one.
    """
    spec = found.get("spec") or {}
    fields = {name: value for name, value in wanted.items() if value is not None}
    if all(spec.get(name) == value for name, value in fields.items()):
        return None
    placed = found["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": placed["name"],
            "namespace": placed["namespace"],
            "annotations": {UID_ANNOTATION: owner.uid},
        },
        "spec": fields,
    }
