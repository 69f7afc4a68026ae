"""What depends on which version of a vault key, as this process counts it."""

from __future__ import annotations

from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import (
    Dependent,
    KeyUsage,
    KeyUsageOf,
    PublishArtefactKey,
    RewrapArtefactKeys,
    RotateVaultKey,
    ShredArtefactKey,
)
from unit.keystore.keystore_world import CLINIC, ENSURE, OPERATOR, KeyWorld, ensure, on_volume

NEED = KeyUsageOf(CLINIC, "vault", ENSURE.vault_id)
VISITS = Dependent("MaskingJob", CLINIC, "visits")


async def counted(store: EmbeddedKeyStore) -> KeyUsage:
    await store.count_usage()
    found = await store.look(NEED)
    assert isinstance(found, KeyUsage)
    return found


async def now(store: EmbeddedKeyStore) -> KeyUsage:
    found = await store.look(NEED)
    assert isinstance(found, KeyUsage)
    return found


async def test_nothing_is_told_before_anything_is_counted() -> None:
    store = await KeyWorld().ready()
    assert await store.look(NEED) is None
    await store.count_usage()
    assert store.usage.outdated() == ((CLINIC, "vault"),)
    assert await store.look(NEED) == KeyUsage()
    assert store.usage.outdated() == ()


async def test_the_same_is_told_once_between_two_looks() -> None:
    """Two processes that take themselves for the leader do not answer each other for ever."""
    store = await KeyWorld().ready()
    told = await counted(store)
    assert await store.look(NEED) is None
    assert await store.look(NEED) is None
    assert store.usage.outdated() == ((CLINIC, "vault"),)
    assert await now(store) == told
    assert store.usage.outdated() == ()
    await store.perform(ensure("data"))
    assert await now(store) != told
    assert await store.look(NEED) is None


async def test_a_process_counts_what_another_one_wrote() -> None:
    world = KeyWorld()
    writer = await world.ready()
    for number in range(3):
        await writer.perform(ensure("data", f"{number:032x}"))
    await writer.perform(ensure("tokens", f"{9:032x}", owner="MaskingJob/other/uid-9"))
    usage = await counted(world.store())
    assert usage.of("data", 1).artefact_keys == 3
    assert usage.of("data", 1).dependents == ((VISITS, 3),)
    assert usage.of("tokens", 1).dependents == ((Dependent("MaskingJob", CLINIC, "other"), 1),)
    assert usage.of("intake", 1).artefact_keys == 0


async def test_what_this_process_writes_is_counted_without_a_call() -> None:
    world = KeyWorld()
    store = await world.ready()
    assert (await counted(store)).versions == {}
    await store.perform(ensure("data"))
    before = len(world.api.calls)
    assert store.usage.outdated() == ((CLINIC, "vault"),)
    assert (await now(store)).of("data", 1).artefact_keys == 1
    assert len(world.api.calls) == before
    assert store.usage.outdated() == ()


async def test_keys_move_with_a_rotation_and_change_hands() -> None:
    world = KeyWorld()
    store = await world.ready()
    await counted(store)
    await store.perform(ensure("data"))
    await store.perform(RotateVaultKey(CLINIC, "vault", "data", 1))
    assert (await now(store)).of("data", 1).artefact_keys == 1
    await store.perform(RewrapArtefactKeys(CLINIC, "vault", "data", 2))
    usage = await now(store)
    assert (usage.of("data", 1).artefact_keys, usage.of("data", 2).artefact_keys) == (0, 1)
    await store.perform(PublishArtefactKey("bb" * 16, "Dataset/people/uid-3"))
    assert (await now(store)).of("data", 2).dependents == (
        (Dependent("Dataset", CLINIC, "people"), 1),
    )


async def test_states_are_counted_and_a_shredded_key_is_no_dependent() -> None:
    world = KeyWorld()
    store = await world.ready()
    await counted(store)
    await store.perform(ensure("tokens", f"{1:032x}"))
    await store.perform(ensure("data", f"{2:032x}", artefact=on_volume("data", "x")))
    assert store.usage.states() == {"InUse": 1, "Unpublished": 1}
    await store.perform(ShredArtefactKey(f"{2:032x}"))
    assert store.usage.states() == {"InUse": 1, "Unpublished": 0, "Shredded": 1}
    assert (await now(store)).of("data", 1).artefact_keys == 0


async def test_what_others_deleted_is_noticed_when_all_is_counted_anew() -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data"))
    assert (await counted(store)).of("data", 1).artefact_keys == 1
    world.api.remove("Secret", OPERATOR, f"artefact-{'bb' * 16}")
    assert (await counted(store)).of("data", 1).artefact_keys == 0


async def test_what_is_written_while_all_is_counted_anew_counts() -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data", f"{1:032x}"))

    async def pages():  # type: ignore[no-untyped-def]
        listed = world.api.find("Secret", OPERATOR)
        await store.perform(ensure("data", f"{2:032x}"))
        await store.perform(RotateVaultKey(CLINIC, "vault", "data", 1))
        await store.perform(RewrapArtefactKeys(CLINIC, "vault", "data", 2))
        yield [s for s in listed if s["metadata"]["name"].startswith("artefact-")]

    await store.usage.load(pages)
    usage = await now(store)
    assert usage.of("data", 2).artefact_keys == 2
    assert usage.of("data", 1).artefact_keys == 0


async def test_few_dependents_are_named_and_all_are_counted() -> None:
    world = KeyWorld()
    store = await world.ready()
    for number in range(30):
        await store.perform(ensure("data", f"{number:032x}", owner=f"MaskingJob/j{number:02}/u"))
    used = (await counted(store)).of("data", 1)
    assert (used.artefact_keys, used.resources) == (30, 30)
    assert [dependent.name for dependent, _ in used.dependents] == [f"j{n:02}" for n in range(8)]


async def test_five_hundred_keys_cost_one_call() -> None:
    world, keys = KeyWorld(), 520
    writer = await world.ready()
    for number in range(keys):
        await writer.perform(ensure("data", f"{number:032x}"))
    store = world.store()
    before = len(world.api.calls)
    assert (await counted(store)).of("data", 1).artefact_keys == keys
    assert len(world.api.calls) - before == 2


async def test_keys_of_a_release_without_labels_are_counted_by_what_is_in_them() -> None:
    world = KeyWorld()
    writer = await world.ready()
    await writer.perform(ensure("data"))
    secret = world.secret(f"artefact-{'bb' * 16}")
    for label in ("leeward.dev/vault-key", "leeward.dev/vault-key-version"):
        del secret["metadata"]["labels"][label]
    world.api.edit(secret)
    assert (await counted(world.store())).of("data", 1).dependents == ((VISITS, 1),)
