"""A leader that remembers what it was answered, while others write behind its back."""

from __future__ import annotations

import pytest

from fakeapi.documents import clone
from leeward.keystore.records import artefact_name, keyset_name
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    ForgetArtefactKey,
    PublishArtefactKey,
    RetireArtefactKey,
    RotateVaultKey,
    ShredArtefactKey,
)
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    ENSURE,
    KEY_ID,
    OPERATOR,
    KeyWorld,
    delivered,
    ensure,
    on_volume,
)

DATASET = "Dataset/letters/uid-3"


@pytest.fixture
def world() -> KeyWorld:
    return KeyWorld()


async def test_a_key_is_used_only_under_a_version_that_the_keyset_has_now(world: KeyWorld) -> None:
    """An administrator put an earlier keyset back from a backup."""
    store = world.remembering()
    await store.ensure_root_key()
    await store.perform(ENSURE)
    name = keyset_name(CLINIC, "vault")
    backup = clone(world.secret(name))
    await store.perform(RotateVaultKey(CLINIC, "vault", "data", 1))
    world.api.remove("Secret", OPERATOR, name)
    world.api.add(backup)
    made = await store.perform(ensure("data"))
    assert (made.code, made.result.version) == ("Done", 1)
    assert (await world.store().perform(DELIVER)).code == "Done"
    assert delivered(world).keys[0].version == 1


async def test_no_pod_is_given_a_key_that_another_leader_retired_last(world: KeyWorld) -> None:
    await world.ready()
    store, earlier = world.remembering(), world.store()
    for action in (ensure("data", owner=DATASET), PublishArtefactKey(KEY_ID, DATASET)):
        assert (await store.perform(action)).code == "Done"
    assert (await earlier.perform(RetireArtefactKey(KEY_ID, DATASET))).code == "Done"
    assert (await store.perform(DELIVER)).code == "Retired"


async def test_a_record_that_was_repaired_is_not_removed_for_what_it_was(world: KeyWorld) -> None:
    await world.ready()
    store, name = world.remembering(), artefact_name(KEY_ID)
    await store.perform(ensure("data", artefact=on_volume("data", "masked/v.parquet")))
    intact = clone(world.secret(name))
    assert (await store.perform(ShredArtefactKey(KEY_ID))).code == "Done"
    world.overwrite(world.secret(name), intact["data"])
    with pytest.raises(StaleWriteError):
        await store.perform(ForgetArtefactKey(KEY_ID))
    assert world.secret(name)["data"] == intact["data"]
