"""The keys of a vault, in its status."""

from typing import Final

from leeward.api.keyvault import KeyVaultSpec, VaultKey
from leeward.plans.keyvault.rotation import next_rotation
from leeward.plans.keyvault.usage import show_usage
from leeward.plans.shared.conditions import StatusDraft, timestamp
from leeward.plans.shared.model import KeysetInfo, KeyUsage, Manifest, VersionInfo

SHOWN_VERSIONS: Final = 32
"""Of each key, in the status."""


def show(spec: KeyVaultSpec, draft: StatusDraft, info: KeysetInfo, usage: KeyUsage | None) -> None:
    """Say how the keys stand; those that could not be made are left out."""
    before = {state["name"]: state for state in draft.status.get("keys", ())}
    keys = [_key_state(key, info) for key in spec.keys if key.name in info.versions]
    for state in keys:
        show_usage(state, usage, before.get(state["name"], {}))
    draft.put(
        vaultId=info.vault_id,
        keyCount=len(keys),
        oldestKeyAt=min((key["rotatedAt"] for key in keys), default=None),
        keys=keys,
    )


def _key_state(key: VaultKey, info: KeysetInfo) -> Manifest:
    algorithm, primary, created_at = info.versions[key.name]
    history = info.history[key.name]
    primary_version = next(version for version in history if version.version == primary)
    state: Manifest = {
        "name": key.name,
        "algorithm": algorithm,
        "primaryVersion": primary,
        "createdAt": created_at,
        "rotatedAt": primary_version.created_at,
        "minimumVersion": key.minimum_version or 1,
        "versions": [
            _version_state(version, primary) for version in reversed(history[-SHOWN_VERSIONS:])
        ],
    }
    if primary_version.derivation is not None:
        state["derivation"] = primary_version.derivation
    next_at = next_rotation(key, primary_version)
    if next_at is not None:
        state["nextRotationAt"] = timestamp(next_at)
    return state


def _version_state(version: VersionInfo, primary: int) -> Manifest:
    state: Manifest = {
        "version": version.version,
        "state": version.state,
        "createdAt": version.created_at,
    }
    if version.derivation is not None and version.version != primary:
        state["derivation"] = version.derivation
    return state
