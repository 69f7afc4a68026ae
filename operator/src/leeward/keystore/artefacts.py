"""Artefact keys: made once, found by id or by public half, opened for delivery."""

import datetime
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from leeward.formats.material import public_pem
from leeward.formats.wrapped import (
    Artefact,
    ShreddedArtefactKey,
    UnwrapError,
    WrappedArtefactKey,
    WrappedKeyset,
    WrappedVaultKey,
    artefact_aad,
    unwrap,
    wrap,
)
from leeward.keystore.fixed import drawn, is_signing
from leeward.keystore.records import (
    ARTEFACT_ROLE,
    FINGERPRINT_LABEL,
    DamagedRecordError,
    artefact_info,
    artefact_name,
    artefact_secret,
    read_artefact_key,
    read_document,
    secret_ref,
)
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.rotation import VaultRotation
from leeward.keystore.vaults import KeyFaultError, VaultKeys
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import EnsureArtefactKey, Manifest, Outcome

_LOOKS: Final = 3
_Keyset: TypeAlias = tuple[Manifest, WrappedKeyset] | None


class ArtefactKeys:
    """Makes, finds and opens artefact keys."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
        vaults: VaultKeys,
        rotation: VaultRotation,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._vaults = vaults
        self._rotation = rotation

    async def by_fingerprint(self, fingerprint: str) -> tuple[Manifest, WrappedArtefactKey] | None:
        """A pair by its public half: all that somebody knows who sealed to the bare PEM."""
        selector = f"{FINGERPRINT_LABEL}={fingerprint}"
        found = await self._client.list("v1", "Secret", self._namespace, labels=selector)
        if len(found) != 1:
            return None
        try:
            return found[0], read_document(found[0], WrappedArtefactKey, ARTEFACT_ROLE)
        except DamagedRecordError:
            return None

    async def find(
        self, key_id: str, *, fresh: bool = False
    ) -> tuple[Manifest, WrappedArtefactKey] | None:
        """An artefact key and the Secret that it stands in; None: there is none (any more).

        Args:
            key_id: Of the key.
            fresh: Whether it is to be as it is now, and not as it was a moment ago.

        Raises:
            DamagedRecordError: The Secret does not hold one.
        """
        found = await self.record(key_id, fresh=fresh)
        if found is None:
            return None
        secret, key = found
        return (secret, key) if isinstance(key, WrappedArtefactKey) else None

    async def record(
        self, key_id: str, *, fresh: bool = False
    ) -> tuple[Manifest, WrappedArtefactKey | ShreddedArtefactKey] | None:
        """An artefact key, or what is left of it, and the Secret that it stands in.

        Args:
            key_id: Of the key.
            fresh: Whether it is to be as it is now, and not as it was a moment ago.

        Raises:
            DamagedRecordError: The Secret does not hold one.
        """
        try:
            ref = secret_ref(self._namespace, artefact_name(key_id))
            secret = await self._client.get(ref, fresh=fresh)
        except NotFoundError:
            return None
        return secret, read_artefact_key(secret)

    async def ensure(self, action: EnsureArtefactKey) -> Outcome:
        """Make the key, or take up the one that was made before."""
        found = await self._vaults.read(action.vault_namespace, action.vault)
        key = found[1].key(action.key) if found else None
        if found is None or key is None:
            return Outcome("Missing", f"key {action.key} is not in the keyset")
        made = await self._new(action, found[1], key)
        try:
            created = await self._client.create(artefact_secret(self._namespace, made), MANAGER)
        except AlreadyExistsError:
            return await self._take_up(made)
        return await self._settle(created, made)

    async def _new(
        self, action: EnsureArtefactKey, keyset: WrappedKeyset, key: WrappedVaultKey
    ) -> WrappedArtefactKey:
        version = key.primary_version
        wrapping_key = await self._vaults.open(keyset, key, version)
        algorithm = action.algorithm or key.algorithm
        if action.algorithm is None:
            material, public_key = await self._material_under(keyset, key)
        else:
            material, public_key = await self._drawn(action.algorithm)
        aad = artefact_aad(action.id, keyset.vault_id, key.name, version, algorithm, public_key)
        return WrappedArtefactKey(
            id=action.id,
            vault_id=keyset.vault_id,
            vault_namespace=action.vault_namespace,
            vault=action.vault,
            key=key.name,
            version=version,
            algorithm=algorithm,
            namespace=action.namespace,
            owner=action.owner,
            created_at=timestamp(self._now()),
            public_key=public_key,
            artefact=Artefact.at(action.artefact) if action.artefact else None,
            dataset=action.dataset,
            wrapped=wrap(wrapping_key, material, aad, self._random),
        )

    async def _material_under(
        self, keyset: WrappedKeyset, key: WrappedVaultKey
    ) -> tuple[bytes, str | None]:
        """Material for an artefact key: a copy of the vault key's own, else drawn for it alone."""
        fixed = None
        if not is_signing(key.algorithm):
            fixed = await self._vaults.fixed(keyset, key, key.primary_version)
        if fixed is None:
            return await self._drawn(key.algorithm)
        return fixed.material, public_pem(key.algorithm, fixed.material)

    async def _drawn(self, algorithm: str) -> tuple[bytes, str | None]:
        material = await drawn(algorithm, self._random)
        return material, public_pem(algorithm, material)

    async def _take_up(self, made: WrappedArtefactKey) -> Outcome:
        try:
            found = await self.find(made.id)
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None
        if found is None:
            raise StaleWriteError("an artefact key went while it was made")
        secret, there = found
        place = (there.vault_id, there.key, there.algorithm)
        if place != (made.vault_id, made.key, made.algorithm):
            return Outcome("Conflict", f"artefact key {made.id} belongs to another vault key")
        return await self._settle(secret, there)

    async def _settle(self, secret: Manifest, stored: WrappedArtefactKey) -> Outcome:
        """Make sure that the key does not stand under a version that is being retired.

        Nobody uses it before: see ``keystore.rotation``. One whose version was destroyed between
        its making and this look has sealed nothing, so another one takes its place.
        """
        keyset, key = await self._vault_key(stored)
        state = next((v.state for v in key.history if v.version == stored.version), "Destroyed")
        if state in ("Primary", "Enabled"):
            return Outcome("Done", result=artefact_info(stored))
        if state == "Disabled":
            material = await self._opened(keyset, key, stored)
            kept = await self._rotation.adopt(secret, stored, material, keyset)
        else:
            if stored.algorithm == key.algorithm:
                material, public_key = await self._material_under(keyset, key)
            else:
                material, public_key = await self._drawn(stored.algorithm)
            anew = stored.model_copy(update={"public_key": public_key})
            kept = await self._rotation.adopt(secret, anew, material, keyset)
        return Outcome("Done", result=artefact_info(kept))

    async def materials(
        self, records: Sequence[WrappedArtefactKey]
    ) -> list[tuple[WrappedArtefactKey, bytes]]:
        """Artefact keys in the clear, and their records, which may be later ones than were given.

        All records were read before, so each keyset has to be read but once: a version that it does
        not hold is one that was destroyed since, after the key was moved.

        Raises:
            KeyFaultError: One does not open.
            StaleWriteError: One changes faster than it can be read.
        """
        keysets: dict[tuple[str, str], _Keyset] = {}
        opened = []
        for record in records:
            place = (record.vault_namespace, record.vault)
            if place not in keysets:
                keysets[place] = await self._vaults.read(*place)
            opened.append(await self._material(record, keysets[place]))
        return opened

    async def _material(
        self, stored: WrappedArtefactKey, found_keyset: _Keyset
    ) -> tuple[WrappedArtefactKey, bytes]:
        for _ in range(_LOOKS):
            keyset, key = _key_in(found_keyset, stored)
            if any(v.version == stored.version and v.wrapped for v in key.history):
                return stored, await self._opened(keyset, key, stored)
            # Since the record was read, it may have been moved, and its version destroyed.
            found = await self._found(stored.id)
            if found.version == stored.version:
                raise KeyFaultError("Damaged")
            stored = found
            place = (stored.vault_namespace, stored.vault)
            found_keyset = await self._vaults.read(*place, fresh=True)
        raise StaleWriteError("an artefact key was moved while it was read")

    async def _found(self, key_id: str) -> WrappedArtefactKey:
        try:
            found = await self.find(key_id, fresh=True)
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None
        if found is None:
            raise StaleWriteError("an artefact key went while it was read")
        return found[1]

    async def _vault_key(self, stored: WrappedArtefactKey) -> tuple[WrappedKeyset, WrappedVaultKey]:
        place = (stored.vault_namespace, stored.vault)
        return _key_in(await self._vaults.read(*place, fresh=True), stored)

    async def _opened(
        self, keyset: WrappedKeyset, key: WrappedVaultKey, stored: WrappedArtefactKey
    ) -> bytes:
        wrapping_key = await self._vaults.open(keyset, key, stored.version)
        try:
            return unwrap(wrapping_key, stored.wrapped, stored.aad())
        except UnwrapError:
            raise KeyFaultError("Damaged") from None


def _key_in(found: _Keyset, stored: WrappedArtefactKey) -> tuple[WrappedKeyset, WrappedVaultKey]:
    """The vault key that wraps an artefact key."""
    key = found[1].key(stored.key) if found else None
    if found is None or key is None or found[1].vault_id != stored.vault_id:
        raise KeyFaultError("Damaged")
    return found[1], key
