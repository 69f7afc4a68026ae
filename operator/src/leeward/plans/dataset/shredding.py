"""Deleting a Dataset with deletionPolicy Shred: it goes when its artefact key is destroyed.

The file stays where it is, and every copy of it, too: nobody reads them any more.
"""

from collections.abc import Sequence
from typing import Final

from leeward.api.keyvault import KeyVaultSpec
from leeward.formats.destruction import (
    DestroyedArtefact,
    DestroyedKey,
    DestructionRecord,
    ids_digest,
)
from leeward.plans.dataset.view import View
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    ArtefactKeyOf,
    ArtefactKeysOf,
    DestroyArtefactKey,
    ForgetArtefactKey,
    Manifest,
    Plan,
    WriteStatus,
)
from leeward.plans.shared.shredding import (
    SHRED_PENDING,
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
from leeward.plans.shared.specs import parse_spec
from leeward.plans.shared.steps import progress
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

WHAT: Final = "artefact"
WAY_BACK: Final = "To keep the key and let the Dataset go: set spec.deletionPolicy to Retain"


def plan_deletion(view: View) -> Plan:
    """The next step of a Dataset that is being deleted."""
    key_id: str | None = view.status.get("keyId")
    if key_id is None:
        return let_go(view.resource, view.observed, view.status)
    if shred_reason(view.status) == "Shredded":
        return _clear(view, key_id)
    if shred_reason(view.status) == "Shredding":
        return _destroy(view, key_id)
    if view.spec.deletion_policy != "Shred":
        return let_go(view.resource, view.observed, view.status)
    need = ArtefactKeyOf(key_id)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    info: ArtefactKeyInfo | None = view.observed.get(need)
    if info is None or info.owner != view.owner.id:
        return let_go(view.resource, view.observed, view.status)
    what = (
        f"deleting Dataset {view.owner.name} destroys the key of its file, which nobody reads then,"
        " nor any copy of it,"
    )
    verdict = (
        _check_own_key(view)
        or check_confirmed(view.owner, view.owner.uid, what)
        or check_backups(info.vault_id, view.observed)
    )
    if isinstance(verdict, Unseen):
        return Plan(view.status, needs=verdict.needs)
    if isinstance(verdict, Denied):
        pending(view.draft, verdict, WAY_BACK)
        view.draft.set("Ready", False, SHRED_PENDING, "this Dataset is being deleted")
        return Plan(view.status, requeue_after=WAITING)
    # What was decided stands in the status first: the key tells no more then whether it was.
    view.draft.set(SHRED_PENDING, False, "Shredding", "the key of its file is being destroyed")
    view.draft.set("Ready", False, "Shredding", "the key of its file is being destroyed")
    return Plan(view.status, actions=(WriteStatus(),))


def _check_own_key(view: View) -> Verdict:
    """The key of the file opens nothing else."""
    use = view.key
    if use is None:
        return None
    if not view.observed.has(use.vault_ref):
        return Unseen((use.vault_ref,))
    vault: Manifest | None = view.observed.get(use.vault_ref)
    spec = None if vault is None else parse_spec(vault, KeyVaultSpec)
    keys = spec.keys if isinstance(spec, KeyVaultSpec) else []
    if all(key.name != use.ref.key or key.origin.generate is not None for key in keys):
        return None
    return Denied(
        "SharedKey",
        f"{use.label} was not generated, so all that was sealed under it has the same key, and"
        " destroying that of one Dataset leaves its file readable: shred the KeyVault instead",
    )


def _destroy(view: View, key_id: str) -> Plan:
    """Destroy every key that is this Dataset's, and record it."""
    keys = _keys(view, key_id)
    if isinstance(keys, Plan):
        return keys
    if keys is None:
        return let_go(view.resource, view.observed, view.status)
    others = [DestroyArtefactKey(key.id, view.owner.id) for key in keys if key.id != key_id]
    destroying = progress(view.observed, others)
    if destroying.pending:
        return Plan(view.status, actions=destroying.pending)
    record = _document(view, keys)
    where = put_on_record(view.owner, WHAT, record, view.observed, view.status)
    if isinstance(where, Plan):
        return where
    told = f"the artefact key {key_id} of its file was destroyed"
    return say_shredded(view.draft, told, where, "DatasetShredded")


def _keys(view: View, key_id: str) -> tuple[ArtefactKeyInfo, ...] | Plan | None:
    """The Dataset's keys, of which the one of its file is destroyed; None: that is not its own.

    There are more than one where keys of the file are being replaced.
    """
    first = DestroyArtefactKey(key_id, view.owner.id)
    outcome = view.observed.done(first)
    if outcome is None:
        return Plan(view.status, actions=(first,))
    if outcome.code != "Done":
        return None
    info: ArtefactKeyInfo = outcome.result
    need = ArtefactKeysOf(info.vault_id)
    if not view.observed.has(need):
        return Plan(view.status, needs=(need,))
    found: tuple[ArtefactKeyInfo, ...] = view.observed.get(need)
    own = (key for key in found if key.owner == view.owner.id and key.id != key_id)
    return info, *sorted(own, key=lambda key: key.id)


def _clear(view: View, key_id: str) -> Plan:
    """Remove what is left of the keys, that of the file last, and let the Dataset go."""
    keys = _keys(view, key_id)
    if isinstance(keys, Plan):
        return keys
    left = [ForgetArtefactKey(key.id) for key in reversed(keys or ())]
    forgetting = progress(view.observed, left)
    if forgetting.pending and forgetting.failed is None:
        return Plan(view.status, actions=forgetting.pending)
    return let_go(view.resource, view.observed, view.status)


def _document(view: View, keys: Sequence[ArtefactKeyInfo]) -> DestructionRecord:
    owner = view.owner
    of_file = keys[0]
    artefacts = [
        DestroyedArtefact(
            kind=owner.kind,
            namespace=owner.namespace,
            name=owner.name,
            key_id=key.id,
            digest=view.status.get("digest"),
        )
        for key in keys
    ]
    return DestructionRecord(
        what="Artefact",
        kind=owner.kind,
        namespace=owner.namespace,
        name=owner.name,
        uid=owner.uid,
        vault_id=of_file.vault_id,
        keys=[DestroyedKey(name=of_file.key, algorithm=of_file.algorithm, numbers=[])],
        artefact_keys=len(keys),
        artefact_keys_digest=ids_digest(key.id for key in keys),
        artefacts=artefacts,
        requested_by=requester(owner),
        destroyed_at=timestamp(view.context.now),
    )
