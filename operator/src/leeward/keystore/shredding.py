"""Destroying keys for good: those of a vault, or that of one Dataset.

A vault is shredded by one PUT: in the place of its keyset stands, from then on, which keys it had.
Nothing that they wrapped opens any more. Then its artefact keys are removed, then that record. Each
step can be repeated, and none begins before the one before it is done, so it does not matter where
a process is killed, or that two do it. What is destroyed has a tombstone before: see there.
"""

import asyncio
import datetime
import logging
from collections.abc import Callable
from typing import Final

from leeward.formats.wrapped import (
    ShreddedKeyset,
    ShreddedVaultKey,
    WrappedArtefactKey,
    WrappedKeyset,
)
from leeward.keystore.backups import KnownBackups
from leeward.keystore.records import (
    ARTEFACT_ROLE,
    GRANT_ROLE,
    KEYSET_ROLE,
    ROLE_LABEL,
    VAULT_ID_LABEL,
    DamagedRecordError,
    artefact_info,
    artefact_name,
    artefact_secret,
    keyset_name,
    read_artefact_key,
    read_document,
    replacement,
    secret_ref,
    shredded_keyset_secret,
)
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.tombstones import Tombstones
from leeward.keystore.vaults import VaultKeys
from leeward.kube.errors import NotFoundError, RefusedError
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.faults import DeniedError
from leeward.plans.shared.model import (
    ArtefactKeyInfo,
    ArtefactKeysOf,
    BackupsInfo,
    DestroyArtefactKey,
    ForgetVault,
    KeysetRecord,
    KeysetRecordOf,
    KnownBackupsOf,
    Manifest,
    Outcome,
    RemoveArtefactKeys,
    ShredVault,
)

_log = logging.getLogger(__name__)

BATCH: Final = 2000
"""Secrets that are removed in one go: others are served in between."""
AT_ONCE: Final = 16

ShredAction = ShredVault | RemoveArtefactKeys | ForgetVault | DestroyArtefactKey
ShredNeed = KnownBackupsOf | KeysetRecordOf | ArtefactKeysOf


