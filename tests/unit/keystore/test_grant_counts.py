"""maxDeliveries: each workload counts once, whoever leads and whoever is killed."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest

from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import CountDelivery, GrantUse, GrantUseOf
from unit.keystore.keystore_world import OPERATOR, Free, Interleaved, KeyWorld, KilledError

COUNT = CountDelivery("aa" * 16, "data", "masking", "uid-1", 2)


def asked(uid: str) -> GrantUseOf:
    return GrantUseOf(COUNT.vault_id, COUNT.key, COUNT.grant, uid)


async def test_a_workload_counts_once_and_the_last_one_is_the_last() -> None:
    store = await KeyWorld().ready()
    assert await store.look(asked("uid-1")) == GrantUse(0, counted=False)
    for uid in ("uid-1", "uid-1", "uid-2", "uid-1"):
        assert (await store.perform(dataclasses.replace(COUNT, uid=uid))).code == "Done"
    assert (await store.perform(dataclasses.replace(COUNT, uid="uid-3"))).code == "Conflict"
    assert await store.look(asked("uid-2")) == GrantUse(2, counted=True)
    assert await store.look(asked("uid-3")) == GrantUse(2, counted=False)
    raised = dataclasses.replace(COUNT, uid="uid-3", limit=3)
    assert (await store.perform(raised)).code == "Done"


async def test_grants_are_counted_apart() -> None:
    store = await KeyWorld().ready()
    first = dataclasses.replace(COUNT, limit=1)
    for other in (
        first,
        dataclasses.replace(first, uid="uid-2", grant="other"),
        dataclasses.replace(first, uid="uid-2", key="tokens"),
        dataclasses.replace(first, uid="uid-2", vault_id="bb" * 16),
    ):
        assert (await store.perform(other)).code == "Done"


async def test_a_damaged_count_gives_to_nobody_and_names_the_secret() -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(COUNT)
    (name,) = world.names("grant-")
    world.overwrite(world.secret(name), {"grant-use.json": "e30="})
    assert (await store.perform(dataclasses.replace(COUNT, uid="uid-2"))).code == "Conflict"
    found = await store.look(asked("uid-1"))
    assert isinstance(found, GrantUse)
    assert found.damaged == name


@pytest.mark.parametrize("seed", range(10))
async def test_two_leaders_that_are_killed_give_to_no_more_than_the_limit(seed: int) -> None:
    world, chance = KeyWorld(), random.Random(seed)
    await world.ready()
    given: set[str] = set()

    async def process() -> None:
        client = KubeClient(Interleaved(world.api, chance, kills=0.05), Free(), Free())
        store = EmbeddedKeyStore(client, OPERATOR, world.random, lambda: world.now)
        for _ in range(6):
            uid = f"uid-{chance.randrange(12)}"
            try:
                outcome = await store.perform(dataclasses.replace(COUNT, uid=uid, limit=5))
            except (KilledError, FaultError):
                continue
            if outcome.code == "Done":
                given.add(uid)

    for _ in range(4):
        await asyncio.gather(process(), process(), process())
    found = await world.store().look(asked("uid-0"))
    assert isinstance(found, GrantUse)
    assert len(given) <= found.given <= 5
