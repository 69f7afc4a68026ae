"""Wrapped keys as the operator stores them: vault keysets and artefact keys.

    root key ─wraps▶ version of a vault key ─wraps▶ artefact key ─wraps▶ data key of one file (LWE1)

Each is one JSON document in one Secret. Wrapping is AES-256-GCM (NIST SP 800-38D) with a random
96-bit nonce; a wrapped key is ``{"nonce": base64 of 12 bytes, "ciphertext": base64 of the key and
the 16-byte tag}``. Its associated data is the canonical JSON (sorted, no spaces, UTF-8) of a list:

    vault key     ["leeward.dev/wrapped-vault-key", 1, rootKeyId, vaultId, key, algorithm, version]
    fixed key     ["leeward.dev/wrapped-fixed-key", 1, vaultId, key, version, algorithm,
                   publicKey or ""]
    artefact key  ["leeward.dev/wrapped-artefact-key", 1, id, vaultId, key, version, algorithm,
                   publicKey or ""]

so none of them opens in the place of another. Golden vectors: tests/golden/wrapped.json.

A fixed key is one that belongs to a version itself: of a signing key its pair, of a key with an
origin other than generate the one that was derived or imported. It is wrapped by that version, as
artefact keys are. So whatever wraps the version never meets it, and it goes with the version.

A version of a vault key may be wrapped by a Transit key instead of the root key
(``keystore.providers.transit``). Then it is ``{"ciphertext": what Transit gave}``, the same bytes
are Transit's ``associated_data``, and rootKeyId is the id of the Transit key.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Final, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, field_validator, model_validator

from leeward.api import KINDS_BY_NAME
from leeward.api.dataset import Location, Volume
from leeward.api.s3 import S3
from leeward.formats.document import Document, canonical_json
from leeward.formats.keyset import KeyAlgorithm
from leeward.formats.provider import TransitSettings

KEY_SIZE: Final = 32
"""Bytes of a root key and of a vault key."""

_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16

Random = Callable[[int], bytes]
Hex128 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class UnwrapError(Exception):
    """The wrapped key does not open under this key, in this place."""


class Wrapped(Document):
    """One wrapped key; both members base64."""

    nonce: str
    ciphertext: str


class TransitWrapped(Document):
    """One key that a Transit key of HashiCorp Vault or OpenBao wraps.

    Attributes:
        ciphertext: As Transit gave it: ``vault:v``, the version of its key, ``:``, base64.
    """

    ciphertext: str = Field(pattern=r"^vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/]+={0,2}$")

    @property
    def key_version(self) -> int:
        """The version of the Transit key that wraps it."""
        return int(self.ciphertext.split(":", 2)[1].removeprefix("v"))


AnyWrapped = Wrapped | TransitWrapped
"""A wrapped key, whatever wraps it; by its members, one is never taken for the other."""


VersionState = Literal["Primary", "Enabled", "Disabled", "Destroyed"]


class FixedKey(Document):
    """The key of one version itself, wrapped by it.

    Attributes:
        wrapped: Material as ``leeward.formats.material`` has it.
        public_key: PEM of the public half, of a pair.
        derivation: JSON that says how it was made from a passphrase or another key: no secret.
    """

    wrapped: Wrapped
    public_key: str | None = None
    derivation: str | None = None


class WrappedVersion(Document):
    """One version of a vault key.

    Attributes:
        state: Primary wraps new artefact keys. Enabled opens what it wrapped. Disabled is not used
            but to move to the primary what it still wraps. Destroyed is gone for good.
        changed_at: When it came into that state.
        drained: Whether nothing was found that it wraps, since it is no longer primary.
        wrapped: The wrapping key, by the root key or a Transit key; None: destroyed.
        fixed: The key of the version itself: of signing keys, and of origins other than generate.
        certificate: PEM of the certificate authority that it is; None: it is none.
    """

    version: int = Field(ge=1)
    created_at: str
    state: VersionState = "Primary"
    changed_at: str | None = None
    drained: bool = False
    wrapped: AnyWrapped | None = None
    fixed: FixedKey | None = None
    certificate: str | None = None

    @model_validator(mode="after")
    def _destroyed_holds_nothing(self) -> "WrappedVersion":
        if (self.wrapped is None) != (self.state == "Destroyed"):
            raise ValueError("a version holds a wrapped key unless it was destroyed")
        if self.wrapped is None and self.fixed is not None:
            raise ValueError("a destroyed version holds no fixed key")
        return self


class WrappedVaultKey(Document):
    """One key of a vault.

    Attributes:
        algorithm: That of the artefact keys made under it.
        primary_version: The version that new artefact keys are wrapped by.
        history: Its versions, in order.
    """

    name: str
    algorithm: KeyAlgorithm
    primary_version: int
    history: list[WrappedVersion] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_primary(self) -> "WrappedVaultKey":
        primaries = [v.version for v in self.history if v.state == "Primary"]
        if primaries != [self.primary_version]:
            raise ValueError("a key has one primary version")
        return self

    @property
    def primary(self) -> WrappedVersion:
        """The version that new artefact keys are wrapped by."""
        return self.version(self.primary_version)

    def version(self, number: int) -> WrappedVersion:
        """One version.

        Raises:
            UnwrapError: There is no such version.
        """
        for version in self.history:
            if version.version == number:
                return version
        raise UnwrapError(f"key {self.name} has no version {number}")


class WrappedKeyset(Document):
    """All keys of one vault, wrapped by the root key or a Transit key.

    Attributes:
        vault_id: Random; given when the keyset is made.
        vault_namespace, vault: Name of the KeyVault.
        owner_uid: UID of the KeyVault that it belongs to now.
        root_key_id: The root key that wraps it, or the Transit key: see the module.
        transit: That Transit key; None: it is wrapped by the root key.
    """

    format_version: Literal[1] = 1
    vault_id: Hex128
    vault_namespace: str
    vault: str
    owner_uid: str
    root_key_id: Hex128
    transit: TransitSettings | None = None
    keys: list[WrappedVaultKey]

    def key(self, name: str) -> WrappedVaultKey | None:
        """One key, or None."""
        return next((key for key in self.keys if key.name == name), None)

    def aad(self, key: str, algorithm: str, version: int) -> bytes:
        """What a version of one of its keys is bound to."""
        return canonical_json(
            [
                "leeward.dev/wrapped-vault-key",
                1,
                self.root_key_id,
                self.vault_id,
                key,
                algorithm,
                version,
            ]
        )

    def fixed_aad(self, key: str, algorithm: str, version: int, public_key: str | None) -> bytes:
        """What the fixed key of a version is bound to."""
        return canonical_json(
            [
                "leeward.dev/wrapped-fixed-key",
                1,
                self.vault_id,
                key,
                version,
                algorithm,
                public_key or "",
            ]
        )


class ShreddedVaultKey(Document):
    """What stays of one vault key: its name, and the numbers of its versions."""

    name: str
    algorithm: KeyAlgorithm
    numbers: list[int]


class ShreddedKeyset(Document):
    """The record of a keyset that was destroyed, until everything under it is removed.

    It cannot be read as a ``WrappedKeyset``, so nothing takes it for one.
    """

    format_version: Literal[1] = 1
    vault_id: Hex128
    vault_namespace: str
    vault: str
    owner_uid: str
    keys: list[ShreddedVaultKey]
    shredded_at: str


class Artefact(Document):
    """The file that a workload writes with a key: on a volume, or in a bucket."""

    claim: str | None = None
    path: str
    s3: S3 | None = None

    @model_validator(mode="after")
    def _is_a_place(self) -> Self:
        _ = self.location
        return self

    @classmethod
    def at(cls, location: Location) -> Self:
        """The file at a location."""
        volume = location.volume
        return cls(claim=volume.claim_name if volume else None, path=location.path, s3=location.s3)

    @property
    def location(self) -> Location:
        """Where it lies."""
        if self.s3 is not None:
            return Location(s3=self.s3)
        return Location(volume=Volume(claim_name=self.claim or "", path=self.path))


class ArtefactKeyRecord(Document):
    """What is recorded of one artefact key, whether there is a key (any more) or not.

    Attributes:
        id: Sealed files name it.
        vault_id, vault_namespace, vault, key, version: What wraps it.
        namespace, owner: For whom it was made: namespace, ``Kind/name/uid``.
        public_key: PEM of the public half, of a pair.
        artefact: The file that a workload writes with it; None for other keys.
        dataset: Name of the Dataset that this file is to become; None: it does not seal the file.
    """

    format_version: Literal[1] = 1
    id: Hex128
    vault_id: Hex128
    vault_namespace: str
    vault: str
    key: str
    version: int
    algorithm: KeyAlgorithm
    namespace: str
    owner: str
    created_at: str
    public_key: str | None = None
    artefact: Artefact | None = None
    dataset: str | None = None

    @field_validator("owner")
    @classmethod
    def _names_a_resource(cls, owner: str) -> str:
        kind, *rest = owner.split("/")
        if kind not in KINDS_BY_NAME or len(rest) != 2 or not all(rest):
            raise ValueError("an owner is Kind/name/uid")
        return owner


class WrappedArtefactKey(ArtefactKeyRecord):
    """One artefact key, wrapped by a version of a vault key.

    Attributes:
        published: Whether what it opens has been published: then it is not shredded any more.
        retired: True: its Dataset has another key, or is about to; no workload is given this one.
    """

    published: bool = False
    retired: Literal[True] | None = None
    wrapped: Wrapped

    def shredded(self) -> "ShreddedArtefactKey":
        """What stays of it when it is destroyed."""
        gone = {"public_key", "published", "retired", "wrapped"}
        known = self.model_dump(exclude=gone, by_alias=False)
        return ShreddedArtefactKey(**known, shredded=True)

    def aad(self) -> bytes:
        """What it is bound to."""
        return artefact_aad(
            self.id, self.vault_id, self.key, self.version, self.algorithm, self.public_key
        )


class ShreddedArtefactKey(ArtefactKeyRecord):
    """The record of an artefact key that was destroyed, for as long as its file may be there.

    It cannot be read as a ``WrappedArtefactKey``, so nothing takes it for a key.
    """

    shredded: Literal[True]


def artefact_aad(
    id_: str, vault_id: str, key: str, version: int, algorithm: str, public_key: str | None
) -> bytes:
    """What an artefact key is bound to: see the module."""
    return canonical_json(
        [
            "leeward.dev/wrapped-artefact-key",
            1,
            id_,
            vault_id,
            key,
            version,
            algorithm,
            public_key or "",
        ]
    )


def wrap(wrapping_key: bytes, material: bytes, aad: bytes, random: Random) -> Wrapped:
    """Wrap a key.

    Args:
        wrapping_key: 32 bytes.
        material: The key to wrap.
        aad: What it is bound to.
        random: Draws the nonce.
    """
    nonce = random(_NONCE_SIZE)
    sealed = AESGCM(wrapping_key).encrypt(nonce, material, aad)
    return Wrapped(
        nonce=base64.b64encode(nonce).decode(), ciphertext=base64.b64encode(sealed).decode()
    )


def unwrap(wrapping_key: bytes, wrapped: Wrapped, aad: bytes, size: int | None = None) -> bytes:
    """Open a wrapped key.

    Args:
        wrapping_key: 32 bytes.
        wrapped: The wrapped key.
        aad: What it is bound to.
        size: Bytes of the key; None: as many as there are (a key pair in PKCS#8).

    Raises:
        UnwrapError: It was wrapped by another key or for another place, or is damaged.
    """
    nonce = _decoded(wrapped.nonce, _NONCE_SIZE)
    sealed = _decoded(wrapped.ciphertext, None if size is None else size + _TAG_SIZE)
    try:
        return AESGCM(wrapping_key).decrypt(nonce, sealed, aad)
    except InvalidTag as error:
        raise UnwrapError("a wrapped key does not open") from error


def _decoded(text: str, size: int | None) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnwrapError("a stored key is not base64") from error
    if size is not None and len(data) != size:
        raise UnwrapError(f"a stored key has {len(data)} bytes, not {size}")
    return data
