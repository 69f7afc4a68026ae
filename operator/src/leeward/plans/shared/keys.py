"""Keys that a plan relies on: the vault, the key in it, its algorithm, and leave to use it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from leeward.api.keyvault import KEYVAULT, KeyGrant, KeyVaultSpec, KeyVaultStatus, VaultKey
from leeward.api.meta import API_VERSION, KeyRef
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.grants import fitting_grants
from leeward.plans.shared.model import (
    ORIGIN_REASONS,
    Context,
    CountDelivery,
    GrantUse,
    GrantUseOf,
    Manifest,
    ObjectRef,
    Observed,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.specs import parse_spec
from leeward.plans.shared.verdict import Denied, Unseen, Verdict, named_anew

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One key, and what it is wanted for.

    Attributes:
        ref: As the manifest names it.
        home: Namespace that is meant where the reference names none.
        algorithms: Those that suit the use.
        purpose: What the key is for, in words: "to seal the output".
        named_by: What names it (a kind, with a name where it is not the resource that is looked
            at), and the field there.
    """

    ref: KeyRef
    home: str
    algorithms: Collection[str]
    purpose: str
    named_by: tuple[str, str]

    @property
    def namespace(self) -> str:
        """Namespace of the vault."""
        return self.ref.vault.namespace or self.home

    @property
    def vault_ref(self) -> ObjectRef:
        """The KeyVault."""
        return ObjectRef(API_VERSION, KEYVAULT.kind, self.namespace, self.ref.vault.name)

    @property
    def anew(self) -> str:
        """What to do where another key is meant."""
        return named_anew(*self.named_by)

    @property
    def label(self) -> str:
        """Key and vault, in words."""
        return f"key {self.ref.key} of KeyVault {self.namespace}/{self.ref.vault.name}"


@dataclass(frozen=True, slots=True)
class ReadyKey:
    """A key that is there and suits.

    Attributes:
        vault_id: Id of the vault.
        version: Its primary version.
        made_at: When that was made (RFC 3339).
        key: As the vault's spec has it.
    """

    vault_id: str
    version: int
    made_at: str
    key: VaultKey


def check_key(use: KeyUse, observed: Observed) -> Verdict:
    """Whether the key is there, ready, and of a suitable algorithm."""
    return check_key_declared(use, observed) or check_key_ready(use, observed)


def check_key_declared(use: KeyUse, observed: Observed) -> Verdict:
    """Whether the vault is there and has such a key, of a suitable algorithm."""
    if not observed.has(use.vault_ref):
        return Unseen((use.vault_ref,))
    manifest: Manifest | None = observed.get(use.vault_ref)
    vault = f"KeyVault {use.namespace}/{use.ref.vault.name}"
    if manifest is None:
        return Denied("VaultMissing", f"{vault} does not exist: create it; {use.anew}")
    spec = _spec(use, observed)
    if isinstance(spec, str):
        return Denied("VaultNotReady", f"{vault} is not ready: {spec}")
    key = _key(spec, use.ref.key)
    if key is None:
        # What a vault of another namespace holds is not told.
        names = ", ".join(key.name for key in spec.keys) if use.namespace == use.home else ""
        has = f" (it has {names})" if names else ""
        return Denied(
            "KeyMissing",
            f"{vault} has no key {use.ref.key}{has}: add it to spec.keys there; {use.anew}",
        )
    if key.algorithm not in use.algorithms:
        return Denied(
            "KeyAlgorithmUnsuitable",
            f"{use.label} has algorithm {key.algorithm}, which does not do {use.purpose}: name a"
            f" key of algorithm {' or '.join(sorted(use.algorithms))}; {use.anew}",
        )
    return None


def check_key_ready(use: KeyUse, observed: Observed) -> Verdict:
    """Whether the vault has made the key; ``check_key_declared`` has passed."""
    vault = f"KeyVault {use.namespace}/{use.ref.vault.name}"
    return _check_ready(observed.get(use.vault_ref), vault, use)


def check_key_permitted(
    use: KeyUse, operation: str, owner: Owner, observed: Observed, context: Context
) -> Verdict:
    """Whether a grant is for this, however often it may be used.

    ``check_key_declared`` has passed; whether the vault is ready does not matter.
    """
    grants = declared_key(use, observed).grants
    found = fitting_grants(grants, use.namespace, owner, operation, context.now)
    if not isinstance(found, str):
        return None
    # A grant without namespaces is for the vault's own.
    abroad = use.namespace != owner.namespace
    where = f", namespaces [{owner.namespace}]" if abroad else ""
    return Denied(
        "KeyNotGranted",
        f"{_denied(use, owner)} for operation {operation} ({found}): its steward adds a grant with"
        f" kinds [{owner.kind}]{where} and operations [{operation}] to that key",
    )


def _denied(use: KeyUse, owner: Owner) -> str:
    return f"{use.label} is not granted to {owner.kind} {owner.namespace}/{owner.name}"


