"""Secrets of long-lived pods: written over in place, and never over anybody else's."""

from __future__ import annotations

import pytest

from fakeapi.store import Answer, Place, refusal
from leeward.plans.shared.model import ArtefactEntry, Manifest, PutKeys, RemoveKeys, WrittenKeys
from unit.keystore.keystore_world import CLINIC, KEY_ID, OWNER, KeyWorld, delivered, ensure

TYPE = "leeward.dev/keys.uid-2"
NAME = "ward-keys"
OTHER = "cc" * 16


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


def put(*ids: str, over: str | None = None) -> PutKeys:
    entries = tuple(ArtefactEntry("data", key_id, 7) for key_id in ids)
    return PutKeys(CLINIC, NAME, TYPE, OWNER, entries, {"a": "b"}, over)


def there(world: KeyWorld) -> Manifest | None:
    return world.api.one("Secret", CLINIC, NAME)


async def test_it_is_made_and_replaced_in_place(world: KeyWorld) -> None:
    store = await world.ready()
    for key_id in (KEY_ID, OTHER):
        await store.perform(ensure("data", key_id))
    first = await store.perform(put(KEY_ID))
    assert isinstance(first.result, WrittenKeys)
    second = await store.perform(put(KEY_ID, OTHER, over=first.result.resource_version))
    assert second.code == "Done"
    keys = delivered(world, NAME).keys
    assert [(key.role, key.id, key.version) for key in keys] == [
        ("data", KEY_ID, 7),
        ("data", OTHER, 7),
    ]
    assert len({key.raw() for key in keys}) == 2
    secret = there(world)
    assert secret is not None
    assert secret["type"] == TYPE
    assert secret["metadata"]["ownerReferences"] == [OWNER]
    assert "immutable" not in secret


async def test_whoever_has_old_knowledge_is_stopped(world: KeyWorld) -> None:
    store = await world.ready()
    for key_id in (KEY_ID, OTHER):
        await store.perform(ensure("data", key_id))
    first = await store.perform(put(KEY_ID))
    old = first.result.resource_version
    await store.perform(put(OTHER, over=old))
    late = await world.store().perform(put(KEY_ID, over=old))
    assert (late.code, late.result) == ("Conflict", "Changed")
    assert [key.id for key in delivered(world, NAME).keys] == [OTHER]


async def test_one_of_somebody_else_is_neither_written_nor_removed(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    metadata = {"name": NAME, "namespace": CLINIC}
    theirs = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
    world.api.add({**theirs, "data": {"a": "Yg=="}})
    refused = await store.perform(put(KEY_ID))
    assert (refused.code, refused.result) == ("Conflict", None)
    assert (await store.perform(RemoveKeys(CLINIC, NAME, TYPE))).code == "Conflict"
    secret = there(world)
    assert secret is not None
    assert secret["data"] == {"a": "Yg=="}


async def test_it_is_emptied_before_it_is_removed(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    await store.perform(put(KEY_ID))
    seen = []
    world.api.on_change.append(
        lambda change: seen.append((change.type, change.manifest.get("data")))
    )
    for _ in range(2):
        assert (await store.perform(RemoveKeys(CLINIC, NAME, TYPE))).code == "Done"
    assert seen == [("MODIFIED", None), ("DELETED", None)]
    assert there(world) is None


async def test_a_key_that_is_gone_is_said_to_be(world: KeyWorld) -> None:
    store = await world.ready()
    assert (await store.perform(put(KEY_ID))).code == "Missing"
    assert there(world) is None


async def test_a_namespace_that_is_not_enabled_is_an_outcome(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))

    def forbid(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if place.namespace == CLINIC and method in ("PUT", "POST"):
            return refusal(403, "Forbidden", 'secrets is forbidden: User "o" cannot update')
        return None

    world.api.refusals.append(forbid)
    assert (await store.perform(put(KEY_ID))).code == "Forbidden"
    assert (await store.perform(RemoveKeys(CLINIC, NAME, TYPE))).code == "Forbidden"
