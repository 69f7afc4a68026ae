"""The embedded key store: what pods are given, and what is done where that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from fakeapi.store import Answer, Place, refusal
from leeward.formats.sealed import InvalidKey, recipient_of, unwrapper_of
from leeward.plans.shared.faults import DeniedError
from leeward.plans.shared.model import (
    ArtefactKeyOf,
    DeleteSecret,
    DeliverKeys,
    DestroyRetiredKey,
    KeysetOf,
    Manifest,
    RetireArtefactKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    KEY_ID,
    KEYS,
    OPERATOR,
    OWNER,
    KeyWorld,
    delivered,
    document,
    encoded,
    ensure,
)


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


async def test_pod_is_given_artefact_keys_and_nothing_else(world: KeyWorld) -> None:
    store = await world.ready()
    ids = {key.name: f"{n:032x}" for n, key in enumerate(KEYS, 1)}
    for name, key_id in ids.items():
        await store.perform(ensure(name, key_id))
    roles = tuple((f"rule:{name}", key_id) for name, key_id in ids.items())
    assert (await store.perform(DeliverKeys(CLINIC, "lw-abc", OWNER, roles))).code == "Done"
    keys = {key.role: key for key in delivered(world).keys}
    assert {role: len(key.raw()) for role, key in keys.items()} == {
        "rule:data": 32,
        "rule:tokens": 64,
        "rule:pseudonyms": 32,
        "rule:intake": 32,
    }
    assert keys["rule:tokens"].algorithm == "AES256_SIV"
    assert len({key.raw() for key in keys.values()}) == 4


async def test_who_seals_is_given_the_public_half_of_a_pair_and_who_opens_the_private_one(
    world: KeyWorld,
) -> None:
    store = await world.ready()
    await store.perform(ensure("intake"))
    for name, role in (("lw-seals", "output"), ("lw-opens", "source")):
        await store.perform(DeliverKeys(CLINIC, name, OWNER, ((role, KEY_ID),)))
    public = delivered(world, "lw-seals").by_role("output")
    private = delivered(world, "lw-opens").by_role("source")
    recipient = recipient_of(public.algorithm, bytes.fromhex(KEY_ID), public.raw())
    opener = unwrapper_of(private.algorithm, bytes.fromhex(KEY_ID), private.raw())
    entry = recipient.wrap(b"k" * 32, b"f" * 16, world.random)
    assert opener.unwrap(entry, b"f" * 16) == b"k" * 32
    with pytest.raises(InvalidKey):
        unwrapper_of(public.algorithm, bytes.fromhex(KEY_ID), public.raw())


async def test_delivered_secret_is_immutable_and_owned(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    await store.perform(DELIVER)
    secret = world.api.one("Secret", CLINIC, "lw-abc")
    assert secret is not None
    assert secret["immutable"] is True
    assert secret["metadata"]["ownerReferences"] == [OWNER]
    assert secret["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    "planted", [{}, {"immutable": True}, {"type": "example.com/other"}, None], ids=str
)
async def test_what_was_planted_under_the_name_of_a_delivery_is_replaced(
    world: KeyWorld, planted: Manifest | None
) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    if planted is None:  # our own, made before a crash
        await store.perform(DELIVER)
    else:
        secret = {"apiVersion": "v1", "kind": "Secret", "data": {"keyset.json": "eA=="}}
        named = {"name": "lw-abc", "namespace": CLINIC}
        world.api.add({**secret, **planted, "metadata": {**named, "labels": {"a": "b"}}})
    version = world.api.version
    assert (await store.perform(DELIVER)).code == "Done"
    assert [key.role for key in delivered(world).keys] == ["output"]
    secret_now = world.api.one("Secret", CLINIC, "lw-abc")
    assert secret_now is not None
    assert secret_now["immutable"] is True
    assert secret_now["metadata"]["ownerReferences"] == [OWNER]
    assert (world.api.version == version) == (planted is None)


async def test_name_that_cannot_be_had_for_a_delivery_is_told(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))

    def held(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if place.namespace != CLINIC or method == "DELETE":
            return None
        reason = "AlreadyExists" if method == "POST" else "Invalid"
        return refusal(409 if method == "POST" else 422, reason, "held by a finalizer")

    world.api.add(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "lw-abc", "namespace": CLINIC}}
    )
    world.api.refusals.append(held)
    assert (await store.perform(DELIVER)).code == "Conflict"


def no_rights(namespace: str, *methods: str) -> Any:
    def refuse(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if place.namespace == namespace and place.plural == "secrets" and method in methods:
            message = 'secrets is forbidden: User "operator" cannot create resource "secrets"'
            return refusal(403, "Forbidden", message)
        return None

    return refuse


async def test_namespace_that_is_not_enabled(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    world.api.refusals.append(no_rights(CLINIC, "POST", "DELETE"))
    assert (await store.perform(DELIVER)).code == "Forbidden"
    assert (await store.perform(DeleteSecret(CLINIC, "lw-abc"))).code == "Forbidden"


async def test_missing_rights_in_its_own_namespace_are_no_affair_of_users(world: KeyWorld) -> None:
    store = await world.ready()
    world.api.refusals.append(no_rights(OPERATOR, "POST", "GET"))
    with pytest.raises(DeniedError):
        await store.perform(ensure("data"))
    with pytest.raises(DeniedError):
        await store.look(KeysetOf(CLINIC, "vault"))


async def test_delivery_never_reads_where_workloads_run(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    world.api.calls.clear()
    await store.perform(DELIVER)
    await store.perform(DELIVER)
    await store.perform(DeleteSecret(CLINIC, "lw-abc"))
    assert (await store.perform(DeleteSecret(CLINIC, "lw-abc"))).code == "Done"
    there = [method for method, path in world.api.calls if f"/{CLINIC}/" in path]
    assert there == ["POST", "POST", "PUT", "DELETE", "DELETE"]


async def test_the_keyset_of_a_delivery_is_read_once_after_all_its_keys(world: KeyWorld) -> None:
    store = await world.ready()
    ids = ("aa" * 16, "bb" * 16)
    for key_id in ids:
        await store.perform(ensure("data", key_id))
    world.api.calls.clear()
    await store.perform(DeliverKeys(CLINIC, "lw-abc", OWNER, (("old", ids[0]), ("new", ids[1]))))
    read = [path.rpartition("/")[2] for method, path in world.api.calls if method == "GET"]
    assert [name.partition("-")[0] for name in read] == ["artefact", "artefact", "keyset"]
    assert [key.id for key in delivered(world).keys] == list(ids)


async def test_damaged_artefact_key_is_not_delivered(world: KeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    name = f"artefact-{KEY_ID}"
    record = document(world.secret(name), "artefact-key.json")
    record["key"] = "tokens"
    world.overwrite(world.secret(name), {"artefact-key.json": encoded(record)})
    outcome = await store.perform(DELIVER)
    assert (outcome.code, outcome.result) == ("Unreadable", "Damaged")
    assert world.api.one("Secret", CLINIC, "lw-abc") is None


async def test_a_retired_key_is_given_to_its_dataset_only_and_destroyed_for_good(
    world: KeyWorld,
) -> None:
    """A list of who holds it that is made afterwards is complete."""
    store = await world.ready()
    dataset = "Dataset/intake/uid-intake"
    await store.perform(ensure("data", owner=dataset))
    own = {"kind": "Dataset", "name": "intake", "uid": "uid-intake"}
    retire, destroy = RetireArtefactKey(KEY_ID, dataset), DestroyRetiredKey(KEY_ID, dataset)

    assert (await store.perform(destroy)).code == "Conflict"
    assert (await store.perform(RetireArtefactKey(KEY_ID, "Dataset/b/other"))).code == "Conflict"
    assert (await store.perform(retire)).code == "Done"
    assert (await store.perform(retire)).code == "Done"
    assert (await store.look(ArtefactKeyOf(KEY_ID))).retired  # type: ignore[union-attr]
    assert (await store.perform(DELIVER)).code == "Retired"
    mine = DeliverKeys(CLINIC, "lw-own", OWNER | own, (("old", KEY_ID),))
    assert (await store.perform(mine)).code == "Done"

    back = RetireArtefactKey(KEY_ID, dataset, retired=False)
    assert (await store.perform(back)).code == "Done"
    assert (await store.perform(DELIVER)).code == "Done"

    await store.perform(retire)
    assert (await store.perform(destroy)).code == "Done"
    assert (await store.perform(destroy)).code == "Done"
    assert await store.look(ArtefactKeyOf(KEY_ID)) is None
    assert (await store.perform(retire)).code == "Missing"
