"""What every destruction of keys waits for, and how it is recorded.

    asked for ─▶ confirmed by name and UID ─▶ no backup known ─▶ destroyed ─▶ recorded ─▶ gone

A resource that is to be shredded when it is deleted has a finalizer, so that it stays until all of
that is done. Whoever changes their mind sets deletionPolicy to Retain: then it goes at once, and
its keys stay.
"""

from typing import Final

from leeward.api.keyvault import CONFIRM_SHRED_ANNOTATION, SHRED_REQUESTER_ANNOTATION
from leeward.api.meta import API_VERSION
from leeward.formats.destruction import DestructionRecord
from leeward.plans.shared.conditions import StatusDraft, condition_of
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import (
    Action,
    BackupsInfo,
    Create,
    Delete,
    Event,
    KnownBackupsOf,
    Manifest,
    Observed,
    Plan,
    SetFinalizer,
)
from leeward.plans.shared.names import (
    FINALIZER,
    UID_ANNOTATION,
    Owner,
    labels,
    ref_of,
    short_hash,
)
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

SHRED_PENDING: Final = "ShredPending"
"""Type of the condition that says what a destruction waits for; False: it is done."""
RECORD_ROLE: Final = "destruction-record"
RECORD_KEY: Final = "record.json"
WAITING: Final = 30.0
"""Seconds until the next look at what it waits for: backups are not watched."""
SOON: Final = 0.1
_SHOWN: Final = 3


def wants_finalizer(resource: Manifest, *, wanted: bool) -> SetFinalizer | None:
    """How the finalizer is put on or taken away; None: it is as it should be."""
    metadata = resource["metadata"]
    found = tuple(metadata.get("finalizers") or ())
    if (FINALIZER in found) == wanted:
        return None
    left = tuple(name for name in found if name != FINALIZER)
    return SetFinalizer(
        api_version=API_VERSION,
        kind=resource["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        finalizers=(*left, FINALIZER) if wanted else left,
        resource_version=metadata["resourceVersion"],
    )


def with_finalizer(resource: Manifest, observed: Observed, *, wanted: bool) -> Plan | None:
    """Set it right first, and look again: the resource is another version then. None: it is."""
    action = wants_finalizer(resource, wanted=wanted)
    if action is None:
        return None
    stored: Manifest = resource.get("status") or {}
    if observed.done(action) is None:
        return Plan(stored, actions=(action,))
    return Plan(stored, requeue_after=SOON)


def let_go(resource: Manifest, observed: Observed, status: Manifest) -> Plan:
    """Take the finalizer away: the resource goes."""
    return with_finalizer(resource, observed, wanted=False) or Plan(status)


def check_confirmed(owner: Owner, wanted: str, what: str) -> Verdict:
    """Somebody has confirmed it, by a value that nobody sets by mistake.

    Args:
        owner: The resource.
        wanted: What the annotation must hold, alone or among others with commas.
        what: What will be destroyed, in words.
    """
    given = owner.annotations.get(CONFIRM_SHRED_ANNOTATION, "").split(",")
    if wanted in [value.strip() for value in given]:
        return None
    kind = owner.kind.lower()
    return Denied(
        "AwaitingConfirmation",
        f"{what} for good. To confirm: kubectl annotate {kind} {owner.name} -n {owner.namespace}"
        f" --overwrite {CONFIRM_SHRED_ANNOTATION}={wanted} (or leeward keys shred, which shows what"
        " becomes unreadable)",
    )


def check_backups(vault_id: str, observed: Observed) -> Verdict:
    """No backup is known that holds keys of the vault."""
    need = KnownBackupsOf(vault_id)
    if not observed.has(need):
        return Unseen((need,))
    info: BackupsInfo = observed.get(need)
    if info.unreadable is not None:
        return Denied(
            "BackupRecordDamaged",
            f"nobody can tell whether a backup holds these keys: {info.unreadable}. An"
            " administrator restores it, or deletes it if that copy is destroyed (leeward keys"
            " backups)",
        )
    if not info.ids:
        return None
    shown = listed(info.ids, _SHOWN)
    return Denied(
        "BackupsKnown",
        f"backups hold these keys ({shown}): have every copy of them destroyed, then an"
        " administrator runs leeward keys backup forget ID for each",
    )


def pending(draft: StatusDraft, denied: Denied, way_back: str) -> None:
    """Say what a destruction waits for."""
    draft.set(SHRED_PENDING, True, denied.reason, f"{denied.message}. {way_back}")


def requester(owner: Owner) -> str | None:
    """Who asked, as they say."""
    given = owner.annotations.get(SHRED_REQUESTER_ANNOTATION)
    return given[:253] if given else None


def record_name(owner: Owner, what: str) -> str:
    """Name of the ConfigMap with the record of one destruction: always the same for the same."""
    return f"destroyed-{owner.name[:40].rstrip('-')}-{short_hash(owner.uid, what)}"


def put_on_record(
    owner: Owner, what: str, record: DestructionRecord, observed: Observed, status: Manifest
) -> Plan | str:
    """Make the record of a destruction; once that is tried, where it is, in words.

    Where the namespace is going, too, nothing can be made there any more.
    """
    need = config_ref(owner.namespace, record_name(owner, what))
    if not observed.has(need):
        return Plan(status, needs=(need,))
    made = record_map(owner, what, record)
    steps = progress(observed, record_steps(made, observed.get(need)))
    if steps.pending and steps.failed is None:
        return Plan(status, actions=steps.pending)
    return f"ConfigMap {need.name} records it" if steps.failed is None else "there is no record"


def say_shredded(draft: StatusDraft, told: str, where: str, reason: str) -> Plan:
    """Say of a resource that is being deleted that its keys are destroyed, and go on soon.

    Args:
        draft: Its status.
        told: What was destroyed.
        where: The record of it.
        reason: Of the event.
    """
    draft.set(SHRED_PENDING, False, "Shredded", f"{told}; {where}")
    draft.set("Ready", False, "Shredded", told)
    event = Event("Normal", reason, f"{told}; {where}")
    return Plan(draft.status, requeue_after=SOON, events=(event,))


def shred_reason(status: Manifest) -> str | None:
    """Reason of the condition that says how a destruction stands; None: there is none."""
    found = condition_of(status, SHRED_PENDING)
    return None if found is None else str(found["reason"])


def record_steps(made: Manifest, found: Manifest | None) -> list[Action]:
    """How a record is made; where something else has its name, that goes first."""
    if found is None:
        return [Create(made)]
    if _essence(found) == _essence(made):
        return []
    return [Delete(ref_of(made), found["metadata"]["uid"]), Create(made)]


def _essence(record: Manifest) -> tuple[object, ...] | None:
    """What is the same in a record that is made twice: what was found of the rest may differ."""
    try:
        known = DestructionRecord.parse(record["data"][RECORD_KEY])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return known.what, known.uid, known.vault_id, known.artefact_keys_digest, known.keys


def record_map(owner: Owner, what: str, record: DestructionRecord) -> Manifest:
    """The ConfigMap: it cannot be changed, and stays when the resource goes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(owner, what),
            "namespace": owner.namespace,
            "labels": labels(owner, RECORD_ROLE),
            "annotations": {UID_ANNOTATION: owner.uid},
        },
        "immutable": True,
        "data": {RECORD_KEY: record.canonical().decode()},
    }