class Shredder:
    """Destroys keys, step by step."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        now: Callable[[], datetime.datetime],
        vaults: VaultKeys,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._now = now
        self._vaults = vaults
        self._backups = KnownBackups(client, namespace)
        self._tombstones = Tombstones(client, namespace, now)

    async def look(
        self, need: ShredNeed
    ) -> BackupsInfo | KeysetRecord | tuple[ArtefactKeyInfo, ...] | None:
        """What is known of what is to be destroyed.

        Raises:
            FaultError: It cannot be read now.
        """
        match need:
            case KnownBackupsOf(vault_id):
                return await self._known_backups(vault_id)
            case KeysetRecordOf(namespace, vault):
                found = await self._keyset(namespace, vault)
                return None if found is None else _record(found[1])
            case ArtefactKeysOf(vault_id):
                return await self._artefact_keys(vault_id)

    async def perform(self, action: ShredAction) -> Outcome:
        """Do it; doing it again changes nothing.

        Raises:
            FaultError: It may work later. A refusal is none that a plan could act on: the key is
                still there then, and its resource must not go.
        """
        try:
            return await self._do(action)
        except RefusedError as error:
            raise DeniedError(str(error)) from None

    async def _do(self, action: ShredAction) -> Outcome:
        match action:
            case ShredVault():
                return await self._shred_vault(action)
            case RemoveArtefactKeys():
                return await self._remove(action)
            case ForgetVault():
                return await self._forget(action)
            case DestroyArtefactKey():
                return await self._destroy(action)

    async def _known_backups(self, vault_id: str) -> BackupsInfo:
        try:
            found = await self._backups.known_backups(vault_id)
        except DamagedRecordError as error:
            return BackupsInfo(unreadable=str(error))
        return BackupsInfo(tuple(record.id for record in found))

    async def _shred_vault(self, action: ShredVault) -> Outcome:
        found = await self._keyset(action.namespace, action.vault, fresh=True)
        if found is None:
            return Outcome("Missing", "the keyset is not there")
        secret, keyset = found
        if keyset is None or (keyset.vault_id, keyset.owner_uid) != (action.vault_id, action.uid):
            return Outcome("Conflict", "the keyset is another one")
        if isinstance(keyset, ShreddedKeyset):
            return Outcome("Done", result=_record(keyset))
        left = self._shredded(keyset)
        made = shredded_keyset_secret(self._namespace, left)
        await self._tombstones.for_vault(keyset)
        await self._client.replace(replacement(secret, made), MANAGER)
        for key in keyset.keys:
            for version in key.history:
                self._vaults.forget(keyset, key, version)
        _log.info("the keys of a vault were shredded", extra={"vault": keyset.vault_id})
        return Outcome("Done", result=_record(left))

    def _shredded(self, keyset: WrappedKeyset) -> ShreddedKeyset:
        keys = [
            ShreddedVaultKey(
                name=key.name,
                algorithm=key.algorithm,
                numbers=[version.version for version in key.history],
            )
            for key in keyset.keys
        ]
        return ShreddedKeyset(
            vault_id=keyset.vault_id,
            vault_namespace=keyset.vault_namespace,
            vault=keyset.vault,
            owner_uid=keyset.owner_uid,
            keys=keys,
            shredded_at=timestamp(self._now()),
        )

    async def _artefact_keys(self, vault_id: str) -> tuple[ArtefactKeyInfo, ...]:
        found = []
        for secret in await self._under(vault_id, ARTEFACT_ROLE):
            try:
                found.append(artefact_info(read_artefact_key(secret)))
            except DamagedRecordError:
                continue  # it opens nothing
        return tuple(found)

    async def _remove(self, action: RemoveArtefactKeys) -> Outcome:
        found = await self._keyset(action.namespace, action.vault)
        if not self._is_shredded(found, action.vault_id):
            return Outcome("Conflict", "the keys of the vault were not shredded")
        secrets = await self._under(action.vault_id, ARTEFACT_ROLE)
        secrets += await self._under(action.vault_id, GRANT_ROLE)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(secret: Manifest) -> None:
            async with turns:
                await self._delete(secret)

        try:
            async with asyncio.TaskGroup() as group:
                for secret in secrets[:BATCH]:
                    group.create_task(one(secret))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return Outcome("Done", result=len(secrets[BATCH:]))

    async def _forget(self, action: ForgetVault) -> Outcome:
        found = await self._keyset(action.namespace, action.vault)
        if found is None:
            return Outcome("Done")
        if not self._is_shredded(found, action.vault_id):
            return Outcome("Conflict", "the keys of the vault were not shredded")
        await self._delete(found[0])
        return Outcome("Done")

    async def _destroy(self, action: DestroyArtefactKey) -> Outcome:
        ref = secret_ref(self._namespace, artefact_name(action.id))
        try:
            secret = await self._client.get(ref, fresh=True)
            key = read_artefact_key(secret)
        except NotFoundError:
            return Outcome("Missing", f"artefact key {action.id} is not there")
        except DamagedRecordError:
            return Outcome("Conflict", f"the record of artefact key {action.id} is damaged")
        if key.owner != action.owner:
            return Outcome("Conflict", f"artefact key {action.id} is another resource's")
        if isinstance(key, WrappedArtefactKey):
            # Not as of a file that is to be cleaned up: it was published, and stays where it is.
            left = key.shredded().model_copy(update={"artefact": None})
            made = artefact_secret(self._namespace, left)
            await self._tombstones.for_artefact_key(key)
            await self._client.replace(replacement(secret, made), MANAGER)
            _log.info("the key of a Dataset was shredded", extra={"key": action.id})
        return Outcome("Done", result=artefact_info(key))

    async def clear(self, namespace: str, vault: str, uid: str) -> bool:
        """Remove what is left of the keyset of an earlier KeyVault; whether there was such a thing.

        Somebody took its finalizer away by hand before all was done.
        """
        found = await self._keyset(namespace, vault)
        if found is None or not isinstance(found[1], ShreddedKeyset) or found[1].owner_uid == uid:
            return False
        await self._delete(found[0])
        return True

    async def _keyset(
        self, namespace: str, vault: str, *, fresh: bool = False
    ) -> tuple[Manifest, WrappedKeyset | ShreddedKeyset | None] | None:
        """What stands in the place of a keyset; None in place of what cannot be read."""
        try:
            ref = secret_ref(self._namespace, keyset_name(namespace, vault))
            secret = await self._client.get(ref, fresh=fresh)
        except NotFoundError:
            return None
        try:
            return secret, read_document(secret, WrappedKeyset, KEYSET_ROLE)
        except DamagedRecordError:
            pass
        try:
            return secret, read_document(secret, ShreddedKeyset, KEYSET_ROLE)
        except DamagedRecordError:
            return secret, None

    @staticmethod
    def _is_shredded(
        found: tuple[Manifest, WrappedKeyset | ShreddedKeyset | None] | None, vault_id: str
    ) -> bool:
        return (
            found is not None
            and isinstance(found[1], ShreddedKeyset)
            and found[1].vault_id == vault_id
        )

    async def _under(self, vault_id: str, role: str) -> list[Manifest]:
        selector = f"{ROLE_LABEL}={role},{VAULT_ID_LABEL}={vault_id}"
        return await self._client.list("v1", "Secret", self._namespace, labels=selector)

    async def _delete(self, secret: Manifest) -> None:
        metadata = secret["metadata"]
        try:
            ref = secret_ref(self._namespace, metadata["name"])
            version = metadata["resourceVersion"]
            await self._client.delete(ref, uid=metadata["uid"], version=version)
        except NotFoundError:
            return


def _record(keyset: WrappedKeyset | ShreddedKeyset | None) -> KeysetRecord:
    if keyset is None:
        return KeysetRecord("", "", ())
    if isinstance(keyset, ShreddedKeyset):
        keys = tuple((key.name, key.algorithm, tuple(key.numbers)) for key in keyset.keys)
        return KeysetRecord(keyset.vault_id, keyset.owner_uid, keys, keyset.shredded_at)
    held = tuple(
        (key.name, key.algorithm, tuple(version.version for version in key.history))
        for key in keyset.keys
    )
    return KeysetRecord(keyset.vault_id, keyset.owner_uid, held)
