"""Signing keys as certificate authorities: made, published, and kept while anybody needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leeward.api.keyvault import KeyVaultSpec, VaultKey
from leeward.plans.keyvault.rotation import Due
from leeward.plans.shared.authorities import consumers, users_of
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.durations import whole_seconds
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import (
    Apply,
    DeliveriesOf,
    EnsureAuthority,
    KeysetInfo,
    Manifest,
    Observed,
    Plan,
    RetireVersion,
    VersionInfo,
)
from leeward.plans.shared.names import Owner, child_name, metadata
from leeward.plans.shared.steps import drifted, progress

CONDITION: Final = "AuthoritiesReady"
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class InUse:
    """A version that cannot be disabled yet.

    Attributes:
        key, version: Which.
        users: KeyDeliveries (``namespace/name``) with pods that use it.
    """

    key: str
    version: int
    users: tuple[str, ...]

    @property
    def message(self) -> str:
        """What to say of it."""
        named = listed(self.users, _NAMED)
        return (
            f"version {self.version} of key {self.key} is not disabled yet: pods of KeyDeliveries"
            f" {named} use certificates that it issued; see their condition Acknowledged"
        )


@dataclass(frozen=True, slots=True)
class Sorted:
    """Steps that are due.

    Attributes:
        free: No pod is in their way.
        waiting: Versions that wait for pods.
        needs: What has to be looked at first.
    """

    free: list[Due]
    waiting: list[InUse]
    needs: tuple[DeliveriesOf, ...] = ()


def tend(
    owner: Owner, spec: KeyVaultSpec, draft: StatusDraft, info: KeysetInfo, observed: Observed
) -> Plan | None:
    """Make authorities and publish their certificates; None: there is nothing (more) to do."""
    keys = [key for key in spec.keys if key.authority is not None]
    if not keys:
        return None
    made = progress(observed, [_ensure(owner, key) for key in keys if _lacks(key, info)])
    if made.pending:
        return Plan(draft.status, actions=made.pending)
    if made.failed is not None:
        action, outcome = made.failed
        name = action.key if isinstance(action, EnsureAuthority) else ""
        draft.set(
            CONDITION,
            False,
            "AuthorityRefused",
            f"key {name} cannot be a certificate authority: {outcome.message}. Correct"
            f" spec.keys[{name}].authority",
        )
        return None
    draft.set(CONDITION, True, "Published", f"ConfigMap {_name(owner)} holds their certificates")
    ref = config_ref(owner.namespace, _name(owner))
    if not observed.has(ref):
        return Plan(draft.status, needs=(ref,))
    wanted = trust_map(owner, keys, info)
    if not drifted(observed.current(ref), wanted):
        return None
    published = progress(observed, (Apply(wanted),))
    if published.failed is not None:
        text = f"ConfigMap {_name(owner)} cannot be written: {published.failed[1].message}"
        draft.set(CONDITION, False, "NotPublished", f"{text}. See what refuses it")
    return Plan(draft.status, actions=published.pending) if published.pending else None


def trust_map(owner: Owner, keys: Sequence[VaultKey], info: KeysetInfo) -> Manifest:
    """The ConfigMap with the certificates that verifiers are to trust, one bundle per key."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, _name(owner), "trust"),
        "data": {
            f"{key.name}.crt": "".join(
                version.certificate or ""
                for version in info.history.get(key.name, ())
                if version.state in ("Primary", "Enabled")
            )
            for key in keys
        },
    }


def unused(owner: Owner, spec: KeyVaultSpec, due: Sequence[Due], observed: Observed) -> Sorted:
    """Tell the steps that no pod is in the way of from the versions that wait for pods."""
    authorities = {key.name for key in spec.keys if key.authority is not None}
    need = DeliveriesOf(owner.ref)
    free: list[Due] = []
    waiting: list[InUse] = []
    for step in due:
        retire = step.step
        if not (isinstance(retire, RetireVersion) and retire.key in authorities):
            free.append(step)
            continue
        if not observed.has(need):
            return Sorted([], [], (need,))
        found = consumers(observed.get(need), owner.ref, retire.key)
        users = users_of(found, retire.version)
        if users:
            waiting.append(InUse(retire.key, retire.version, users))
        else:
            free.append(step)
    return Sorted(free, waiting)


def _ensure(owner: Owner, key: VaultKey) -> EnsureAuthority:
    authority = key.authority
    if authority is None:
        raise ValueError("only authorities are made")
    return EnsureAuthority(
        namespace=owner.namespace,
        vault=owner.name,
        key=key.name,
        trust_domain=authority.trust_domain,
        dns_suffixes=tuple(authority.dns_suffixes),
        lifetime=whole_seconds(authority.lifetime),
    )


def _lacks(key: VaultKey, info: KeysetInfo) -> bool:
    return any(_is_bare(version) for version in info.history.get(key.name, ()))


def _is_bare(version: VersionInfo) -> bool:
    return version.state != "Destroyed" and version.certificate is None


def _name(owner: Owner) -> str:
    return child_name(owner, "trust")
