"""The Job that changes who can open a Dataset's file, or encrypts it anew."""

import datetime
from dataclasses import dataclass
from typing import Final

from leeward.formats.jobconfig import ReencryptConfig, RewrapConfig, StoredReport
from leeward.formats.result import Result
from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.inventory import enter, secret_ref, strike
from leeward.plans.shared.jobs import config_map, config_ref, job, job_ref
from leeward.plans.shared.locations import Places, pod_path
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    DeliverKeys,
    Manifest,
    Need,
    Plan,
    PodsOf,
    WriteStatus,
)
from leeward.plans.shared.names import (
    UID_ANNOTATION,
    child_name,
    labels,
    metadata,
    ref_of,
    secret_name,
    short_hash,
)
from leeward.plans.shared.pods import PodParts
from leeward.plans.shared.podstate import Active, Failed, Succeeded, own_pods, read_job
from leeward.plans.shared.policies import job_policy, policy_steps
from leeward.plans.shared.refusals import refusal
from leeward.plans.shared.steps import Progression, progress
from leeward.plans.shared.verdict import Denied

CONDITION: Final = "RotationComplete"
ROLE: Final = "rewrap"
OLD_ROLE: Final = "old"
NEW_ROLE: Final = "new"
_REWRAP_DEADLINE: Final = 600
_REENCRYPT_DEADLINE: Final = 24 * 3600
_TTL: Final = 3600
_BACKOFF_LIMIT: Final = 2
_POLL: Final = 10.0
_FIRST_PAUSE: Final = 60
_LONGEST_PAUSE: Final = 3600


@dataclass(frozen=True, slots=True)
class Task:
    """What a Job is to do.

    Attributes:
        config: What its pod reads.
        keys: (role, artefact key id) of each key that it is given.
    """

    config: RewrapConfig | ReencryptConfig
    keys: tuple[tuple[str, str], ...]


def run(view: View, task: Task) -> Plan | Result | Denied:
    """Have the task done: a plan while it is under way, then what came of it.

    Name and Secret of the Job stand in ``status.replacement`` before either is made, and its UID
    before it is waited for: a former leader who is late makes no second one.
    """
    name = _name(view, task)
    record: Manifest = view.status["replacement"]
    if record.get("job") != name:
        return _begin(view, name)
    namespace = view.owner.namespace
    ref = job_ref(namespace, name)
    if "jobUid" in record and view.observed.current(ref) != view.observed.seen.get(ref):
        # Made in this look: of its pod the watch will tell.
        return Plan(view.status, requeue_after=_POLL)
    unseen = tuple(need for need in _needs(view, name) if not view.observed.has(need))
    if unseen:
        return Plan(view.status, needs=unseen)
    if "jobUid" not in record:
        return _make(view, task, name)
    made: Manifest | None = view.observed.get(ref)
    if made is not None and made["metadata"]["uid"] != record["jobUid"]:
        made = None
    pods = own_pods(view.observed.get(PodsOf(namespace, name)), record["jobUid"])
    match read_job(made, pods, view.context.now):
        case Active() as active:
            return _wait(view, task, active)
        case Succeeded(answer):
            if isinstance(answer, Result):
                return answer
            return Denied("ResultLost", "the Job ended, but its answer is gone; it is made again")
        case Failed() as failed:
            return Denied(failed.reason, failed.message)


def _needs(view: View, name: str) -> tuple[Need, ...]:
    ref = job_ref(view.owner.namespace, name)
    if "jobUid" not in view.status["replacement"]:
        return ref_of(job_policy(view.owner, view.context)), ref
    return ref, PodsOf(view.owner.namespace, name)


def say(view: View) -> None:
    """Say in the condition how far the replacement is."""
    reason, message = _WORDS[view.status["replacement"]["phase"]]
    view.draft.set(CONDITION, False, reason, message)


_WORDS: Final = {
    "Adding": ("Adding", "the new key is written into the header of the file, beside the old one"),
    "Distributing": ("Distributing", "long-lived pods get the new key beside the old one"),
    "Draining": ("Draining", "workloads that began with the old key end; others get the new one"),
    "Encrypting": ("Encrypting", "the file is encrypted anew"),
    "Removing": ("Removing", "the old key is taken out of the file"),
    "Destroying": ("Destroying", "the old key is destroyed"),
    "Waiting": ("Waiting", "it is tried again"),
}


def tidy(view: View) -> None:
    """Have the Job removed, with its config and its Secret; a failed one stays, for its logs."""
    record: Manifest = view.status["replacement"]
    gone = {record.pop("job", None), record.pop("secret", None)}
    record.pop("jobUid", None)
    strike(view.draft, lambda ref: ref.name in gone)


