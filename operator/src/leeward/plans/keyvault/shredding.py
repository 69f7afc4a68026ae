"""Deleting a KeyVault with deletionPolicy Shred: it goes when its keys are destroyed."""

from collections.abc import Sequence
from typing import Final

from leeward.api.dataset import DATASET
from leeward.api.keyvault import KeyVaultSpec
from leeward.api.meta import API_VERSION
from leeward.formats.destruction import (
    MAX_ARTEFACTS,
    DestroyedArtefact,
    DestroyedKey,
    DestructionRecord,
    ids_digest,
)
from leeward.plans.shared.look import Look
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    ArtefactKeysOf,
    ForgetVault,
    KeysetRecord,
    KeysetRecordOf,
    Manifest,
    ObjectRef,
    Plan,
    RemoveArtefactKeys,
    ShredVault,
)
from leeward.plans.shared.shredding import (
    SHRED_PENDING,
    SOON,
    WAITING,
    check_backups,
    check_confirmed,
    let_go,
    pending,
    put_on_record,
    requester,
    say_shredded,
    shred_reason,
)
from leeward.plans.shared.verdict import Denied, Unseen

WHAT: Final = "vault"
WAY_BACK: Final = "To keep the keys and let the KeyVault go: set spec.deletionPolicy to Retain"


def plan_deletion(view: Look[KeyVaultSpec]) -> Plan:
    """The next step of a vault that is being deleted."""
    if view.spec.deletion_policy != "Shred":
        return let_go(view.resource, view.observed, view.status)
    need = KeysetRecordOf(view.owner.namespace, view.owner.name)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    found: KeysetRecord | None = view.observed.get(need)
    if found is None or (found.vault_id and found.owner_uid != view.owner.uid):
        # Nothing was made for it, or all is done.
        return let_go(view.resource, view.observed, view.status)
    if not found.vault_id:
        return _wait(
            view,
            Denied(
                "KeysetUnreadable",
                "the keyset of this vault is damaged: restore its Secret in the operator's"
                " namespace from a backup",
            ),
        )
    if found.shredded_at is None:
        shredded = _shred(view, found)
        if isinstance(shredded, Plan):
            return shredded
        found = shredded
    return _record(view, found) or _clear(view, found)


def _shred(view: Look[KeyVaultSpec], found: KeysetRecord) -> KeysetRecord | Plan:
    what = f"deleting KeyVault {view.owner.name} destroys its keys and all that they sealed"
    verdict = check_confirmed(view.owner, view.owner.uid, what) or check_backups(
        found.vault_id, view.observed
    )
    if isinstance(verdict, Unseen):
        return Plan(view.status, needs=verdict.needs)
    if isinstance(verdict, Denied):
        return _wait(view, verdict)
    action = ShredVault(view.owner.namespace, view.owner.name, view.owner.uid, found.vault_id)
    outcome = view.observed.done(action)
    if outcome is None:
        return Plan(view.status, actions=(action,))
    if outcome.code != "Done":
        return Plan(view.status, requeue_after=WAITING)
    record: KeysetRecord = outcome.result
    return record


def _wait(view: Look[KeyVaultSpec], denied: Denied) -> Plan:
    pending(view.draft, denied, WAY_BACK)
    view.draft.set("Ready", False, SHRED_PENDING, "this KeyVault is being deleted")
    return Plan(view.status, requeue_after=WAITING)


def _record(view: Look[KeyVaultSpec], found: KeysetRecord) -> Plan | None:
    """Make the record of destruction; None: it is there."""
    if shred_reason(view.status) == "Shredded":
        return None
    listed = ArtefactKeysOf(found.vault_id)
    if not view.observed.has(listed):
        return Plan(view.status, needs=(listed,))
    keys: tuple[ArtefactKeyInfo, ...] = view.observed.get(listed)
    shown = sorted(keys, key=lambda key: (key.namespace, key.owner, key.id))[:MAX_ARTEFACTS]
    datasets = tuple(dict.fromkeys(ref for key in shown if (ref := _dataset(key)) is not None))
    unseen = tuple(ref for ref in datasets if not view.observed.has(ref))
    if unseen:
        return Plan(view.status, needs=unseen)
    record = _document(view, found, keys, [_artefact(key, view) for key in shown])
    where = put_on_record(view.owner, WHAT, record, view.observed, view.status)
    if isinstance(where, Plan):
        return where
    told = f"its {len(found.keys)} keys were destroyed, with {len(keys)} artefact keys under them"
    return say_shredded(view.draft, told, where, "VaultShredded")


def _document(
    view: Look[KeyVaultSpec],
    found: KeysetRecord,
    keys: Sequence[ArtefactKeyInfo],
    artefacts: list[DestroyedArtefact],
) -> DestructionRecord:
    owner = view.owner
    return DestructionRecord(
        what="Vault",
        kind=owner.kind,
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        vault_id=found.vault_id,
        keys=[
            DestroyedKey(name=name, algorithm=algorithm, numbers=list(numbers))
            for name, algorithm, numbers in found.keys
        ],
        artefact_keys=len(keys),
        artefact_keys_digest=ids_digest(key.id for key in keys),
        artefacts=artefacts,
        requested_by=requester(owner),
        destroyed_at=found.shredded_at or "",
    )


def _dataset(key: ArtefactKeyInfo) -> ObjectRef | None:
    kind, name, _ = key.owner.split("/")
    if kind != DATASET.kind:
        return None
    return ObjectRef(API_VERSION, kind, key.namespace, name)


def _artefact(key: ArtefactKeyInfo, view: Look[KeyVaultSpec]) -> DestroyedArtefact:
    kind, name, uid = key.owner.split("/")
    ref = _dataset(key)
    dataset: Manifest | None = view.observed.get(ref) if ref is not None else None
    digest = None
    if dataset is not None and dataset["metadata"]["uid"] == uid:
        digest = (dataset.get("status") or {}).get("digest")
    return DestroyedArtefact(
        kind=kind, namespace=key.namespace, name=name, key_id=key.id, digest=digest
    )


def _clear(view: Look[KeyVaultSpec], found: KeysetRecord) -> Plan:
    """Remove what is left of it, then let it go."""
    place = (view.owner.namespace, view.owner.name, found.vault_id)
    remove, forget = RemoveArtefactKeys(*place), ForgetVault(*place)
    removed, forgotten = view.observed.done(remove), view.observed.done(forget)
    if removed is None:
        return Plan(view.status, actions=(remove,))
    if removed.code != "Done" or removed.result:
        return Plan(view.status, requeue_after=SOON)
    if forgotten is None:
        return Plan(view.status, actions=(forget,))
    return let_go(view.resource, view.observed, view.status)
