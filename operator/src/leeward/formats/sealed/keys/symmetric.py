"""Symmetric artefact keys: whoever has one seals and opens."""

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
    check_data_key,
    check_key_id,
    label,
)
from leeward.formats.sealed.layout import ID_SIZE, RecipientEntry
from leeward.formats.sealed.schedule import KEY_SIZE, derive

_NONCE_SIZE: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class SymmetricKey(ABC):
    """A symmetric artefact key.

    Attributes:
        key_id: 128-bit id, written into the file.
        material: 32 secret bytes.
    """

    KIND: ClassVar[Kind]
    ALGORITHM: ClassVar[str]

    key_id: bytes
    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_key_id(self.key_id)
        if len(self.material) != KEY_SIZE:
            raise InvalidKey(f"an artefact key has {KEY_SIZE} bytes, not {len(self.material)}")

    @classmethod
    def generate(cls, random: Random) -> Self:
        """A new key with a random id."""
        return cls(random(ID_SIZE), random(KEY_SIZE))

    @property
    def algorithm(self) -> str:
        """Its name in the API."""
        return self.ALGORITHM

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """Wrap the 32-byte data key of the file with that id."""
        return RecipientEntry(self.KIND, self.key_id, self._encrypt(data_key, file_id, random))

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        if entry.kind != self.KIND or entry.key_id != self.key_id:
            return None
        return check_data_key(self._decrypt(entry.payload, file_id))

    @abstractmethod
    def _encrypt(self, data_key: bytes, file_id: bytes, random: Random) -> bytes: ...

    @abstractmethod
    def _decrypt(self, payload: bytes, file_id: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, eq=False)
class _AeadKey(SymmetricKey):
    """Wraps by an AEAD with a random 96-bit nonce; payload nonce, ciphertext, tag: 60 bytes.

    Each file's wrapping key is derived from the material (HKDF, the file id as salt), so random
    nonces stay far from their limit however many files one artefact key wraps.
    """

    AEAD: ClassVar[type[AESGCM] | type[ChaCha20Poly1305]]

    def _encrypt(self, data_key: bytes, file_id: bytes, random: Random) -> bytes:
        nonce = random(_NONCE_SIZE)
        return nonce + self._cipher(file_id).encrypt(nonce, data_key, file_id + self.key_id)

    def _decrypt(self, payload: bytes, file_id: bytes) -> bytes:
        nonce, sealed = payload[:_NONCE_SIZE], payload[_NONCE_SIZE:]
        try:
            return self._cipher(file_id).decrypt(nonce, sealed, file_id + self.key_id)
        except (InvalidTag, ValueError) as error:
            raise UnwrapError from error

    def _cipher(self, file_id: bytes) -> AESGCM | ChaCha20Poly1305:
        return self.AEAD(derive(self.material, file_id, label(self.KIND)))


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
        plain = self._bound(file_id) + data_key
        return self.fernet().encrypt_at_time(plain, 0)

    def _decrypt(self, payload: bytes, file_id: bytes) -> bytes:
        try:
            plain = self.fernet().decrypt(payload)
        except InvalidToken as error:
            raise UnwrapError from error
        # The library skips characters that are none of base64.
        if base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload)) != payload:
            raise UnwrapError
        bound = self._bound(file_id)
        if not hmac.compare_digest(plain[: len(bound)], bound):
            raise UnwrapError
        return plain[len(bound) :]

    def _bound(self, file_id: bytes) -> bytes:
        return label(self.KIND) + file_id + self.key_id

    def fernet(self) -> Fernet:
        """The same key, as the library takes it."""
        return Fernet(base64.urlsafe_b64encode(self.material))
