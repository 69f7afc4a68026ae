"""What the state of a Job and its pods means for whoever waits for it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import ValidationError

from leeward.formats.result import RETRYABLE, AnyResult, Result, ResultError, parse_result
from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.jobs import FIRST_INDEX
from leeward.plans.shared.model import Manifest
from leeward.plans.shared.pods import CONTAINER

JOB_UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
IMAGE_MISSING: Final = "ImageMissing"
PATIENCE: Final = 30.0
"""Seconds without a pod after which a Job is said to get none."""

_IMAGE_REASONS: Final = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_START_REASONS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


@dataclass(frozen=True, slots=True)
class Active:
    """The Job has not ended.

    Attributes:
        phase: Suspended; Starting (no container runs yet); Running; Stuck (something is wrong that
            may come right).
        reason: Of the condition.
        message: What is the case, and what to do.
        pod: The pod that runs or shall run.
        held_up: Whether a pod was given a node and has not started for a while.
    """

    phase: Literal["Suspended", "Starting", "Running", "Stuck"]
    reason: str
    message: str
    pod: Manifest | None = None
    held_up: bool = False


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The Job has ended well, or is about to be said to have.

    Attributes:
        answer: Of its pod, if there is one left that can be read.
        lost: Whether no pod is left that could answer.
    """

    answer: AnyResult | None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The Job has failed for good.

    Attributes:
        reason: Of the condition.
        message: What is wrong and what to do.
        result: What the pod answered.
        started: Whether a container ever ran, so that something may lie on the volume.
    """

    reason: str
    message: str
    result: Result | None = None
    started: bool = True


JobState: TypeAlias = Active | Succeeded | Failed


def read_job(job: Manifest | None, pods: Sequence[Manifest], now: datetime.datetime) -> JobState:
    """The state of a Job that was started once; None: it is gone."""
    pods = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    if job is None:
        return _gone(pods)
    if _job_condition(job, "Complete") is not None:
        lost = "Succeeded" not in _phases(_answering(pods))
        return Succeeded(_answer(pods, "Succeeded"), lost=lost)
    failed = _job_condition(job, "Failed")
    if failed is not None:
        return _failed(job, failed, pods)
    answer = None if _job_condition(job, "FailureTarget") else _answer(pods, "Succeeded")
    if answer is not None:
        # A pod that is being removed is gone as soon as the Job controller has counted it.
        return Succeeded(answer)
    return _active(job, pods, now)


def lacks_image(state: Active, job: Manifest, pods: Sequence[Manifest]) -> bool:
    """Whether a Job waits for its image, and none of its pods has run yet."""
    failed = (job.get("status") or {}).get("failed", 0)
    return state.reason == IMAGE_MISSING and not failed and not _started(pods)


def own_pods(pods: Sequence[Manifest], job_uid: str) -> list[Manifest]:
    """Those of the pods that the Job with this UID controls.

    Labels, by which pods are found, can be put on any pod, and what a pod of the Job says is
    believed. An ownerReference is what the Job controller itself goes by.
    """
    return [pod for pod in pods if _controller(pod) == job_uid]


def left_pods(pods: Sequence[Manifest], job_uid: str) -> list[Manifest]:
    """Its own, and those that bear its label and were orphaned: they may still run."""
    return [
        pod
        for pod in pods
        if _controller(pod) == job_uid
        or (
            _controller(pod) is None
            and (pod["metadata"].get("labels") or {}).get(JOB_UID_LABEL) == job_uid
        )
    ]


def unfinished(pods: Sequence[Manifest]) -> list[Manifest]:
    """Those that run or may yet run, also while they are being removed."""
    return [
        pod
        for pod in pods
        if (pod.get("status") or {}).get("phase", "Pending") in {"Pending", "Running"}
    ]


def _controller(pod: Manifest) -> str | None:
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def _job_condition(job: Manifest, type_: str) -> Manifest | None:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] == type_ and condition["status"] == "True":
            found: Manifest = condition
            return found
    return None


def _gone(pods: Sequence[Manifest]) -> JobState:
    answer = _answer(pods, "Succeeded")
    if answer is not None:
        return Succeeded(answer)
    return Failed(
        "JobLost",
        "the Job was deleted while it ran, and its result with it; it is not run a second time:"
        " delete this resource and create it again",
    )


def is_indexed(job: Manifest) -> bool:
    """Whether several pods work on a Job at once."""
    return (job.get("spec") or {}).get("completionMode") == "Indexed"


def _answering(pods: Sequence[Manifest]) -> list[Manifest]:
    """Those that answer for all: of several workers the first."""
    first = str(FIRST_INDEX)
    return [
        pod for pod in pods if (pod["metadata"].get("labels") or {}).get(_INDEX, first) == first
    ]


def _answer(pods: Sequence[Manifest], phase: str) -> AnyResult | None:
    for pod in reversed(_answering(pods)):
        if (pod.get("status") or {}).get("phase") == phase:
            answer = _message(pod)
            if answer is not None:
                return answer
    return None


def _phases(pods: Sequence[Manifest]) -> set[str | None]:
    return {(pod.get("status") or {}).get("phase") for pod in pods}


def _message(pod: Manifest) -> AnyResult | None:
    terminated = (_container(pod).get("state") or {}).get("terminated") or {}
    try:
        return parse_result(terminated.get("message") or "")
    except ValidationError:
        return None


def _container(pod: Manifest) -> Manifest:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] == CONTAINER:
            found: Manifest = status
            return found
    return {}


def _started(pods: Sequence[Manifest]) -> bool:
    for pod in pods:
        container = _container(pod)
        state = {**(container.get("lastState") or {}), **(container.get("state") or {})}
        if "running" in state or "terminated" in state:
            return True
    return False


def _failed(job: Manifest, condition: Manifest, pods: Sequence[Manifest]) -> Failed:
    started = _started(pods) or not pods
    if condition.get("reason") == "DeadlineExceeded":
        return Failed(
            "DeadlineExceeded",
            "it ran for longer than it may: raise spec.activeDeadline, or give it more cpu in"
            " spec.resources",
            started=started,
        )
    causes = [found for pod in reversed(pods) if (found := _pod_failure(pod)) is not None]
    if causes:
        return min(causes, key=_is_consequence) if is_indexed(job) else causes[0]
    return Failed(
        "PodFailed",
        f"the Job failed ({condition.get('reason', 'no reason given')}) and no pod is left that"
        " says why: create it again, and look at its logs while it runs",
        started=started,
    )


def _is_consequence(cause: Failed) -> int:
    """What one of several workers says comes last where it was only stopped, or may try again."""
    code = cause.result.error.code if cause.result and cause.result.error else None
    return 2 if code == "Interrupted" else int(code in RETRYABLE)


def _pod_failure(pod: Manifest) -> Failed | None:
    status = pod.get("status") or {}
    if status.get("phase") != "Failed":
        return None
    terminated = (_container(pod).get("state") or {}).get("terminated") or {}
    answer = _message(pod)
    if isinstance(answer, Result) and answer.error is not None:
        return Failed(answer.error.code, error_message(answer.error), answer)
    if terminated.get("reason") == "OOMKilled" or "OOM-killed" in terminated.get("message", ""):
        return Failed("PodOutOfMemory", _OUT_OF_MEMORY)
    if status.get("reason") == "Evicted":
        return Failed(
            "PodEvicted",
            f"the node evicted the pod: {status.get('message', 'no reason given')}. Raise"
            " spec.resources.requests, so that it is placed where there is room",
        )
    code = terminated.get("exitCode")
    ended = "ended without saying why" if code is None else f"ended with exit code {code}"
    return Failed(
        "PodFailed",
        f"the pod {pod['metadata']['name']} {ended}: look at its logs (leeward logs)",
        started=bool(terminated),
    )


def error_message(error: ResultError) -> str:
    """What a pod says is wrong, where, and what to do."""
    places = []
    if error.row is not None and f"row {error.row}" not in error.message:
        places.append(f"row {error.row}")
    if error.column is not None and error.column not in error.message:
        places.append(f'column "{error.column}"')
    where = f" ({', '.join(places)})" if places else ""
    return f"{error.message}{where}: {error.remedy}"


_OUT_OF_MEMORY: Final = (
    "the pod needed more memory than its limit and was killed: raise spec.resources.limits.memory,"
    " and create it again"
)


_ENDING: Final = Active("Running", "Ending", "the pod has ended; its result is taken up")
"""Between the end of the container and the word of the Job controller."""


def _active(job: Manifest, pods: Sequence[Manifest], now: datetime.datetime) -> Active:
    if (job.get("spec") or {}).get("suspend"):
        return Active("Suspended", "Suspended", "suspended: set spec.suspend to false to go on")
    if _job_condition(job, "FailureTarget") or _job_condition(job, "SuccessCriteriaMet"):
        return _ENDING
    alive = [pod for pod in unfinished(pods) if "deletionTimestamp" not in pod["metadata"]]
    if not alive:
        return _without_pod(job, pods, now)
    running = [pod for pod in alive if "running" in (_container(pod).get("state") or {})]
    if is_indexed(job) and running:
        told = f"{len(running)} of {job['spec']['completions']} workers run"
        return Active("Running", "Running", told, (_answering(running) or running)[-1])
    pod = alive[-1]
    container = _container(pod)
    state = container.get("state") or {}
    if "running" in state:
        return Active("Running", "Running", f"pod {pod['metadata']['name']} runs", pod)
    if "terminated" in state:
        return _ENDING
    waiting = state.get("waiting") or {}
    if waiting.get("reason") in _IMAGE_REASONS:
        return _image_missing(pod, container, waiting)
    if waiting.get("reason") in _START_REASONS:
        return Active(
            "Stuck",
            "PodNotStarted",
            f"the container does not start ({waiting['reason']}): look at the events of pod"
            f" {pod['metadata']['name']}",
            pod,
            held_up=True,
        )
    return _pending(pod, now)


_LEAVING: Final = (
    "a pod is being removed: where it does not end well before it goes, another one follows it"
)


def _without_pod(job: Manifest, pods: Sequence[Manifest], now: datetime.datetime) -> Active:
    # A pod that its node gave up is not counted by the Job, and another one follows it.
    given_up = [moment for pod in pods if (moment := _disrupted(pod)) is not None]
    phases = [(pod.get("status") or {}).get("phase") for pod in pods if _disrupted(pod) is None]
    failed = (job.get("status") or {}).get("failed", 0)
    if "Succeeded" in _phases(_answering(pods)) or phases.count("Failed") > failed:
        return _ENDING
    leaving = [pod for pod in pods if "running" in (_container(pod).get("state") or {})]
    if leaving:
        return Active("Running", "Retrying", _LEAVING, leaving[-1])
    if {"Pending", "Running"} & set(phases):
        return Active("Starting", "Retrying", "a pod is being removed, and another one follows it")
    if failed and pods:
        cause = _pod_failure(pods[-1])
        why = f": {cause.message}" if cause else ""
        return Active("Starting", "Retrying", f"a pod failed and is tried again{why}")
    begun = (job.get("status") or {}).get("startTime")
    since = None if begun is None else max([parse_timestamp(begun), *given_up])
    if since is None or (now - since).total_seconds() <= PATIENCE:
        return Active("Starting", "Starting", "waiting for the pod")
    return Active(
        "Stuck",
        "PodRefused",
        "the Job gets no pod: as a rule a ResourceQuota, a LimitRange or Pod Security of the"
        " namespace refuses it, or its PriorityClass does not exist; see: kubectl describe job"
        f" {job['metadata']['name']} -n {job['metadata']['namespace']}, and raise the quota, or"
        " create this resource again with other spec.resources or spec.podTemplate",
    )


def _disrupted(pod: Manifest) -> datetime.datetime | None:
    """When a pod that has failed was given up by its node (eviction, drain); None: it was not."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            gone = status.get("phase") == "Failed"
            return parse_timestamp(condition["lastTransitionTime"]) if gone else None
    return None


def _image_missing(pod: Manifest, container: Manifest, waiting: Manifest) -> Active:
    image = container.get("image") or pod["spec"]["containers"][0]["image"]
    return Active(
        "Stuck",
        IMAGE_MISSING,
        f"the image {image} cannot be pulled ({waiting['reason']}): push it where the nodes find"
        " it, correct masking.image in the Helm values, or name a pull secret there; it goes on by"
        " itself then",
        pod,
    )


def _pending(pod: Manifest, now: datetime.datetime) -> Active:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Active(
                "Stuck",
                "Unschedulable",
                f"no node takes the pod: {condition.get('message', 'no reason given').rstrip('.')}."
                " It goes on by itself once a node has room and fits; else create this resource"
                " again with other spec.resources.requests or spec.podTemplate",
                pod,
            )
    created = pod["metadata"].get("creationTimestamp")
    waited = (now - parse_timestamp(created)).total_seconds() if created else 0.0
    if waited > PATIENCE:
        return Active(
            "Starting",
            "Starting",
            f"pod {pod['metadata']['name']} waits for its volumes, keys or container for"
            f" {int(waited // 30) * 30} s: look at its events if this goes on",
            pod,
            held_up=True,
        )
    return Active("Starting", "Starting", "the pod starts", pod)
