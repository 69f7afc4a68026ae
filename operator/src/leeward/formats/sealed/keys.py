"""Who can open a sealed file: symmetric artefact keys and HPKE key pairs.

A `Recipient` wraps a file's data key, an `Unwrapper` gets it back. Both kinds bind the wrapped key
to the file id and the key id, so an entry moved to another file does not unwrap there. Later kinds
(RSA-OAEP, P-256, ML-KEM hybrids) are one more class with the next registered number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leeward.formats.sealed.errors import InvalidKey
from leeward.formats.sealed.layout import ID_SIZE, RecipientEntry
from leeward.formats.sealed.schedule import KEY_SIZE, derive

KIND_ARTEFACT: Final = 1
KIND_HPKE_X25519: Final = 2
KIND_NAMES: Final = {KIND_ARTEFACT: "artefact", KIND_HPKE_X25519: "hpke-x25519"}

_LABEL_ARTEFACT: Final = b"leeward LWE1 artefact recipient"
_LABEL_HPKE: Final = b"leeward LWE1 hpke-x25519 recipient"
_NONCE_SIZE: Final = 12
_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

Random = Callable[[int], bytes]
"""Returns that many random bytes; `os.urandom` outside of tests."""


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


def _check_key_id(key_id: bytes) -> bytes:
    if len(key_id) != ID_SIZE:
        raise InvalidKey(f"a key id has {ID_SIZE} bytes, not {len(key_id)}")
    return key_id


@dataclass(frozen=True, slots=True, eq=False)
class ArtefactKey:
    """A symmetric artefact key: whoever has it seals and opens.

    Each file's wrapping key is derived from it (HKDF, the file id as salt), so random nonces stay
    far from their limit however many files one artefact key wraps.

    Attributes:
        key_id: 128-bit id, written into the file.
        material: 32 secret bytes.
    """

    key_id: bytes
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_key_id(self.key_id)
        if len(self.material) != KEY_SIZE:
            raise InvalidKey(f"an artefact key has {KEY_SIZE} bytes, not {len(self.material)}")

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new key with a random id."""
        return cls(random(ID_SIZE), random(KEY_SIZE))

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """AES-256-GCM with a random 96-bit nonce; payload nonce, ciphertext, tag: 60 bytes."""
        nonce = random(_NONCE_SIZE)
        sealed = self._cipher(file_id).encrypt(nonce, data_key, file_id + self.key_id)
        return RecipientEntry(KIND_ARTEFACT, self.key_id, nonce + sealed)

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        if entry.kind != KIND_ARTEFACT or entry.key_id != self.key_id:
            return None
        nonce, sealed = entry.payload[:_NONCE_SIZE], entry.payload[_NONCE_SIZE:]
        try:
            return _checked(self._cipher(file_id).decrypt(nonce, sealed, file_id + self.key_id))
        except (InvalidTag, ValueError) as error:
            raise UnwrapError from error

    def _cipher(self, file_id: bytes) -> AESGCM:
        return AESGCM(derive(self.material, file_id, _LABEL_ARTEFACT))


@dataclass(frozen=True, slots=True, eq=False)
class HpkePublicKey:
    """The public half of an X25519 pair: whoever has it seals, and opens nothing.

    HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

    Attributes:
        key: the public key.
        key_id: written into the file: the artefact key's id, or the fingerprint.
    """

    key: X25519PublicKey = field(repr=False)
    key_id: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", _check_key_id(self.key_id or self.fingerprint))

    @classmethod
    def from_pem(cls, pem: bytes, key_id: bytes = b"") -> Self:
        """Load PEM SubjectPublicKeyInfo.

        Raises:
            InvalidKey: no PEM, or another kind of key.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise InvalidKey(
                "no public key in PEM could be read: give the file that "
                "`leeward dataset public-key` wrote"
            ) from error
        if not isinstance(key, X25519PublicKey):
            raise InvalidKey("the public key is not X25519: use a key of algorithm HPKE_X25519")
        return cls(key, key_id)

    def to_pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo."""
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> bytes:
        """The first 16 bytes of SHA-256 over the DER SubjectPublicKeyInfo."""
        der = self.key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).digest()[:ID_SIZE]

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """HPKE single-shot; payload encapsulated key, ciphertext, tag: 80 bytes.

        `random` is not used: the library draws the ephemeral key from the operating system.
        """
        del random
        payload = _SUITE.encrypt(data_key, self.key, info=_hpke_info(file_id, self.key_id))
        return RecipientEntry(KIND_HPKE_X25519, self.key_id, payload)


@dataclass(frozen=True, slots=True, eq=False)
class HpkePrivateKey:
    """The private half of an X25519 pair.

    It answers to the artefact key's id and to the fingerprint of its public half, since a data
    owner who seals with the public key alone knows only the latter.
    """

    key: X25519PrivateKey = field(repr=False)
    key_id: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", _check_key_id(self.key_id or self._fingerprint))

    @classmethod
    def generate(cls, random: Random, key_id: bytes = b"") -> Self:
        """A new pair."""
        return cls.from_bytes(random(KEY_SIZE), key_id)

    @classmethod
    def from_bytes(cls, material: bytes, key_id: bytes = b"") -> Self:
        """Load the 32 bytes of an X25519 private key (RFC 7748).

        Raises:
            InvalidKey: not 32 bytes.
        """
        if len(material) != KEY_SIZE:
            raise InvalidKey(f"an X25519 private key has {KEY_SIZE} bytes, not {len(material)}")
        return cls(X25519PrivateKey.from_private_bytes(material), key_id)

    @classmethod
    def from_pem(cls, pem: bytes, key_id: bytes = b"") -> Self:
        """Load unencrypted PEM PKCS#8.

        Raises:
            InvalidKey: no PEM, encrypted, or another kind of key.
        """
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise InvalidKey(
                "no private key in PEM could be read: give unencrypted PKCS#8"
            ) from error
        if not isinstance(key, X25519PrivateKey):
            raise InvalidKey("the private key is not X25519: use a key of algorithm HPKE_X25519")
        return cls(key, key_id)

    def to_pem(self) -> bytes:
        """Unencrypted PEM PKCS#8."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def to_bytes(self) -> bytes:
        """The 32 secret bytes."""
        return self.key.private_bytes_raw()

    @property
    def public_key(self) -> HpkePublicKey:
        """The public half, under the same key id."""
        return HpkePublicKey(self.key.public_key(), self.key_id)

    @property
    def _fingerprint(self) -> bytes:
        return HpkePublicKey(self.key.public_key()).fingerprint

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        if entry.kind != KIND_HPKE_X25519:
            return None
        if entry.key_id not in (self.key_id, self._fingerprint):
            return None
        info = _hpke_info(file_id, entry.key_id)
        try:
            return _checked(_SUITE.decrypt(entry.payload, self.key, info=info))
        except (InvalidTag, ValueError) as error:
            raise UnwrapError from error


def _hpke_info(file_id: bytes, key_id: bytes) -> bytes:
    return _LABEL_HPKE + file_id + key_id


def _checked(data_key: bytes) -> bytes:
    if len(data_key) != KEY_SIZE:
        raise ValueError("a data key has 32 bytes")
    return data_key
