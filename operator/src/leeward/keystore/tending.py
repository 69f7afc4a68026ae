"""Vault keys on a Transit key: whether that can be reached, and its newest version wraps them.

Transit's own ``rewrap`` knows no associated data, so each key is decrypted and encrypted again. It
takes the place of the old one only after it was opened from what is to be stored; a keyset is
changed by a PUT over the version that was read, a part of it at a time.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from leeward.formats.wrapped import (
    KEY_SIZE,
    AnyWrapped,
    UnwrapError,
    WrappedKeyset,
    WrappedVaultKey,
    WrappedVersion,
)
from leeward.keystore.providers.port import Binding, KeyProvider
from leeward.keystore.records import keyset_secret, replacement
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.vaults import KeyFaultError, VaultKeys
from leeward.plans.shared.model import Outcome, TendKeyset, TendResult

AT_ONCE: Final = 8
"""Vault keys that are wrapped anew at the same time."""
BATCH: Final = 128
"""Vault keys that are wrapped anew before the keyset is stored."""

_Place = tuple[str, int]


class KeysetTender:
    """Looks after keysets on Transit keys."""

    def __init__(self, client: SecretClient, namespace: str, vaults: VaultKeys) -> None:
        self._client = client
        self._namespace = namespace
        self._vaults = vaults

    async def tend(self, action: TendKeyset) -> Outcome:
        """Check the provider, and wrap by its newest version what an older one wraps.

        Raises:
            KeyFaultError: A key does not open.
            ProviderError: The provider does not do it now; what was stored stays.
            StaleWriteError: The keyset changed meanwhile.
        """
        found = await self._vaults.read(action.namespace, action.vault)
        if found is None:
            return Outcome("Missing", "the keyset is not there")
        secret, keyset = found
        provider = await self._vaults.provider_of(keyset)
        warnings = await provider.check()
        behind = [
            (key.name, version.version)
            for key, version, wrapped in _versions(keyset)
            if not await provider.is_current(wrapped, keyset.root_key_id)
        ]
        if not behind:
            info = await self._vaults.info(keyset)
            return Outcome("Done", result=TendResult(info, 0, warnings))
        made = await self._rewrapped(provider, keyset, behind[:BATCH])
        put = replacement(secret, keyset_secret(self._namespace, made))
        await self._client.replace(put, MANAGER)
        left = len(behind) - len(behind[:BATCH])
        return Outcome("Done", result=TendResult(await self._vaults.info(made), left, warnings))

    async def _rewrapped(
        self, provider: KeyProvider, keyset: WrappedKeyset, places: list[_Place]
    ) -> WrappedKeyset:
        turns = asyncio.Semaphore(AT_ONCE)
        made: dict[_Place, WrappedVersion] = {}

        async def one(key: WrappedVaultKey, version: WrappedVersion, wrapped: AnyWrapped) -> None:
            number = version.version
            async with turns:
                again = await self._again(provider, keyset, (key, number), wrapped)
            made[key.name, number] = version.model_copy(update={"wrapped": again})

        try:
            async with asyncio.TaskGroup() as group:
                for key, version, wrapped in _versions(keyset):
                    if (key.name, version.version) in places:
                        group.create_task(one(key, version, wrapped))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        keys = [
            key.model_copy(
                update={"history": [made.get((key.name, v.version), v) for v in key.history]}
            )
            for key in keyset.keys
        ]
        return keyset.model_copy(update={"keys": keys})

    async def _again(
        self,
        provider: KeyProvider,
        keyset: WrappedKeyset,
        place: tuple[WrappedVaultKey, int],
        wrapped: AnyWrapped,
    ) -> AnyWrapped:
        """The same key, wrapped by the newest version of the Transit key."""
        key, number = place
        aad = keyset.aad(key.name, key.algorithm, number)
        binding = Binding(keyset.root_key_id, aad)
        try:
            was = await self._vaults.unwrapped(keyset, key, number, wrapped)
            made = await provider.rewrap(wrapped, binding, binding, KEY_SIZE)
            if await self._vaults.unwrapped(keyset, key, number, made) != was:
                raise KeyFaultError("Damaged")
        except UnwrapError:
            raise KeyFaultError("Damaged") from None
        return made


def _versions(
    keyset: WrappedKeyset,
) -> Iterator[tuple[WrappedVaultKey, WrappedVersion, AnyWrapped]]:
    for key in keyset.keys:
        for version in key.history:
            if version.wrapped is not None:
                yield key, version, version.wrapped
