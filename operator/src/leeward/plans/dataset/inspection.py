"""The inspection of a Dataset's file: a Job that reads it and says what it is.

An inspection changes nothing, so one that was lost is simply made again. It is made for a *token*:
the file's place and options, the key, and the annotation by which another look is asked for. When
the token changes, so does the inspection.
"""

import datetime
from typing import Final

from leeward.api.dataset import INSPECT_ANNOTATION
from leeward.formats.jobconfig import InspectConfig, SourceFile
from leeward.plans.dataset.view import View, public_key_name
from leeward.plans.shared.conditions import parse_timestamp, timestamp
from leeward.plans.shared.inventory import enter, secret_ref, strike
from leeward.plans.shared.jobs import config_map, config_ref, job, job_ref
from leeward.plans.shared.locations import Places, pod_path, pod_store
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    DeliverKeys,
    Manifest,
    ObjectRef,
    Plan,
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
from leeward.plans.shared.policies import job_policy, policy_steps

ROLE: Final = "inspect"
WAIT_SECONDS: Final = 60
"""A pod that waits holds its share of a node, so it does not wait long; others look later."""
_DEADLINE: Final = 6 * 3600
_TTL: Final = 3600
_BACKOFF_LIMIT: Final = 2
_FIRST_PAUSE: Final = 60
_LONGEST_PAUSE: Final = 3600
_AGAIN: Final = frozenset(
    {
        "BucketMissing",
        "CredentialsMissing",
        "CredentialsRefused",
        "FileMissing",
        "Interrupted",
        "Internal",
        "DeadlineExceeded",
        "PodEvicted",
        "PodFailed",
        "PodOutOfMemory",
        "ResultLost",
        "StoreNotTrusted",
        "StoreRefused",
        "StoreUnavailable",
        "VolumeUnavailable",
    }
)
"""Ends after which another inspection is made by itself: they may come right without a word."""


def token(view: View) -> str:
    """What an inspection is made for."""
    asked = view.owner.annotations.get(INSPECT_ANNOTATION, "")
    return short_hash(config(view).content_digest(), view.status.get("keyId", ""), asked)


def config(view: View) -> InspectConfig:
    """What the pod is told. A sealed file without a known key is only asked who can open it."""
    return InspectConfig(
        source=SourceFile(
            path=pod_path(view.spec.location, "source"),
            store=pod_store(view.spec.location, "source"),
            format=view.spec.format,
            csv=view.spec.csv,
            key_role="source" if "keyId" in view.status else None,
        ),
        sealed=view.key is not None,
        wait_seconds=WAIT_SECONDS,
    )


def is_current(view: View) -> bool:
    """Whether the recorded inspection is of the data as it is asked for now."""
    last: Manifest | None = view.status.get("inspection")
    return last is not None and bool(last["token"] == token(view))


def keep_current(view: View) -> None:
    """Let the recorded inspection go on to count, although the file has another key now."""
    view.draft.put(inspection={**view.status["inspection"], "token": token(view)})


def is_due(view: View) -> bool:
    """Whether another inspection is to be made."""
    last: Manifest | None = view.status.get("inspection")
    if last is None or last["token"] != token(view):
        return True
    if "retryAt" not in last:
        return False
    stored = view.resource.get("status") or {}
    if stored.get("observedGeneration") != view.owner.generation:
        return True
    return parse_timestamp(last["retryAt"]) <= view.context.now


def is_outdated(view: View) -> bool:
    """Whether the recorded inspection would have another Job now (see ``starting.is_outdated``)."""
    record = view.status["inspection"]
    return bool(_name(view, record["token"], record["attempts"]) != record["name"])


def _name(view: View, made_for: str, attempts: int) -> str:
    made_with = (view.context.masking_image, view.context.image_pull_secrets)
    return child_name(view.owner, short_hash(view.owner.uid, made_for, attempts, made_with))


