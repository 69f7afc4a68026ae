"""Tombstones in the operator's namespace: which keys were destroyed for good.

``leeward keys restore`` leaves out what they name. Only the operator and administrators write
there, and it outlives every namespace of users.

A tombstone is put up right before the write that destroys the key, so after a kill in between it
stands beside the key. That blocks nothing: it counts only where the key is not there (any more).
"""

import datetime
from collections.abc import Callable

from leeward.formats.destruction import Tombstone
from leeward.formats.wrapped import WrappedArtefactKey, WrappedKeyset
from leeward.keystore.records import (
    DamagedRecordError,
    read_tombstone,
    replacement,
    secret_ref,
    tombstone_secret,
)
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.kube.errors import AlreadyExistsError
from leeward.plans.shared.conditions import timestamp


class Tombstones:
    """Puts tombstones up. Nothing takes one away but an administrator."""

    def __init__(
        self, client: SecretClient, namespace: str, now: Callable[[], datetime.datetime]
    ) -> None:
        """Make it; it writes nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
            now: The time.
        """
        self._client = client
        self._namespace = namespace
        self._now = now

    async def for_vault(self, keyset: WrappedKeyset) -> None:
        """Say that everything in this vault is destroyed.

        Raises:
            FaultError: It cannot be written now.
            RefusedError: It may not be written.
        """
        await self._put_up(
            Tombstone(
                what="Vault",
                id=keyset.vault_id,
                vault_id=keyset.vault_id,
                vault_namespace=keyset.vault_namespace,
                vault=keyset.vault,
                destroyed_at=timestamp(self._now()),
            )
        )

    async def for_artefact_key(self, key: WrappedArtefactKey) -> None:
        """Say that this key is destroyed.

        Raises:
            FaultError: It cannot be written now.
            RefusedError: It may not be written.
        """
        await self._put_up(
            Tombstone(
                what="ArtefactKey",
                id=key.id,
                vault_id=key.vault_id,
                vault_namespace=key.vault_namespace,
                vault=key.vault,
                namespace=key.namespace,
                owner=key.owner,
                destroyed_at=timestamp(self._now()),
            )
        )

    async def _put_up(self, tombstone: Tombstone) -> None:
        made = tombstone_secret(self._namespace, tombstone)
        try:
            await self._client.create(made, MANAGER)
            return
        except AlreadyExistsError:
            ref = secret_ref(self._namespace, made["metadata"]["name"])
            found = await self._client.get(ref, fresh=True)
        try:
            read_tombstone(found)
        except DamagedRecordError:
            await self._client.replace(replacement(found, made), MANAGER)
