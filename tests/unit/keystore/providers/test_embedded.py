"""The root key as a provider: what differs from the contract of all of them."""

from __future__ import annotations

import pytest

from leeward.formats.rootkey import RootKey
from leeward.formats.wrapped import wrap
from leeward.keystore.providers.embedded import EmbeddedProvider
from leeward.keystore.providers.port import ProviderKeyMissingError, ProviderKeyReplacedError
from unit.keystore.keystore_world import KeyWorld
from unit.keystore.providers.provider_world import MATERIAL, place


class Root:
    """A root key, and another one that came into its Secret meanwhile."""

    def __init__(self, held: RootKey | None, stored: RootKey | None = None) -> None:
        self._held = held
        self._stored = stored or held

    async def current(self) -> RootKey | None:
        return self._held

    async def key(self, key_id: str) -> RootKey | None:
        return next((k for k in (self._held, self._stored) if k and k.id == key_id), None)


def roots() -> tuple[RootKey, RootKey]:
    keys = KeyWorld()
    return RootKey.generate(keys.random), RootKey.generate(keys.random)


async def test_it_opens_what_was_wrapped_before_there_were_providers() -> None:
    key, _ = roots()
    here = place(key.id)
    stored = wrap(key.raw(), MATERIAL, here.aad, KeyWorld().random)
    provider = EmbeddedProvider(Root(key), KeyWorld().random)
    assert await provider.unwrap(stored, here, 32) == MATERIAL
    assert await provider.is_current(stored, key.id)


async def test_a_lost_root_key_is_told() -> None:
    provider = EmbeddedProvider(Root(None), KeyWorld().random)
    for work in (provider.check(), provider.key_id(), provider.wrap(MATERIAL, place("ab" * 16))):
        with pytest.raises(ProviderKeyMissingError) as caught:
            await work
        assert "leeward-root-key" in caught.value.remedy


async def test_a_key_that_came_back_into_the_secret_is_used() -> None:
    old, new = roots()
    provider = EmbeddedProvider(Root(old, stored=new), KeyWorld().random)
    wrapped = await provider.wrap(MATERIAL, place(new.id))
    assert await provider.unwrap(wrapped, place(new.id), 32) == MATERIAL
    stranger = EmbeddedProvider(Root(old), KeyWorld().random)
    with pytest.raises(ProviderKeyReplacedError):
        await stranger.unwrap(wrapped, place(new.id), 32)
