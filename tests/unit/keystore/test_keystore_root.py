"""The root key: made once, put back, never made anew."""

from __future__ import annotations

import base64
import datetime

import pytest

from fakeapi.store import Answer, Place
from leeward.plans.shared.model import (
    EnsureKeyset,
    KeysetOf,
    Manifest,
)
from unit.keystore.keystore_world import (
    CLINIC,
    ENSURE,
    KEYS,
    OPERATOR,
    KeyWorld,
    document,
    encoded,
    ensure,
)


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


async def test_root_key_is_made_once(world: KeyWorld) -> None:
    assert await world.store().ensure_root_key() == "Made"
    first = world.secret("leeward-root-key")
    assert await world.store().ensure_root_key() == "Ready"
    assert world.secret("leeward-root-key") == first
    assert "ownerReferences" not in first["metadata"]
    assert not any("helm" in name for name in first["metadata"]["labels"])


async def test_two_replicas_that_race_end_with_one_root_key(world: KeyWorld) -> None:
    other = world.store()
    raced = False

    def race(method: str, body: Manifest | None, place: Place) -> Answer | None:
        nonlocal raced
        if method == "POST" and not raced:
            raced = True
            made = {**(body or {}), "data": {"root-key.json": encoded(ROOT)}}
            world.api.add(made)
        return None

    world.api.refusals.append(race)
    assert await other.ensure_root_key() == "Ready"
    await other.perform(ENSURE)
    (name,) = world.names("keyset-")
    assert document(world.secret(name), "keyset.json")["rootKeyId"] == ROOT["id"]


ROOT = {"formatVersion": 1, "id": "cc" * 16, "material": base64.b64encode(bytes(32)).decode()}


async def test_root_key_is_not_made_anew_while_keys_are_wrapped(world: KeyWorld) -> None:
    await world.ready()
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    fresh = world.store()
    assert await fresh.ensure_root_key() == "Lost"
    assert world.names("leeward-root-key") == []
    info = await fresh.look(KeysetOf(CLINIC, "vault"))
    assert info is not None
    assert info.fault == "RootKeyLost"  # type: ignore[union-attr]
    other = EnsureKeyset(CLINIC, "other", "uid-9", "dd" * 16, KEYS)
    outcome = await fresh.perform(other)
    assert (outcome.code, outcome.result) == ("Unreadable", "RootKeyLost")
    assert len(world.names("keyset-")) == 1


async def test_root_key_is_not_made_over_a_damaged_one(world: KeyWorld) -> None:
    await world.store().ensure_root_key()
    world.overwrite(world.secret("leeward-root-key"), {"root-key.json": "AAAA"})
    assert await world.store().ensure_root_key() == "Lost"


async def test_deleted_root_key_is_put_back_from_memory(world: KeyWorld) -> None:
    store = await world.ready()
    before = world.secret("leeward-root-key")["data"]
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    assert await store.ensure_root_key() == "Restored"
    assert world.secret("leeward-root-key")["data"] == before


async def test_root_key_deleted_under_a_running_operator_is_put_back_within_a_minute(
    world: KeyWorld,
) -> None:
    store = await world.ready()
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    world.now += datetime.timedelta(seconds=61)
    await store.perform(EnsureKeyset(CLINIC, "other", "uid-9", "dd" * 16, KEYS))
    assert world.names("leeward-root-key") == ["leeward-root-key"]


async def test_replaced_root_key_is_noticed(world: KeyWorld) -> None:
    store = await world.ready()
    world.overwrite(world.secret("leeward-root-key"), {"root-key.json": encoded(ROOT)})
    for reader in (world.store(), store):
        world.now += datetime.timedelta(seconds=61)
        info = await reader.look(KeysetOf(CLINIC, "vault"))
        assert info is not None
        assert info.fault == "RootKeyReplaced"  # type: ignore[union-attr]
        outcome = await reader.perform(ensure("data"))
        assert (outcome.code, outcome.result) == ("Unreadable", "RootKeyReplaced")


@pytest.mark.parametrize("data", [{"root-key.json": "AAAA"}, {}])
async def test_a_root_key_that_is_damaged_under_a_running_operator_wraps_nothing_more(
    world: KeyWorld, data: Manifest
) -> None:
    store = await world.ready()
    whole = world.secret("leeward-root-key")["data"]
    world.overwrite(world.secret("leeward-root-key"), data)
    world.now += datetime.timedelta(seconds=61)
    outcome = await store.perform(EnsureKeyset(CLINIC, "other", "uid-9", "dd" * 16, KEYS))
    assert (outcome.code, outcome.result) == ("Unreadable", "RootKeyLost")
    assert world.secret("leeward-root-key")["data"] == data
    assert len(world.names("keyset-")) == 1
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    assert await store.ensure_root_key() == "Restored"
    assert world.secret("leeward-root-key")["data"] == whole
