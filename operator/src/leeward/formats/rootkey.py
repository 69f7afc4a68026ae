"""The embedded root key as it is stored, in the clear: Secret ``leeward-root-key``.

Format version 2 holds several, of which one is current, so that it can be replaced without an
outage: while keysets are moved from the one to the other, both are there. Format version 1, which
held exactly one, is read as a keyring of one.

The id of a root key is made from it: HKDF (RFC 5869) with SHA-256, no salt, info
``leeward.dev/root-key-id``, 16 bytes. It tells nothing about the key, and whoever has put a key
together again can see by its id that it is the right one. Keys that were made by format version 1
have random ids. Golden vectors: tests/golden/rootkey.json.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Annotated, Final, Literal, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import (
    Field,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from leeward.formats.document import Document, read_json

ROOT_KEY_SIZE: Final = 32
"""Bytes of a root key."""

ID_SIZE: Final = 16
"""Bytes of its id."""

MAX_KEYS: Final = 64
"""Root keys that stand side by side at most; as a rule one, and two during a rotation."""

_ID_INFO: Final = b"leeward.dev/root-key-id"

Random = Callable[[int], bytes]
Hex128 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


def root_key_id(material: bytes) -> str:
    """The id of a root key: 32 hexadecimal digits (see the module)."""
    return HKDF(SHA256(), ID_SIZE, salt=None, info=_ID_INFO).derive(material).hex()


class RootKey(Document):
    """A key that wraps vault keys, in the clear: it stands in the operator's namespace only.

    Attributes:
        id: Names it in everything that it wraps.
        material: Base64 of 32 bytes.
        created_at: RFC 3339; None: not known.
    """

    id: Hex128
    material: SecretStr
    created_at: str | None = None

    @field_serializer("material", when_used="json")
    def _reveal(self, material: SecretStr) -> str:
        return material.get_secret_value()

    @field_validator("material")
    @classmethod
    def _of_the_right_size(cls, material: SecretStr) -> SecretStr:
        try:
            size = len(base64.b64decode(material.get_secret_value(), validate=True))
        except (binascii.Error, ValueError):
            raise ValueError("a root key is base64") from None
        if size != ROOT_KEY_SIZE:
            raise ValueError(f"a root key has {ROOT_KEY_SIZE} bytes, not {size}")
        return material

    @classmethod
    def of(cls, material: bytes, *, id_: str | None = None, created_at: str | None = None) -> Self:
        """A root key of these 32 bytes.

        Args:
            material: The key.
            id_: Its id, where that was not made from it.
            created_at: RFC 3339.
        """
        text = SecretStr(base64.b64encode(material).decode())
        return cls(id=id_ or root_key_id(material), material=text, created_at=created_at)

    @classmethod
    def generate(cls, random: Random, created_at: str | None = None) -> Self:
        """A new one."""
        return cls.of(random(ROOT_KEY_SIZE), created_at=created_at)

    def raw(self) -> bytes:
        """The material itself."""
        return base64.b64decode(self.material.get_secret_value())

    def vouches_for_itself(self) -> bool:
        """Whether the id was made from this very key."""
        return self.id == root_key_id(self.raw())

    def is_same(self, other: Self) -> bool:
        """Whether the other one is this key, in constant time."""
        return self.id == other.id and hmac.compare_digest(self.raw(), other.raw())


class RootKeyring(Document):
    """All root keys that something is wrapped by, and which of them is current.

    Attributes:
        current: Id of the key that wraps what is wrapped from now on.
        keys: That key and, while a rotation is under way, those that are being given up.
        rotation: The last request for a rotation that was taken up: as it stood in the annotation.
    """

    versions = (1, 2)

    format_version: Literal[2] = 2
    current: Hex128
    keys: list[RootKey] = Field(min_length=1, max_length=MAX_KEYS)
    rotation: str | None = None

    @model_validator(mode="after")
    def _has_its_current_key_once(self) -> Self:
        ids = [key.id for key in self.keys]
        if len(set(ids)) != len(ids):
            raise ValueError("two root keys have the same id")
        if self.current not in ids:
            raise ValueError("the current root key is not among them")
        return self

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Read a keyring, or the one root key of format version 1.

        Raises:
            UnreadableDocumentError: It is not JSON.
            UnsupportedFormatVersionError: It is of a version that this release does not read.
            pydantic.ValidationError: It is neither (no values in the message).
        """
        document = read_json(data)
        if isinstance(document, dict) and document.get("formatVersion") == 1:
            return cls.of(
                RootKey.model_validate({k: v for k, v in document.items() if k != "formatVersion"})
            )
        return cls.of_json(document)

    @classmethod
    def of(cls, key: RootKey) -> Self:
        """A keyring of one key."""
        return cls(current=key.id, keys=[key])

    @property
    def current_key(self) -> RootKey:
        """The key that wraps what is wrapped from now on."""
        return next(key for key in self.keys if key.id == self.current)

    @property
    def given_up(self) -> list[RootKey]:
        """The others: kept until nothing is wrapped by them any more."""
        return [key for key in self.keys if key.id != self.current]

    def key(self, id_: str) -> RootKey | None:
        """The key of this id, or None."""
        return next((key for key in self.keys if key.id == id_), None)

    def rotated(self, made: RootKey, request: str | None) -> Self:
        """With a new current key, beside those that are there."""
        return self.model_copy(
            update={"current": made.id, "keys": [*self.keys, made], "rotation": request}
        )

    def joined(self, other: RootKey) -> Self:
        """With another key that is not current."""
        return self.model_copy(update={"keys": [*self.keys, other]})

    def without(self, id_: str) -> Self:
        """Without one of those that are given up.

        Raises:
            ValueError: It is the current one.
        """
        if id_ == self.current:
            raise ValueError("the current root key is not given up")
        return self.model_copy(update={"keys": [key for key in self.keys if key.id != id_]})