def put_off(view: View, denied: Denied) -> None:
    """Record that it failed, and when it is tried again. Its Secret goes."""
    record: Manifest = view.status["replacement"]
    attempts = record.get("attempts", 0) + 1
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(10, attempts - 1))
    secret = record.pop("secret", None)
    strike(view.draft, lambda ref: ref.name == secret)
    record |= {
        "attempts": attempts,
        "retryAt": timestamp(view.context.now + datetime.timedelta(seconds=pause)),
        "reason": denied.reason,
        "message": denied.message,
    }


def _name(view: View, task: Task) -> str:
    made_with = (view.context.masking_image, view.context.image_pull_secrets)
    attempts = view.status["replacement"].get("attempts", 0)
    digest = task.config.content_digest()
    return child_name(
        view.owner, f"rw-{short_hash(view.owner.uid, digest, task.keys, attempts, made_with)}"
    )


def adding(view: View) -> Task:
    """Write the new key into the header, beside the old one."""
    record: Manifest = view.status["replacement"]
    config = RewrapConfig(
        path=file_path(view),
        file_id=view.status["sourceId"],
        open_role=OLD_ROLE,
        add_role=NEW_ROLE,
        report=stored_report(view),
    )
    return Task(config, ((OLD_ROLE, record["previousKeyId"]), (NEW_ROLE, record["keyId"])))


def file_path(view: View) -> str:
    """The file, as a pod sees it that may write it."""
    return pod_path(view.spec.location, "output")


def stored_report(view: View) -> StoredReport | None:
    """The report beside the file, which is to have its recipients; None: it has none."""
    report = view.status.get("report")
    if report is None or "sourceId" not in report:
        return None
    return StoredReport(
        path=pod_path(view.spec.location.at(report["path"]), "output"),
        digest=report["digest"],
        file_id=report["sourceId"],
    )


def announce(view: View, task: Task) -> None:
    """Enter the Job of a task, and all that is made for it; it is to be stored before any is."""
    _enter(view, _name(view, task))


def _begin(view: View, name: str) -> Plan:
    _enter(view, name)
    return Plan(view.status, actions=(WriteStatus(),))


def _enter(view: View, name: str) -> None:
    record: Manifest = view.status["replacement"]
    tidy(view)
    record |= {"job": name, "secret": secret_name(view.context.random)}
    for field in ("retryAt", "reason", "message"):
        record.pop(field, None)
    namespace = view.owner.namespace
    refs = (
        ref_of(job_policy(view.owner, view.context)),
        config_ref(namespace, name),
        secret_ref(namespace, record["secret"]),
        job_ref(namespace, name),
    )
    enter(view.draft, refs)


def _make(view: View, task: Task, name: str) -> Plan | Denied:
    stopped = _carry_on(view, progress(view.observed, _steps(view, task, name)))
    if stopped is not None:
        return stopped
    made: Manifest = view.observed.current(job_ref(view.owner.namespace, name))
    view.status["replacement"]["jobUid"] = made["metadata"]["uid"]
    return Plan(view.status, actions=(WriteStatus(),))


def _steps(view: View, task: Task, name: str) -> list[Action]:
    steps = policy_steps(view)
    if view.observed.seen.get(job_ref(view.owner.namespace, name)) is None:
        steps.append(Apply(config_map(view.owner, name, task.config)))
        # The keys first: where one of them is gone by now, it is a Job of yesterday.
        steps.append(_delivery(view, task))
        steps.append(Create(_job(view, task, name)))
    return steps


def _delivery(view: View, task: Task) -> DeliverKeys:
    return DeliverKeys(
        namespace=view.owner.namespace,
        name=view.status["replacement"]["secret"],
        owner=view.owner.reference,
        keys=task.keys,
        labels=labels(view.owner, "keys"),
    )


def _wait(view: View, task: Task, active: Active) -> Plan | Denied:
    if active.held_up:
        stopped = _carry_on(view, progress(view.observed, (_delivery(view, task),)))
        if stopped is not None:
            return stopped
    if active.phase == "Stuck":
        view.draft.set(CONDITION, False, active.reason, active.message)
    return Plan(view.status, requeue_after=_POLL)


def _carry_on(view: View, steps: Progression) -> Plan | Denied | None:
    if steps.failed is not None:
        return refusal(view.owner.namespace, *steps.failed)
    if steps.pending:
        return Plan(view.status, actions=steps.pending)
    return None


def _job(view: View, task: Task, name: str) -> Manifest:
    parts = PodParts(
        image=view.context.masking_image,
        config=name,
        config_digest=task.config.content_digest(),
        secret=view.status["replacement"]["secret"],
        places=Places(output=view.spec.location),
        labels=labels(view.owner, ROLE),
        annotations={UID_ANNOTATION: view.owner.uid},
    )
    long = isinstance(task.config, ReencryptConfig)
    return job(
        metadata(view.owner, name, ROLE),
        parts,
        view.context,
        backoff_limit=_BACKOFF_LIMIT,
        deadline=_REENCRYPT_DEADLINE if long else _REWRAP_DEADLINE,
        suspended=False,
        ttl=_TTL,
    )
