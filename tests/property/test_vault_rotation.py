"""Rotations of vault keys, with everything that can come between: no key is ever lost.

Two key stores work on one API server. Each call to it is a point at which the other may go first,
and at which either may be killed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import random

import pytest

from leeward.api.keyorigin import Origin
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import (
    GENERATED,
    ArtefactKeyInfo,
    DeliverKeys,
    KeyAction,
    KeysetInfo,
    KeysetOf,
    NewKey,
    RetireVersion,
    RewrapArtefactKeys,
    RewrapResult,
    RotateVaultKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    ENSURE,
    OPERATOR,
    OWNER,
    Free,
    Interleaved,
    KeyWorld,
    KilledError,
    delivered,
    ensure,
)

SEEDS, ROTATIONS = (40, 250) if "LEEWARD_SOAK" in os.environ else (8, 20)
"""A long run makes 10,000 rotations."""

PLACE = (CLINIC, "vault", "data")
DERIVED = Origin.model_validate({"derive": {"from": "parent", "info": "all of it"}})


class Course:
    """A vault whose key is rotated and retired while artefact keys are made and delivered."""

    def __init__(self, seed: int, origin: Origin) -> None:
        self.world = KeyWorld()
        self.origin = origin
        self.chance = random.Random(seed)
        self.material: dict[str, bytes] = {}
        self.rotations = 0
        self._ids = itertools.count(1)
        self._names = itertools.count(1)

    async def begin(self) -> None:
        store = self.world.store()
        await store.ensure_root_key()
        keys = (NewKey("parent", "AES256_GCM"), NewKey("data", "AES256_GCM", self.origin))
        await store.perform(dataclasses.replace(ENSURE, keys=keys))

    async def run(self, rotations: int) -> None:
        while self.rotations < rotations:
            await asyncio.gather(*(self._process() for _ in range(3)))
        for key_id, material in self.material.items():
            assert await self._deliver(self.world.store(), key_id) == material

    async def _process(self) -> None:
        """One life of a process: some steps, until it is killed."""
        transport = Interleaved(self.world.api, self.chance, kills=0.02)
        client = KubeClient(transport, Free(), Free())
        store = EmbeddedKeyStore(client, OPERATOR, self.world.random, lambda: self.world.now)
        try:
            for _ in range(self.chance.randrange(1, 6)):
                await self._step(store)
        except (KilledError, FaultError):
            return

    async def _step(self, store: EmbeddedKeyStore) -> None:
        match self.chance.choice(("make", "deliver", "rotate", "rewrap", "retire", "retire")):
            case "make":
                await self._make(store)
            case "deliver" if self.material:
                key_id = self.chance.choice(sorted(self.material))
                assert await self._deliver(store, key_id) == self.material[key_id]
            case "retire":
                await self._retire(store)
            case "rewrap":
                outcome = await self._do(store, RewrapArtefactKeys(*PLACE, 0))
                assert isinstance(outcome, RewrapResult)
                assert outcome.stuck == ()
            case _:
                info = await self._info(store)
                primary = info.versions["data"][1]
                await self._do(store, RotateVaultKey(*PLACE, primary, self.origin))
                self.rotations += 1

    async def _make(self, store: EmbeddedKeyStore) -> None:
        key_id = f"{next(self._ids):032x}"
        for _ in range(20):
            try:
                made = await self._do(store, ensure("data", key_id))
            except FaultError:
                continue
            assert isinstance(made, ArtefactKeyInfo)
            self.material[key_id] = await self._deliver(self.world.store(), key_id)
            return

    async def _retire(self, store: EmbeddedKeyStore) -> None:
        info = await self._info(store)
        for version in info.history["data"]:
            if version.state == "Enabled":
                await self._do(store, RetireVersion(*PLACE, version.version, "Disabled"), any_=True)
            if version.state == "Disabled" and self.chance.random() < 0.7:
                await self._do(
                    store, RetireVersion(*PLACE, version.version, "Destroyed"), any_=True
                )

    async def _deliver(self, store: EmbeddedKeyStore, key_id: str) -> bytes:
        name = f"lw-{next(self._names)}"
        outcome = await store.perform(
            DeliverKeys(CLINIC, name, OWNER, (("output", key_id),), {"a": "b"})
        )
        assert outcome.code == "Done", (key_id, outcome)
        return delivered(self.world, name).by_role("output").raw()

    async def _info(self, store: EmbeddedKeyStore) -> KeysetInfo:
        info = await store.look(KeysetOf(CLINIC, "vault"))
        assert isinstance(info, KeysetInfo)
        assert info.readable
        return info

    async def _do(
        self, store: EmbeddedKeyStore, action: KeyAction, *, any_: bool = False
    ) -> object:
        outcome = await store.perform(action)
        assert any_ or outcome.code == "Done", (action, outcome)
        return outcome.result


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_no_artefact_key_is_lost_whatever_comes_between(seed: int) -> None:
    course = Course(seed, DERIVED if seed % 4 == 3 else GENERATED)
    await course.begin()
    await course.run(rotations=ROTATIONS)
    assert len(course.material) > 10
    info = await course.world.store().look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    history = info.history["data"]
    # In the end the record forgets of a version even that it was destroyed.
    assert history[0].state == "Destroyed" or history[0].version > 1
    assert [version.state for version in history].count("Primary") == 1


async def test_asking_twice_rotates_once() -> None:
    world = KeyWorld()
    first, second = await world.ready(), world.store()
    rotate = RotateVaultKey(*PLACE, 1)
    results = await asyncio.gather(first.perform(rotate), second.perform(rotate))
    await first.perform(rotate)
    assert {outcome.code for outcome in results} == {"Done"}
    info = await first.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    assert info.versions["data"][1] == 2


async def test_the_primary_version_is_not_retired() -> None:
    store = await KeyWorld().ready()
    for state in ("Disabled", "Destroyed"):
        assert (await store.perform(RetireVersion(*PLACE, 1, state))).code == "Conflict"
    assert ENSURE.vault == PLACE[1]
