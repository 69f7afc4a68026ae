"""Destroying old versions of keys on request (shredBelow): what it waits for, and its record.

It takes nothing from anybody in this cluster: artefact keys are moved to the primary version first.
What becomes unreadable are copies of keys that were taken before.
"""

from dataclasses import dataclass

from leeward.api.keyvault import KeyVaultSpec, VaultKey
from leeward.formats.destruction import DestroyedKey, DestructionRecord, ids_digest
from leeward.plans.keyvault.round import Round
from leeward.plans.shared.conditions import StatusDraft, is_true, timestamp
from leeward.plans.shared.model import KeysetInfo, Plan
from leeward.plans.shared.names import Owner
from leeward.plans.shared.shredding import (
    SHRED_PENDING,
    check_backups,
    check_confirmed,
    pending,
    put_on_record,
    requester,
)
from leeward.plans.shared.verdict import Denied, Unseen, Verdict


@dataclass(frozen=True, slots=True)
class Shredding:
    """What may be destroyed now.

    Attributes:
        allowed: Names of keys of which versions below shredBelow may be.
        waits: Whether others wait for something that nobody tells of.
    """

    allowed: frozenset[str] = frozenset()
    waits: bool = False


def shred_versions(
    owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, info: KeysetInfo, round_: Round
) -> Shredding | Plan:
    """What may be destroyed, and what else is to be done first."""
    asked = [key for key in spec.keys if key.shred_below is not None and key.name in info.versions]
    allowed, denied = set(), None
    for key in asked:
        if not _left(key, info):
            recorded = _record(owner, key, draft, info, round_)
            if recorded is not None:
                return recorded
            continue
        verdict = _check(owner, key, info, round_)
        if isinstance(verdict, Unseen):
            return Plan(draft.status, needs=verdict.needs)
        if verdict is None:
            allowed.add(key.name)
        denied = denied or verdict
    if denied is not None:
        pending(draft, denied, "To keep these versions: remove shredBelow")
    elif is_true(draft.status, SHRED_PENDING):
        draft.set(SHRED_PENDING, False, "NothingPending", "nothing waits to be destroyed")
    return Shredding(frozenset(allowed), denied is not None)


def _check(owner: Owner, key: VaultKey, info: KeysetInfo, round_: Round) -> Verdict:
    below = key.shred_below or 1
    primary = info.versions[key.name][1]
    if primary < below:
        return Denied(
            "VersionPrimary",
            f"version {primary} of key {key.name} is the primary one: leeward keys rotate"
            f" {owner.name} {key.name} -n {owner.namespace} makes another",
        )
    what = f"spec.keys[{key.name}].shredBelow destroys the versions below {below} of that key"
    return check_confirmed(owner, f"{owner.uid}/{key.name}/{below}", what) or check_backups(
        info.vault_id, round_.observed
    )


def _left(key: VaultKey, info: KeysetInfo) -> bool:
    return any(
        version.version < (key.shred_below or 1) and version.state != "Destroyed"
        for version in info.history[key.name]
    )


def _record(
    owner: Owner, key: VaultKey, draft: StatusDraft, info: KeysetInfo, round_: Round
) -> Plan | None:
    """Record what was destroyed; None: it is recorded."""
    state = next(state for state in draft.status["keys"] if state["name"] == key.name)
    if state.get("shreddedBelow") == key.shred_below:
        return None
    what = f"{key.name}/{key.shred_below}"
    numbers = [
        version.version
        for version in info.history[key.name]
        if version.version < (key.shred_below or 1)
    ]
    record = DestructionRecord(
        what="Versions",
        kind=owner.kind,
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        vault_id=info.vault_id,
        keys=[DestroyedKey(name=key.name, algorithm=key.algorithm, numbers=numbers)],
        artefact_keys_digest=ids_digest(()),
        requested_by=requester(owner),
        destroyed_at=timestamp(round_.now),
    )
    where = put_on_record(owner, what, record, round_.observed, draft.status)
    if isinstance(where, Plan):
        return where
    state["shreddedBelow"] = key.shred_below
    told = f"versions of key {key.name} below {key.shred_below} are destroyed"
    draft.set(SHRED_PENDING, False, "Shredded", f"{told}; {where}")
    return None
