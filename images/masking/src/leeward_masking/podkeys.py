"""The keys of the pod, as the sealed format and the transforms want them."""

from collections.abc import Sequence

from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.sealed import ArtefactKey, HpkePrivateKey, InvalidKey, Recipient, Unwrapper
from leeward_masking.errors import JobError


def unwrappers(keyset: PodKeyset, role: str | None) -> Sequence[Unwrapper] | None:
    """What opens a file whose key has this role; None where there is no role: the file is plain.

    Raises:
        JobError: ``InvalidConfig``: the key is not there, or cannot open files.
    """
    if role is None:
        return None
    key = _by_role(keyset, role)
    key_id = bytes.fromhex(key.id)
    try:
        if key.algorithm == "HPKE_X25519":
            return [HpkePrivateKey.from_bytes(key.raw(), key_id)]
        if key.algorithm == "AES256_GCM":
            return [ArtefactKey(key_id, key.raw())]
    except (InvalidKey, ValueError):
        raise _unusable(role, "its material has another form") from None
    raise _unusable(role, f"{key.algorithm} opens no files")


def recipient(keyset: PodKeyset, role: str) -> Recipient:
    """Whom the output is sealed to.

    Raises:
        JobError: ``InvalidConfig``.
    """
    key = _by_role(keyset, role)
    key_id = bytes.fromhex(key.id)
    try:
        if key.algorithm == "HPKE_X25519":
            return HpkePrivateKey.from_bytes(key.raw(), key_id).public_key
        if key.algorithm == "AES256_GCM":
            return ArtefactKey(key_id, key.raw())
    except (InvalidKey, ValueError):
        raise _unusable(role, "its material has another form") from None
    raise _unusable(role, f"{key.algorithm} seals no files")


def _by_role(keyset: PodKeyset, role: str) -> PodKey:
    try:
        return keyset.by_role(role)
    except KeyError:
        raise _unusable(role, "the pod was not given it") from None


def _unusable(role: str, why: str) -> JobError:
    return JobError(
        "InvalidConfig",
        f"the key for {role} cannot be used: {why}",
        "choose a key with an algorithm that fits, then create the resource again",
    )
