"""Keys that do not come out of the operator's own chance: what is asked for, and what to say."""

from typing import Final

from leeward.api.algorithms import ALGORITHMS
from leeward.api.keyorigin import Origin
from leeward.api.keyvault import KeyVaultSpec, VaultKey
from leeward.plans.shared.conditions import StatusDraft
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import Event, KeysetInfo, NewKey, OriginReason, OriginRefusal

_IN_FULL: Final = 3
_NAMED: Final = 8


def origin_of(spec: KeyVaultSpec, key: VaultKey) -> Origin:
    """Where a key comes from, with the key derivation function that the profile has."""
    passphrase = key.origin.passphrase
    if passphrase is None or passphrase.kdf is not None or spec.profile != "Approved":
        return key.origin
    approved = passphrase.model_copy(update={"kdf": "PBKDF2_SHA256"})
    return key.origin.model_copy(update={"passphrase": approved})


def wanted(spec: KeyVaultSpec) -> tuple[NewKey, ...]:
    """The keys that the keyset is to have."""
    return tuple(NewKey(key.name, key.algorithm, origin_of(spec, key)) for key in spec.keys)


def conflict(spec: KeyVaultSpec, info: KeysetInfo) -> tuple[str, str] | None:
    """Reason and message where an adopted keyset has a key unlike the one of the spec."""
    for key in spec.keys:
        if key.name not in info.versions:
            continue
        algorithm, primary, _ = info.versions[key.name]
        if algorithm != key.algorithm:
            return (
                "KeyAlgorithmConflict",
                f"key {key.name} of the adopted keyset has algorithm {algorithm}, not"
                f" {key.algorithm}: give it algorithm {algorithm}, or another name",
            )
        version = next(v for v in info.history[key.name] if v.version == primary)
        if version.fixed == (key.origin.generate is not None) and not _signs(algorithm):
            was = "passphrase, derive or import" if version.fixed else "generate"
            return (
                "KeyOriginConflict",
                f"key {key.name} of the adopted keyset has origin {was}: give it that origin, or"
                " another name",
            )
    return None


def refusal(refused: dict[str, OriginRefusal]) -> tuple[OriginReason, str]:
    """Reason and message for keys that could not be made; of many, the first few in full."""
    reasons = [each.reason for each in refused.values()]
    texts = [f"key {name}: {each.message}" for name, each in refused.items()]
    more = list(refused)[_IN_FULL:]
    if more:
        texts[_IN_FULL:] = [f"{len(more)} more, when these are mended: {listed(more, _NAMED)}"]
    return reasons[0], "; ".join(texts) + ". The other keys of this vault work"


def set_shared(spec: KeyVaultSpec, draft: StatusDraft, info: KeysetInfo) -> None:
    """Say which keys are one and the same for all that is sealed with them."""
    shared = [
        key.name
        for key in spec.keys
        if not _signs(key.algorithm) and any(v.fixed for v in info.history.get(key.name, ()))
    ]
    if not shared:
        return
    names = ", ".join(shared)
    draft.set(
        "SharedKey",
        True,
        "FixedMaterial",
        f"everything under {names} has the same key, since it comes from a passphrase, another key"
        " or an import: whoever is given it for one artefact opens all of them, and so does whoever"
        " has it elsewhere; shredding one artefact does not help. Where neither is meant, use a key"
        " with origin generate",
    )


def made_events(spec: KeyVaultSpec, info: KeysetInfo) -> tuple[Event, ...]:
    """That Secrets are not needed any more."""
    found = []
    for key in spec.keys:
        given = key.origin.passphrase or key.origin.import_
        if given is not None and key.name in info.made:
            found.append(
                Event(
                    "Normal",
                    "KeyTaken",
                    f"key {key.name} was made of Secret {given.secret_ref.name}, which is not"
                    " needed any more: delete it, and keep a copy elsewhere",
                )
            )
    return tuple(found)


def _signs(algorithm: str) -> bool:
    return ALGORITHMS[algorithm].key_class == "Signing"
