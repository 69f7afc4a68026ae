"""Providers shared, tended, counted, and connected only to where they may be."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from leeward.formats.wrapped import TransitWrapped, UnwrapError
from leeward.keystore.providers.metered import MeteredProvider
from leeward.keystore.providers.pool import TransitPool
from leeward.keystore.providers.port import ProviderKeyReplacedError, ProviderNotAllowedError
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.provider import TransitProvider
from leeward.kube.errors import RefusedError
from openbao.certificates import Authority
from unit.keystore.providers.provider_world import (
    BY_CLUSTER,
    BY_ROLE,
    MATERIAL,
    SECRET_ID,
    Figures,
    World,
    place,
)
from unit.keystore.providers.transit_fake import FakeTransit

LOGIN = "POST auth/approle/login"


class Pools:
    """A pool whose providers talk to the fake."""

    def __init__(self, fake: FakeTransit, authority: Authority, world: World) -> None:
        self.figures = Figures()
        self.made: list[TransitConfig] = []
        self._world = world
        self.config = fake.config(BY_ROLE, authority.pem)
        address = f"{self.config.address}/"
        self.pool = TransitPool(self._make, [address], self.figures, lambda: world.now, idle=3600.0)
        world.values[SECRET_ID] = "secret-id"

    def _make(self, config: TransitConfig) -> TransitProvider:
        self.made.append(config)
        return TransitProvider(config, self._world.sources, self._world.pace)


@pytest.fixture
async def pools(fake: FakeTransit, authority: Authority, world: World) -> AsyncIterator[Pools]:
    made = Pools(fake, authority, world)
    yield made
    await made.pool.close()


async def test_vaults_with_one_configuration_share_a_login(
    pools: Pools, fake: FakeTransit, authority: Authority
) -> None:
    await pools.pool.get(pools.config).check()
    await pools.pool.get(fake.config(BY_ROLE, authority.pem)).check()
    assert fake.paths().count(LOGIN) == 1
    pools.pool.get(fake.config(BY_CLUSTER, authority.pem))
    assert len(pools.made) == 2


def test_no_address_is_talked_to_that_the_operator_was_not_set_up_for(pools: Pools) -> None:
    evil = TransitConfig(address="https://evil.example", key="leeward", auth=BY_CLUSTER)
    with pytest.raises(ProviderNotAllowedError) as caught:
        pools.pool.get(evil)
    assert "transitAddresses" in caught.value.remedy
    assert pools.made == []


async def test_tending_renews_tokens_and_drops_what_nobody_asks_for(
    pools: Pools, fake: FakeTransit, world: World
) -> None:
    await pools.pool.get(pools.config).check()
    renewals = "POST auth/token/renew-self"
    for wanted in (9, 18):
        pools.pool.get(pools.config)
        for _ in range(9):
            world.now += 400
            await pools.pool.tend()
        assert fake.paths().count(renewals) == wanted
    world.now += 1
    await pools.pool.tend()
    assert fake.paths().count(renewals) == 18
    pools.pool.get(pools.config)
    assert len(pools.made) == 2


class Forbidden(TransitProvider):
    """Its Secret may not be read."""

    async def tend(self) -> None:
        raise RefusedError("secrets is forbidden", 403, "Forbidden")


async def test_a_token_that_cannot_be_looked_after_is_nothing_to_the_others(
    pools: Pools, fake: FakeTransit, world: World, authority: Authority
) -> None:
    kinds = iter((Forbidden, TransitProvider))

    def make(config: TransitConfig) -> TransitProvider:
        return next(kinds)(config, world.sources, world.pace)

    pool = TransitPool(make, [pools.config.address], pools.figures, lambda: world.now, idle=3600.0)
    pool.get(fake.config(BY_CLUSTER, authority.pem))
    await pool.get(pools.config).check()
    world.now += 400
    await pool.tend()
    assert fake.paths().count("POST auth/token/renew-self") == 1
    await pool.close()


async def test_what_a_provider_does_is_counted(pools: Pools) -> None:
    provider = pools.pool.get(pools.config)
    here = place(await provider.key_id())
    wrapped = await provider.wrap(MATERIAL, here)
    await provider.unwrap(wrapped, here, 32)
    await provider.is_current(wrapped, here.key_id)
    await provider.rewrap(wrapped, here, here, 32)
    await provider.check()
    operations = ["wrap", "unwrap", "is_current", "rewrap", "check"]
    assert [asked[:2] for asked in pools.figures.asked] == [("transit", o) for o in operations]
    assert pools.figures.failed == []


async def test_seconds_and_failures_are_counted(pools: Pools) -> None:
    ticks = itertools.count(0.0, 0.25)
    provider = MeteredProvider(pools.pool.get(pools.config), pools.figures, lambda: next(ticks))
    wrapped = TransitWrapped(ciphertext="vault:v1:" + "A" * 88)
    key_id = await provider.key_id()
    with pytest.raises(UnwrapError):
        await provider.unwrap(wrapped, place(key_id), 32)
    with pytest.raises(ProviderKeyReplacedError):
        await provider.unwrap(wrapped, place("ab" * 16), 32)
    assert pools.figures.asked[-1] == ("transit", "unwrap", 0.25)
    assert set(pools.figures.failed) == {
        ("transit", "DoesNotOpen"),
        ("transit", "ProviderKeyReplaced"),
    }
