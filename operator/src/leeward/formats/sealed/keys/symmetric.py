"""Symmetric artefact keys: whoever has one seals and opens.

Keys are never used as they are. Each file's wrapping key is derived from the material (HKDF, the
file id as salt), so random nonces stay far from their limit however many files one key wraps, and a
key that somebody uses for something else besides never does both with the same bytes.
"""

from __future__ import annotations

import base64
import hmac
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from leeward.formats.sealed.errors import InvalidKey
from leeward.formats.sealed.keys.base import (
    Kind,
    Random,
    UnwrapError,
    check_key_id,
    label,
    opened,
)
from leeward.formats.sealed.layout import ID_SIZE, RecipientEntry
from leeward.formats.sealed.schedule import KEY_SIZE, derive

_NONCE_SIZE: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class SymmetricKey(ABC):
    """A symmetric artefact key.

    Attributes:
        key_id: 128-bit id, written into the file; empty: the fingerprint stands for it.
        material: 32 secret bytes.
    """

    KIND: ClassVar[Kind]
    ALGORITHM: ClassVar[str]

    key_id: bytes
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_SIZE:
            raise InvalidKey(f"an artefact key has {KEY_SIZE} bytes, not {len(self.material)}")
        object.__setattr__(self, "key_id", check_key_id(self.key_id or self.fingerprint))

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new key with a random id."""
        return cls(random(ID_SIZE), random(KEY_SIZE))

    @property
    def algorithm(self) -> str:
        """Its name in the API."""
        return self.ALGORITHM

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that whoever has the key can make, and that tell nothing of it."""
        return derive(self.material, b"", label(self.KIND) + b" fingerprint")[:ID_SIZE]

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """Wrap the 32-byte data key of the file with that id."""
        return RecipientEntry(self.KIND, self.key_id, self._encrypt(data_key, file_id, random))

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        if entry.kind != self.KIND:
            return None

        def unwrap(key_id: bytes) -> bytes:
            return self._decrypt(entry.payload, file_id, key_id)

        return opened(entry, (self.key_id, self.fingerprint), unwrap)

    def _wrapping_key(self, file_id: bytes) -> bytes:
        return derive(self.material, file_id, label(self.KIND))

    @abstractmethod
    def _encrypt(self, data_key: bytes, file_id: bytes, random: Random) -> bytes: ...

    @abstractmethod
    def _decrypt(self, payload: bytes, file_id: bytes, key_id: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, eq=False)
class _AeadKey(SymmetricKey):
    """Wraps by an AEAD with a random 96-bit nonce; payload nonce, ciphertext, tag: 60 bytes."""

    AEAD: ClassVar[type[AESGCM] | type[ChaCha20Poly1305]]

    def _encrypt(self, data_key: bytes, file_id: bytes, random: Random) -> bytes:
        nonce = random(_NONCE_SIZE)
        return nonce + self._cipher(file_id).encrypt(nonce, data_key, file_id + self.key_id)

    def _decrypt(self, payload: bytes, file_id: bytes, key_id: bytes) -> bytes:
        nonce, sealed = payload[:_NONCE_SIZE], payload[_NONCE_SIZE:]
        try:
            return self._cipher(file_id).decrypt(nonce, sealed, file_id + key_id)
        except (InvalidTag, ValueError) as error:
            raise UnwrapError from error

    def _cipher(self, file_id: bytes) -> AESGCM | ChaCha20Poly1305:
        return self.AEAD(self._wrapping_key(file_id))


@dataclass(frozen=True, slots=True, eq=False)
class ArtefactKey(_AeadKey):
    """Kind 1: AES-256-GCM (NIST SP 800-38D)."""

    KIND = Kind.ARTEFACT
    ALGORITHM = "AES256_GCM"
    AEAD = AESGCM


@dataclass(frozen=True, slots=True, eq=False)
class ArtefactChaCha20Key(_AeadKey):
    """Kind 6: ChaCha20-Poly1305 (RFC 8439); files sealed to it first have such chunks, too."""

    KIND = Kind.ARTEFACT_CHACHA20_POLY1305
    ALGORITHM = "CHACHA20_POLY1305"
    AEAD = ChaCha20Poly1305


@dataclass(frozen=True, slots=True, eq=False)
class ArtefactFernetKey(SymmetricKey):
    """Kind 7: Fernet (AES-128-CBC and HMAC-SHA256); payload the token, 228 characters.

    Fernet has no associated data, so what the data key is bound to stands in the plaintext. The
    library draws the initialisation vector from the operating system. The token's time is zero: a
    format without a clock has none to tell.
    """

    KIND = Kind.ARTEFACT_FERNET
    ALGORITHM = "FERNET"

    def _encrypt(self, data_key: bytes, file_id: bytes, random: Random) -> bytes:
        del random
        plain = self._bound(file_id, self.key_id) + data_key
        return self.fernet(file_id).encrypt_at_time(plain, 0)

    def _decrypt(self, payload: bytes, file_id: bytes, key_id: bytes) -> bytes:
        try:
            plain = self.fernet(file_id).decrypt(payload)
        except InvalidToken as error:
            raise UnwrapError from error
        # The library skips characters that are none of base64.
        if base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload)) != payload:
            raise UnwrapError
        bound = self._bound(file_id, key_id)
        if not hmac.compare_digest(plain[: len(bound)], bound):
            raise UnwrapError
        return plain[len(bound) :]

    def _bound(self, file_id: bytes, key_id: bytes) -> bytes:
        return label(self.KIND) + file_id + key_id

    def fernet(self, file_id: bytes) -> Fernet:
        """What wraps the data key of the file with that id, as the library has it."""
        return Fernet(base64.urlsafe_b64encode(self._wrapping_key(file_id)))
