"""Fixed keys: the key of one version of a vault key itself, wrapped by that version.

    origin       fixed key of a version
    generate     of signing keys a pair; of all others none
    passphrase   made from the passphrase that stands in a Secret now, with a salt of its own
    derive       made from the primary version of another key: from its fixed key, or where it has
                 none from the version itself
    import       what stands in a Secret now

Only the key store uses this. What ``open_fixed`` yields leaves the process in copies only, which
are artefact keys. A Secret is read when a version is made, and never again.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leeward.api.algorithms import ALGORITHMS
from leeward.api.keyorigin import DeriveOrigin, ImportOrigin, Kdf, Origin, PassphraseOrigin
from leeward.formats.document import canonical_json
from leeward.formats.material import generate, public_pem
from leeward.formats.wrapped import FixedKey, WrappedKeyset, WrappedVersion, unwrap, wrap
from leeward.keystore.given import FOR_ANNOTATION, GivenSecrets
from leeward.keystore.origins import (
    Derivation,
    DerivedKey,
    SecretMissingError,
    SecretUnchangedError,
    derive_key,
    from_passphrase,
    import_key,
    member,
)
from leeward.plans.shared.model import NewKey

DEFAULT_KDF: Final[Kdf] = "ARGON2ID"

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fixed key belongs.

    Attributes:
        keyset: Of the vault.
        name, algorithm: Of the key.
        version: Of that key.
    """

    keyset: WrappedKeyset
    name: str
    algorithm: str
    version: int

    @property
    def vault(self) -> str:
        """The KeyVault, ``namespace/name``."""
        return f"{self.keyset.vault_namespace}/{self.keyset.vault}"

    def aad(self, public_key: str | None) -> bytes:
        """What the fixed key is bound to."""
        return self.keyset.fixed_aad(self.name, self.algorithm, self.version, public_key)


@dataclass(frozen=True, slots=True)
class Parent:
    """What a key is derived from.

    Attributes:
        version: Primary version of the other key.
        material: Of its fixed key, or of that version itself.
    """

    version: int
    material: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FixedMaterial:
    """A fixed key in the clear.

    Attributes:
        material: As ``leeward.formats.material`` has it.
        derivation: JSON that says how it was made, without anything secret; None: it was drawn, or
            imported.
    """

    material: bytes = field(repr=False)
    derivation: str | None = None


class FixedKeys:
    """Makes fixed keys."""

    def __init__(self, given: GivenSecrets, random: Random) -> None:
        """Make it; it reads nothing yet.

        Args:
            given: Reads what stewards put into Secrets.
            random: Yields so many bytes that nobody can guess.
        """
        self._given = given
        self._random = random

    async def make(
        self,
        place: Place,
        origin: Origin,
        parent: Parent | None = None,
        previous: FixedMaterial | None = None,
    ) -> FixedMaterial | None:
        """The fixed key of a new version; None: it has none.

        Args:
            place: Where it belongs.
            origin: Where it comes from.
            parent: What it is derived from, of origin derive.
            previous: Of the version before: a new one is not to be the same.

        Raises:
            OriginError: It cannot be made: says what is wrong and what to do.
            FaultError: The Secret cannot be read now.
        """
        if origin.passphrase is not None:
            return await self._from_passphrase(place, origin.passphrase, previous)
        if origin.import_ is not None:
            return await self._imported(place, origin.import_, previous)
        if origin.derive is not None and parent is not None:
            return _derived(place, origin.derive, parent)
        if is_signing(place.algorithm):
            return FixedMaterial(await drawn(place.algorithm, self._random))
        return None

    async def _from_passphrase(
        self, place: Place, origin: PassphraseOrigin, previous: FixedMaterial | None
    ) -> FixedMaterial:
        passphrase = await self._read(place, origin.secret_ref.name, origin.secret_ref.key)
        related = (place.keyset.vault_namespace, place.keyset.vault, place.name)

        async def stretched(derivation: Derivation) -> bytes:
            return await asyncio.to_thread(
                from_passphrase, passphrase, derivation, place.algorithm, related=related
            )

        if previous is not None and previous.derivation is not None:
            # Another salt makes another key of the same passphrase, which whoever knows it opens.
            again = await stretched(Derivation.parse(previous.derivation))
            _check_changed(again, previous, origin.secret_ref.name)
        derivation = Derivation.new(
            origin.kdf or DEFAULT_KDF, self._random, iterations=origin.iterations
        )
        return FixedMaterial(await stretched(derivation), derivation.canonical().decode())

    async def _imported(
        self, place: Place, origin: ImportOrigin, previous: FixedMaterial | None
    ) -> FixedMaterial:
        name, key = origin.secret_ref.name, origin.secret_ref.key
        data = {key: await self._read(place, name, key)}
        if origin.passphrase_key is not None:
            data[origin.passphrase_key] = await self._read(place, name, origin.passphrase_key)
        material = await asyncio.to_thread(
            import_key,
            data,
            place.algorithm,
            format=origin.format,
            key=key,
            passphrase=origin.passphrase_key,
        )
        if previous is not None:
            _check_changed(material, previous, name)
        return FixedMaterial(material)

    async def _read(self, place: Place, secret: str, key: str) -> bytes:
        found = await self._given.read(secret, key, place.vault)
        if found is None:
            raise SecretMissingError(
                f"the operator's namespace has no Secret {secret} with a value {key} that is for"
                f" KeyVault {place.vault}: put it there, with the annotation"
                f" {FOR_ANNOTATION}={place.vault}"
            )
        return member({key: found}, key)


