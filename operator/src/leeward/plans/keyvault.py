"""The plan of a KeyVault: its keyset is made once, and watched from then on.

Nothing of a keyset is ever made anew. Where it is gone, belongs to an earlier vault, or does not
open, the conditions say so and what to do.
"""

from collections.abc import Sequence

from leeward.api.keyvault import ADOPT_ANNOTATION, KEYVAULT, KeyVaultSpec
from leeward.api.meta import Kind
from leeward.plans.shared.conditions import StatusDraft, backoff
from leeward.plans.shared.look import read
from leeward.plans.shared.model import (
    Context,
    EnsureKeyset,
    KeysetInfo,
    KeysetOf,
    Manifest,
    Observed,
    Outcome,
    Plan,
)
from leeward.plans.shared.names import Owner, random_id
from leeward.plans.shared.verdict import key_fault_message


class KeyVaultPlanner:
    """Makes the keyset of a KeyVault and says how it stands."""

    @property
    def kind(self) -> Kind:
        """KeyVault."""
        return KEYVAULT

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        """None: its keyset stands wrapped in the operator's namespace."""
        return ()

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        """The next step for this KeyVault."""
        owner = Owner.of(resource)
        if owner.deleting:
            return Plan(resource.get("status") or {})
        known = read(resource, KeyVaultSpec, context)
        if isinstance(known, Plan):
            return known
        spec, draft = known
        ensured = _ensured(observed)
        if ensured is not None:
            return _after(owner, spec, draft, ensured)
        return _look(owner, spec, draft, observed, context)


def _look(
    owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, observed: Observed, context: Context
) -> Plan:
    known = draft.status.get("vaultId")
    if known is None:
        # Most vaults are new: making the keyset straight away saves looking for it first.
        return Plan(draft.status, actions=(_ensure(owner, spec, random_id(context.random)),))
    need = KeysetOf(owner.namespace, owner.name)
    if not observed.has(need):
        return Plan(draft.status, needs=(need,))
    info: KeysetInfo | None = observed.get(need)
    if info is None:
        return _not_ready(
            draft,
            "KeysetLost",
            f"the keyset {known} of this vault is gone, and with it every key in it; no new one is"
            " made in its place: restore its Secret in the operator's namespace from a backup, or"
            " delete this KeyVault and create it again to start with new keys",
        )
    if not info.readable:
        return _unreadable(draft, Outcome("Unreadable", "", info.fault))
    if info.owner_uid != owner.uid or info.vault_id != known or _lacking(spec, info):
        return Plan(draft.status, actions=(_ensure(owner, spec, known),))
    return _ready(spec, draft, info)


def _ensure(owner: Owner, spec: KeyVaultSpec, vault_id: str) -> EnsureKeyset:
    return EnsureKeyset(
        namespace=owner.namespace,
        vault=owner.name,
        uid=owner.uid,
        vault_id=vault_id,
        keys=tuple((key.name, key.algorithm) for key in spec.keys),
        adopt=owner.annotations.get(ADOPT_ANNOTATION),
    )


def _ensured(observed: Observed) -> Outcome | None:
    """How making the keyset ended; the action holds a random id, so it is found by its type."""
    for action, outcome in observed.outcomes.items():
        if isinstance(action, EnsureKeyset):
            return outcome
    return None


def _after(owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, ensured: Outcome) -> Plan:
    match ensured.code:
        case "Done":
            return _ready(spec, draft, ensured.result)
        case "Retained":
            return _retained(owner, draft, ensured.result)
        case "Unreadable":
            return _unreadable(draft, ensured)
        case _:
            return _not_ready(
                draft,
                "KeysetRefused",
                f"the keyset could not be stored in the operator's namespace: {ensured.message}."
                " Check the operator's Role and quotas there",
            )


def _retained(owner: Owner, draft: StatusDraft, info: KeysetInfo) -> Plan:
    given = ADOPT_ANNOTATION in owner.annotations
    other = f"; the id in annotation {ADOPT_ANNOTATION} now is not its id" if given else ""
    return _not_ready(
        draft,
        "KeysetRetained",
        f"the keyset {info.vault_id} of an earlier KeyVault with this name was retained, and is not"
        f" given to another one unasked{other}: to take it over, run: kubectl annotate keyvault"
        f" {owner.name} -n {owner.namespace} --overwrite {ADOPT_ANNOTATION}={info.vault_id} (or"
        " choose another name for this vault)",
    )


def _unreadable(draft: StatusDraft, outcome: Outcome) -> Plan:
    reason = "RootKeyLost" if outcome.result == "RootKeyLost" else "KeysetUnreadable"
    return _not_ready(draft, reason, key_fault_message(outcome.result))


def _not_ready(draft: StatusDraft, reason: str, message: str) -> Plan:
    draft.set("Ready", False, reason, message)
    return Plan(draft.status, requeue_after=backoff(draft.seconds_since("Ready")))


def _ready(spec: KeyVaultSpec, draft: StatusDraft, info: KeysetInfo) -> Plan:
    keys = [
        {
            "name": key.name,
            "algorithm": info.versions[key.name][0],
            "primaryVersion": info.versions[key.name][1],
            "createdAt": info.versions[key.name][2],
        }
        for key in spec.keys
    ]
    draft.put(
        vaultId=info.vault_id,
        provider="embedded",
        keyCount=len(keys),
        oldestKeyAt=min(created for _, _, created in info.versions.values()),
        keys=keys,
    )
    for key in spec.keys:
        made_for = info.versions[key.name][0]
        if made_for != key.algorithm:
            return _not_ready(
                draft,
                "KeyAlgorithmConflict",
                f"key {key.name} of the adopted keyset has algorithm {made_for}, not"
                f" {key.algorithm}: give it algorithm {made_for}, or another name",
            )
    plural = "key is" if len(keys) == 1 else "keys are"
    draft.set("Ready", True, "KeysReady", f"{len(keys)} {plural} ready")
    return Plan(draft.status)


def _lacking(spec: KeyVaultSpec, info: KeysetInfo) -> bool:
    return any(key.name not in info.versions for key in spec.keys)