def begin(view: View) -> Plan:
    """Record the next inspection."""
    last: Manifest = view.status.get("inspection") or {}
    made_for = token(view)
    attempts = 1
    if last.get("token") == made_for:
        # One that ends without a result, since its image is replaced, was no attempt.
        attempts = last["attempts"] + ("result" in last)
    name = _name(view, made_for, attempts)
    record: Manifest = {"name": name, "token": made_for, "attempts": attempts}
    if "keyId" in view.status:
        record["secret"] = secret_name(view.context.random)
    view.draft.put(inspection=record)
    tidy(view)
    if last.get("result") != "FileMissing":
        view.draft.set("Ready", False, "Inspecting", "an inspection of the file begins")
    namespace = view.owner.namespace
    refs = [ref_of(job_policy(view.owner, view.context)), config_ref(namespace, name)]
    if "secret" in record:
        refs.append(secret_ref(namespace, record["secret"]))
    enter(view.draft, [*refs, job_ref(namespace, name)])
    return Plan(view.status, actions=(WriteStatus(),))


def steps(view: View) -> tuple[ObjectRef, ...] | list[Action]:
    """What to make (again) for the recorded inspection, or what to look at first."""
    record = view.status["inspection"]
    namespace, name = view.owner.namespace, record["name"]
    needs = (
        ref_of(job_policy(view.owner, view.context)),
        config_ref(namespace, name),
        job_ref(namespace, name),
    )
    unseen = tuple(need for need in needs if not view.observed.has(need))
    if unseen:
        return unseen
    made = policy_steps(view)
    if view.observed.current(needs[1]) is None:
        made.append(Apply(config_map(view.owner, name, config(view))))
    found: Manifest | None = view.observed.current(needs[2])
    if found is None:
        made.extend(delivery(view))
        made.append(Create(_job(view, name)))
    return made


def delivery(view: View) -> list[Action]:
    """How the pod gets its key, if it needs one; doing it again changes nothing."""
    record = view.status["inspection"]
    if "secret" not in record:
        return []
    return [
        DeliverKeys(
            namespace=view.owner.namespace,
            name=record["secret"],
            owner=view.owner.reference,
            keys=(("source", view.status["keyId"]),),
            labels=labels(view.owner, "keys"),
        )
    ]


def end(view: View, reason: str, message: str) -> None:
    """Record how the inspection ended."""
    record = {**view.status["inspection"], "result": reason}
    record.pop("secret", None)
    if reason in _AGAIN:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(10, record["attempts"] - 1))
        record["retryAt"] = timestamp(view.context.now + datetime.timedelta(seconds=pause))
    if reason != "Inspected":
        record["message"] = message
    view.draft.put(inspection=record)


def tidy(view: View) -> None:
    """Have everything removed that the recorded inspection does not need (any more).

    Its Secret goes when it has ended; its Job and config stay after a failure, for the logs.
    """
    record = view.status["inspection"]
    other = view.status.get("replacement") or {}
    needed = {other.get("job"), other.get("secret")}
    if record.get("result") != "Inspected":
        needed |= {record["name"], record.get("secret")}
    strike(
        view.draft,
        lambda ref: (
            ref.name not in needed
            and ref.kind in {"Secret", "Job", "ConfigMap"}
            and ref.name != public_key_name(view.owner)
        ),
    )


def seconds_until_retry(view: View) -> float | None:
    """When the next inspection is due; None: when somebody asks for one."""
    record = view.status["inspection"]
    if "retryAt" not in record:
        return None
    left = parse_timestamp(record["retryAt"]) - view.context.now
    return max(1.0, left.total_seconds())


def _job(view: View, name: str) -> Manifest:
    record = view.status["inspection"]
    parts = PodParts(
        image=view.context.masking_image,
        config=name,
        config_digest=config(view).content_digest(),
        secret=record.get("secret"),
        places=Places(source=view.spec.location),
        labels=labels(view.owner, ROLE),
        annotations={UID_ANNOTATION: view.owner.uid},
    )
    return job(
        metadata(view.owner, name, ROLE),
        parts,
        view.context,
        backoff_limit=_BACKOFF_LIMIT,
        deadline=_DEADLINE,
        suspended=False,
        ttl=_TTL,
    )