def is_signing(algorithm: str) -> bool:
    """Whether keys of this algorithm sign: then each version has a pair."""
    return ALGORITHMS[algorithm].key_class == "Signing"


def is_costly(key: NewKey) -> bool:
    """Whether making the key takes more than a few random bytes."""
    return key.origin.generate is None or is_signing(key.algorithm)


async def drawn(algorithm: str, random: Random) -> bytes:
    """New material. Primes take up to a second: others are served meanwhile."""
    if algorithm.startswith("RSA"):
        return await asyncio.to_thread(generate, algorithm, random)
    return generate(algorithm, random)


def wrap_fixed(place: Place, wrapping_key: bytes, fixed: FixedMaterial, random: Random) -> FixedKey:
    """The fixed key of a version, wrapped.

    Args:
        place: Where it belongs.
        wrapping_key: That version in the clear.
        fixed: The key.
        random: Draws the nonce.
    """
    pem = public_pem(place.algorithm, fixed.material)
    wrapped = wrap(wrapping_key, fixed.material, place.aad(pem), random)
    return FixedKey(wrapped=wrapped, public_key=pem, derivation=fixed.derivation)


def open_fixed(place: Place, version: WrappedVersion, wrapping_key: bytes) -> FixedMaterial | None:
    """A version's fixed key; None: it has none.

    Raises:
        UnwrapError: It does not open.
    """
    fixed = version.fixed
    if fixed is None:
        return None
    material = unwrap(wrapping_key, fixed.wrapped, place.aad(fixed.public_key))
    return FixedMaterial(material, fixed.derivation)


def _derived(place: Place, origin: DeriveOrigin, parent: Parent) -> FixedMaterial:
    derived = DerivedKey(
        vault_id=place.keyset.vault_id,
        parent=origin.from_key,
        parent_version=parent.version,
        key=place.name,
        version=place.version,
        algorithm=place.algorithm,
        info=origin.info,
    )
    how = {
        "formatVersion": 1,
        "from": origin.from_key,
        "fromVersion": parent.version,
        "info": origin.info,
        "kdf": "HKDF_SHA256",
    }
    return FixedMaterial(derive_key(parent.material, derived), canonical_json(how).decode())


def _check_changed(material: bytes, previous: FixedMaterial, secret: str) -> None:
    if hmac.compare_digest(material, previous.material):
        raise SecretUnchangedError(
            f"Secret {secret} still holds what the primary version was made of: put the new one"
            " there, and a new version is made of it"
        )
