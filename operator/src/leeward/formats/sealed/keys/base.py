"""What all recipient kinds have in common."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from leeward.formats.sealed.errors import InvalidKey
from leeward.formats.sealed.layout import ID_SIZE, RecipientEntry
from leeward.formats.sealed.schedule import KEY_SIZE

Random = Callable[[int], bytes]
"""Returns that many random bytes; `os.urandom` outside of tests."""


class Kind(IntEnum):
    """Registered numbers (docs/formats/lwe1.md)."""

    ARTEFACT = 1
    HPKE_X25519 = 2
    HPKE_P256 = 3
    HPKE_MLKEM768_X25519 = 4
    RSA_OAEP_SHA256 = 5
    ARTEFACT_CHACHA20_POLY1305 = 6
    ARTEFACT_FERNET = 7


KIND_NAMES: Final[dict[int, str]] = {kind: kind.name.lower().replace("_", "-") for kind in Kind}


class UnwrapError(Exception):
    """An entry names the key, and does not authenticate under it."""


class Recipient(Protocol):
    """Somebody who shall be able to open a file."""

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """Wrap the 32-byte data key of the file with that id."""
        ...


class Unwrapper(Protocol):
    """A key that opens files."""

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        ...


def opened(
    entry: RecipientEntry, ids: tuple[bytes, bytes], unwrap: Callable[[bytes], bytes]
) -> bytes | None:
    """The data key in an entry of the key's own kind, or None where it is for another key.

    A key whose id is its fingerprint came without an id, as a PEM or an imported key does: what
    others sealed with the same key may name it by any id, so it is tried.

    Args:
        entry: The entry.
        ids: Id and fingerprint of the key, which answers to both.
        unwrap: Opens the entry as one of that key id.

    Raises:
        UnwrapError: the entry names this key and does not authenticate.
    """
    key_id, fingerprint = ids
    named = entry.key_id in ids
    if not named and key_id != fingerprint:
        return None
    try:
        return check_data_key(unwrap(entry.key_id))
    except UnwrapError:
        if named:
            raise
        return None


def label(kind: Kind) -> bytes:
    """What keeps a kind's derived keys and ciphertexts apart from all others."""
    return f"leeward LWE1 {KIND_NAMES[kind]} recipient".encode()


def check_key_id(key_id: bytes) -> bytes:
    """The id itself.

    Raises:
        InvalidKey: it has not 16 bytes.
    """
    if len(key_id) != ID_SIZE:
        raise InvalidKey(f"a key id has {ID_SIZE} bytes, not {len(key_id)}")
    return key_id


def check_data_key(data_key: bytes) -> bytes:
    """The unwrapped data key itself.

    Raises:
        UnwrapError: it has not 32 bytes.
    """
    if len(data_key) != KEY_SIZE:
        raise UnwrapError
    return data_key
