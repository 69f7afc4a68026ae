"""Signing keys: each version has a pair of its own, and it goes with its version."""

import dataclasses

import pytest

from leeward.api.algorithms import ALGORITHMS
from leeward.formats.material import load_public
from leeward.plans.shared.model import (
    EnsureKeyset,
    KeysetInfo,
    KeysetOf,
    NewKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
)
from unit.keystore.keystore_world import CLINIC, ENSURE, KeyWorld, document, encoded
from unit.keystore.rotating_world import Rotating

SIGNING = tuple(name for name, known in ALGORITHMS.items() if known.key_class == "Signing")
PLACE = (CLINIC, "vault", "signing")


def signing(algorithm: str = "ED25519") -> EnsureKeyset:
    return dataclasses.replace(ENSURE, keys=(NewKey("signing", algorithm),))


def stored(world: KeyWorld) -> list[dict[str, object]]:
    (name,) = world.names("keyset-")
    (key,) = document(world.secret(name), "keyset.json")["keys"]
    versions: list[dict[str, object]] = key["history"]
    return versions


@pytest.mark.parametrize("algorithm", SIGNING)
async def test_each_version_of_a_signing_key_has_a_pair(algorithm: str) -> None:
    world = KeyWorld()
    store = world.store()
    await store.ensure_root_key()
    made = await store.perform(signing(algorithm))
    rotated = await store.perform(RotateVaultKey(*PLACE, 1))
    (first,) = made.result.history["signing"]
    kept, second = rotated.result.history["signing"]
    assert kept.public_key == first.public_key != second.public_key
    for version in (first, second):
        load_public(version.public_key)


async def test_other_keys_have_none() -> None:
    world = KeyWorld()
    store = await world.ready()
    info = await store.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    assert {v.public_key for versions in info.history.values() for v in versions} == {None}


async def test_the_pair_of_a_destroyed_version_is_gone() -> None:
    world = KeyWorld()
    store = world.store()
    await store.ensure_root_key()
    await store.perform(signing())
    await store.perform(RotateVaultKey(*PLACE, 1))
    await store.perform(RewrapArtefactKeys(*PLACE, 2))
    await store.perform(RetireVersion(*PLACE, 1, "Disabled"))
    assert "fixed" in stored(world)[0]
    await store.perform(RetireVersion(*PLACE, 1, "Destroyed"))
    gone, there = stored(world)
    assert "fixed" not in gone
    assert "fixed" in there


async def test_a_pair_outlives_the_root_key() -> None:
    world = Rotating()
    store, rotation = world.process()
    await store.ensure_root_key()
    await store.perform(signing())
    before = stored(world)[0]
    world.request()
    await world.finish(rotation)
    after = stored(world)[0]
    assert after["wrapped"] != before["wrapped"]
    assert after["fixed"] == before["fixed"]
    assert await world.unreadable(store, "vault") == []


async def test_a_damaged_pair_is_noticed() -> None:
    world = KeyWorld()
    store = world.store()
    await store.ensure_root_key()
    await store.perform(signing())
    await store.perform(RotateVaultKey(*PLACE, 1))
    (name,) = world.names("keyset-")
    secret = world.secret(name)
    keyset = document(secret, "keyset.json")
    first, second = keyset["keys"][0]["history"]
    first["fixed"], second["fixed"] = second["fixed"], first["fixed"]
    world.overwrite(secret, {"keyset.json": encoded(keyset)})
    info = await store.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    assert info.fault == "Damaged"
