"""The keys of the pod, as the sealed format and the transforms want them."""

from collections.abc import Sequence

from leeward.formats.keyset import PARTS_ROLE, PodKey, PodKeyset
from leeward.formats.sealed import (
    SEALING_ALGORITHMS,
    InvalidKey,
    Recipient,
    Unwrapper,
    recipient_of,
    unwrapper_of,
)
from leeward_masking.errors import JobError


def unwrappers(keyset: PodKeyset, role: str | None) -> Sequence[Unwrapper] | None:
    """What opens a file whose key has this role; None where there is no role: the file is plain.

    Raises:
        JobError: ``InvalidConfig``: the key is not there, or cannot open files.
    """
    if role is None:
        return None
    key = _by_role(keyset, role)
    if key.algorithm not in SEALING_ALGORITHMS:
        raise _unusable(role, f"{key.algorithm} opens no files")
    try:
        return [unwrapper_of(key.algorithm, bytes.fromhex(key.id), key.raw())]
    except (InvalidKey, ValueError):
        raise _unusable(role, "its material has another form") from None


def recipient(keyset: PodKeyset, role: str) -> Recipient:
    """Whom the output is sealed to.

    Raises:
        JobError: ``InvalidConfig``.
    """
    key = _by_role(keyset, role)
    if key.algorithm not in SEALING_ALGORITHMS:
        raise _unusable(role, f"{key.algorithm} seals no files")
    try:
        return recipient_of(key.algorithm, bytes.fromhex(key.id), key.raw())
    except (InvalidKey, ValueError):
        raise _unusable(role, "its material has another form") from None


def shared_key(keyset: PodKeyset) -> bytes:
    """The 32 bytes that only the pods of one job have.

    Raises:
        JobError: ``InvalidConfig``.
    """
    key = _by_role(keyset, PARTS_ROLE)
    if key.algorithm != "AES256_GCM":
        raise _unusable(PARTS_ROLE, f"{key.algorithm} seals no parts")
    return key.raw()


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
