"""Key pairs: whoever has the public half seals, and only the private half opens.

A private half answers to its artefact key's id and to the fingerprint of its public half, since a
data owner who seals with the public half alone knows only the latter. One without an id is tried
with every entry of its kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Self, TypeVar, cast

from cryptography.exceptions import InvalidTag

from leeward.formats import material as keymaterial
from leeward.formats.material import InvalidMaterial, PrivateKey, PublicKey
from leeward.formats.sealed.errors import InvalidKey
from leeward.formats.sealed.keys.base import (
    Kind,
    Random,
    UnwrapError,
    check_key_id,
    label,
    opened,
)
from leeward.formats.sealed.layout import RecipientEntry

PublicT_co = TypeVar("PublicT_co", bound=PublicKey, covariant=True)
PrivateT_co = TypeVar("PrivateT_co", bound=PrivateKey, covariant=True)


def matching(key: PublicKey, algorithms: tuple[str, ...]) -> str:
    """The one of `algorithms` that `key` is a public half of.

    Raises:
        InvalidKey: it is of none.
    """
    for algorithm in algorithms:
        try:
            keymaterial.check_public(algorithm, key)
        except InvalidMaterial as error:
            refusal = error
        else:
            return algorithm
    raise InvalidKey(f"{refusal}; use a key of algorithm {' or '.join(algorithms)}") from refusal


@dataclass(frozen=True, slots=True, eq=False)
class PublicHalf(ABC, Generic[PublicT_co]):
    """The public half of a pair.

    Attributes:
        key: the public key.
        key_id: written into the file: the artefact key's id, or the fingerprint.
    """

    KIND: ClassVar[Kind]
    ALGORITHMS: ClassVar[tuple[str, ...]]

    key: PublicT_co = field(repr=False)
    key_id: bytes = b""

    def __post_init__(self) -> None:
        matching(self.key, self.ALGORITHMS)
        object.__setattr__(self, "key_id", check_key_id(self.key_id or self.fingerprint))

    @classmethod
    def from_pem(cls, pem: bytes, key_id: bytes = b"") -> Self:
        """Load PEM SubjectPublicKeyInfo.

        Raises:
            InvalidKey: no PEM, or another kind of key.
        """
        try:
            key = keymaterial.load_public(pem)
        except InvalidMaterial as error:
            raise InvalidKey(str(error)) from error
        matching(key, cls.ALGORITHMS)
        return cls(cast("PublicT_co", key), key_id)

    def to_pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo."""
        return keymaterial.pem_of(self.key).encode()

    @property
    def algorithm(self) -> str:
        """Its name in the API."""
        return matching(self.key, self.ALGORITHMS)

    @property
    def fingerprint(self) -> bytes:
        """The first 16 bytes of SHA-256 over the DER SubjectPublicKeyInfo."""
        return keymaterial.fingerprint(self.key)

    def wrap(self, data_key: bytes, file_id: bytes, random: Random) -> RecipientEntry:
        """Wrap the 32-byte data key of the file with that id.

        `random` is not used: the library draws what it needs from the operating system.

        Raises:
            InvalidKey: nothing secret can be agreed on with this key (RFC 9180, section 7.1.4).
        """
        del random
        try:
            payload = self._encrypt(data_key, _info(self.KIND, file_id, self.key_id))
        except ValueError as error:
            raise InvalidKey(
                f"the public key {self.key_id.hex()} is one that everybody has the private half "
                "of: nobody made it honestly; get the key from its owner again"
            ) from error
        return RecipientEntry(self.KIND, self.key_id, payload)

    @abstractmethod
    def _encrypt(self, data_key: bytes, info: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, eq=False)
class PrivateHalf(ABC, Generic[PrivateT_co]):
    """The private half of a pair.

    Attributes:
        key: the private key.
        key_id: the artefact key's id, or the fingerprint of the public half.
    """

    KIND: ClassVar[Kind]
    ALGORITHMS: ClassVar[tuple[str, ...]]

    key: PrivateT_co = field(repr=False)
    key_id: bytes = b""

    def __post_init__(self) -> None:
        matching(self.key.public_key(), self.ALGORITHMS)
        object.__setattr__(self, "key_id", check_key_id(self.key_id or self._fingerprint))

    @classmethod
    def generate(cls, random: Random, key_id: bytes = b"") -> Self:
        """A new pair, of the first algorithm of its kind."""
        return cls.from_bytes(keymaterial.generate(cls.ALGORITHMS[0], random), key_id)

    @classmethod
    def from_bytes(cls, material: bytes, key_id: bytes = b"", algorithm: str = "") -> Self:
        """Load key material (`leeward.formats.material`) that was checked when it was made.

        Raises:
            InvalidKey: it is of another algorithm or length.
        """
        try:
            key = keymaterial.private_key(algorithm or cls.ALGORITHMS[0], material)
        except InvalidMaterial as error:
            raise InvalidKey(str(error)) from error
        return cls(cast("PrivateT_co", key), key_id)

    @classmethod
    def from_pem(cls, pem: bytes, key_id: bytes = b"") -> Self:
        """Load unencrypted PEM PKCS#8.

        Raises:
            InvalidKey: no PEM, encrypted, or another kind of key.
        """
        try:
            key = keymaterial.load_private(pem)
        except InvalidMaterial as error:
            raise InvalidKey(str(error)) from error
        matching(key.public_key(), cls.ALGORITHMS)
        return cls(cast("PrivateT_co", key), key_id)

    def to_pem(self) -> bytes:
        """Unencrypted PEM PKCS#8."""
        return keymaterial.private_pem(self.algorithm, self.to_bytes()).encode()

    def to_bytes(self) -> bytes:
        """The key material: secret."""
        return keymaterial.from_private_key(self.algorithm, self.key)

    @property
    def algorithm(self) -> str:
        """Its name in the API."""
        return self.public_key.algorithm

    @property
    @abstractmethod
    def public_key(self) -> PublicHalf[PublicKey]:
        """The public half, under the same key id."""

    def unwrap(self, entry: RecipientEntry, file_id: bytes) -> bytes | None:
        """The data key, or None where the entry is for another key.

        Raises:
            UnwrapError: the entry names this key and does not authenticate.
        """
        if entry.kind != self.KIND:
            return None

        def unwrap(key_id: bytes) -> bytes:
            try:
                return self._decrypt(entry.payload, _info(self.KIND, file_id, key_id))
            except (InvalidTag, ValueError) as error:
                raise UnwrapError from error

        return opened(entry, (self.key_id, self._fingerprint), unwrap)

    @property
    def _fingerprint(self) -> bytes:
        return keymaterial.fingerprint(self.key.public_key())

    @abstractmethod
    def _decrypt(self, payload: bytes, info: bytes) -> bytes: ...


def _info(kind: Kind, file_id: bytes, key_id: bytes) -> bytes:
    return label(kind) + file_id + key_id