def check_key_grant(
    use: KeyUse, operation: str, owner: Owner, observed: Observed, context: Context
) -> Verdict:
    """Whether a grant lets the workload do this with the key; ``check_key`` has passed."""
    verdict = check_key_permitted(use, operation, owner, observed, context)
    if verdict is not None:
        return verdict
    ready = ready_key(use, observed)
    found = fitting_grants(ready.key.grants, use.namespace, owner, operation, context.now)
    denied = _denied(use, owner)
    if isinstance(found, str) or any(grant.max_deliveries is None for grant in found):
        return None
    needs = {grant.name: _use_of(ready, grant, owner) for grant in found}
    unseen = tuple(need for need in needs.values() if not observed.has(need))
    if unseen:
        return Unseen(unseen)
    uses: dict[str, GrantUse] = {name: observed.get(need) for name, need in needs.items()}
    if any(_has_room(grant, uses[grant.name]) for grant in found):
        return None
    damaged = [used.damaged for used in uses.values() if used.damaged is not None]
    if damaged:
        return Denied(
            "GrantCountDamaged",
            f"{denied} for operation {operation}, since nobody can tell how often it was: restore"
            f" Secret {damaged[0]} in the operator's namespace from a backup, or delete it to count"
            " anew from zero",
        )
    used = ", ".join(f"grant {grant.name} {grant.max_deliveries}" for grant in found[:_SHOWN])
    return Denied(
        "KeyNotGranted",
        f"{denied} for operation {operation}, since it was given to as many workloads as it may be"
        f" ({used}): its steward raises maxDeliveries there, or adds a grant",
    )


@dataclass(frozen=True, slots=True)
class Granted:
    """By what a workload may use a key.

    Attributes:
        use: The key.
        operation: What for.
        grant: Name of the grant.
        count: How this use of the grant is counted, before the key is delivered; None: it is not.
    """

    use: KeyUse
    operation: str
    grant: str
    count: CountDelivery | None


def granted(
    use: KeyUse, operation: str, owner: Owner, observed: Observed, context: Context
) -> Granted:
    """The grant that is used; ``check_key_grant`` has passed.

    One that need not be counted comes first, then one that has counted this workload already.
    """
    ready = ready_key(use, observed)
    found = fitting_grants(ready.key.grants, use.namespace, owner, operation, context.now)
    if isinstance(found, str):
        raise KeyError(use.label)

    for grant in found:
        if grant.max_deliveries is None:
            return Granted(use, operation, grant.name, None)
    uses = [(grant, observed.get(_use_of(ready, grant, owner))) for grant in found]
    free = [(grant, used) for grant, used in uses if _has_room(grant, used)]
    best = next((grant for grant, used in free if used.counted), free[0][0])
    count = CountDelivery(
        vault_id=ready.vault_id,
        key=ready.key.name,
        grant=best.name,
        uid=owner.uid,
        limit=best.max_deliveries or 0,
    )
    return Granted(use, operation, best.name, count)


def _use_of(ready: ReadyKey, grant: KeyGrant, owner: Owner) -> GrantUseOf:
    return GrantUseOf(ready.vault_id, ready.key.name, grant.name, owner.uid)


def _has_room(grant: KeyGrant, used: GrantUse) -> bool:
    return used.counted or grant.max_deliveries is None or used.given < grant.max_deliveries


def declared_key(use: KeyUse, observed: Observed) -> VaultKey:
    """The key as the vault's spec has it, after ``check_key_declared`` has passed."""
    spec = _read_spec(use, observed)
    key = _key(spec, use.ref.key)
    if key is None:
        raise KeyError(use.label)
    return key


def ready_key(use: KeyUse, observed: Observed) -> ReadyKey:
    """The key, after ``check_key`` has passed."""
    spec, status = _read_spec(use, observed), _read_status(use, observed)
    key = _key(spec, use.ref.key)
    state = next(state for state in status.keys if state.name == use.ref.key)
    if key is None or status.vault_id is None:
        raise KeyError(use.label)
    made_at = state.rotated_at or state.created_at
    return ReadyKey(status.vault_id, state.primary_version, made_at, key)


def _spec(use: KeyUse, observed: Observed) -> KeyVaultSpec | str:
    """The spec of the vault, or what is wrong with it. A thousand grants are parsed once."""
    place = (use.vault_ref, KeyVaultSpec)
    if place not in observed.read:
        observed.read[place] = parse_spec(observed.get(use.vault_ref), KeyVaultSpec)
    known: KeyVaultSpec | str = observed.read[place]
    return known


def _read_spec(use: KeyUse, observed: Observed) -> KeyVaultSpec:
    spec = _spec(use, observed)
    if isinstance(spec, str):
        raise ValueError(spec)
    return spec


def _read_status(use: KeyUse, observed: Observed) -> KeyVaultStatus:
    place = (use.vault_ref, KeyVaultStatus)
    if place not in observed.read:
        manifest: Manifest = observed.get(use.vault_ref)
        observed.read[place] = KeyVaultStatus.model_validate(manifest["status"])
    known: KeyVaultStatus = observed.read[place]
    return known


def _key(spec: KeyVaultSpec, name: str) -> VaultKey | None:
    return next((key for key in spec.keys if key.name == name), None)


def _check_ready(manifest: Manifest, vault: str, use: KeyUse) -> Verdict:
    if "deletionTimestamp" in manifest["metadata"]:
        return Denied("VaultNotReady", f"{vault} is being deleted; {use.anew}")
    status = manifest.get("status") or {}
    ready = condition_of(status, "Ready") or {}
    known = {state["name"] for state in status.get("keys") or ()}
    # That another key cannot be had from its origin is nothing to this one.
    works = ready.get("status") == "True" or ready.get("reason") in ORIGIN_REASONS
    if works and status.get("vaultId") and use.ref.key in known:
        return None
    why = ready.get("message") or "the operator has not come to it yet"
    return Denied("VaultNotReady", f"{vault} is not ready: {why}")
