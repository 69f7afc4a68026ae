"""What the cluster knows of backups: the reader that shredding asks."""

from __future__ import annotations

import pytest

from fakeapi.store import refusal
from leeward.formats.backup import BackedUpKey, BackupRecord
from leeward.keystore.backups import (
    KnownBackups,
    backed_up,
    read_stored,
    record_config_map,
    restored,
)
from leeward.keystore.records import DamagedRecordError
from leeward.kube.client import KubeClient
from leeward.plans.shared.faults import TransientError
from leeward.plans.shared.model import ArtefactKeyOf, Manifest, ShredArtefactKey
from unit.keystore.keystore_world import (
    KEY_ID,
    OPERATOR,
    Free,
    Immediate,
    KeyWorld,
    encoded,
    ensure,
    on_volume,
)


def record(number: int, *vaults: str, created: str = "2027-03-01T12:00:00Z") -> BackupRecord:
    return BackupRecord(
        id=f"{number:032x}",
        created_at=created,
        root_key_ids=[],
        vault_ids=list(vaults),
        file_name="keys.json",
        made_by="ada",
    )


def reader(world: KeyWorld) -> KnownBackups:
    return KnownBackups(KubeClient(Immediate(world.api), Free(), Free()), OPERATOR)


async def test_backups_of_a_vault_are_found_the_oldest_first() -> None:
    world, mine, other = KeyWorld(), "aa" * 16, "bb" * 16
    late, early = record(1, mine), record(2, other, mine, created="2027-01-01T00:00:00Z")
    for each in (late, early, record(3, other)):
        world.api.add(record_config_map(OPERATOR, each))
    world.api.add(record_config_map("elsewhere", record(4, mine)))
    assert await reader(world).known_backups(mine) == (early, late)
    assert await reader(world).known_backups("cc" * 16) == ()


@pytest.mark.parametrize("data", [{}, {"record.json": "{"}, {"record.json": '{"formatVersion":1}'}])
async def test_a_record_that_cannot_be_read_is_not_taken_for_none(data: dict[str, str]) -> None:
    world = KeyWorld()
    world.api.add(record_config_map(OPERATOR, record(1)) | {"data": data})
    with pytest.raises(DamagedRecordError, match="leeward-backup-"):
        await reader(world).known_backups("aa" * 16)


async def test_records_that_cannot_be_listed_are_not_taken_for_none() -> None:
    world = KeyWorld()
    world.api.refusals.append(lambda *_: refusal(500, "InternalError", "not now"))
    with pytest.raises(TransientError):
        await reader(world).known_backups("aa" * 16)


async def test_every_kind_of_key_is_made_again_as_it_was() -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data"))
    await store.perform(ensure("intake", key_id="cc" * 16))
    await store.perform(ensure("data", key_id="dd" * 16))
    await store.perform(ShredArtefactKey("dd" * 16))
    names = world.names("keyset-") + world.names("artefact-")
    assert len(names) == 4
    for name in names:
        secret = world.secret(name)
        key = restored(OPERATOR, backed_up(secret, read_stored(secret)))
        assert key.is_in(secret)
        assert key.secret["metadata"] | _of_the_server(secret) == secret["metadata"]
        assert (key.secret["type"], key.secret["data"]) == (secret["type"], secret["data"])


def _of_the_server(secret: Manifest) -> Manifest:
    given = ("uid", "generation", "creationTimestamp", "resourceVersion")
    return {name: secret["metadata"][name] for name in given}


@pytest.mark.parametrize("shred", [False, True])
async def test_a_restored_key_is_not_swept_for_what_it_opens_may_have_been_published_since(
    shred: bool,
) -> None:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data", artefact=on_volume("claim", "path"), dataset="visits"))
    if shred:
        await store.perform(ShredArtefactKey(KEY_ID))
    (name,) = world.names("artefact-")
    secret = world.secret(name)
    key = restored(OPERATOR, backed_up(secret, read_stored(secret)))
    world.api.remove("Secret", OPERATOR, name)
    world.api.add(key.secret)
    assert (await store.unpublished_keys()).keys == ()
    info = await store.look(ArtefactKeyOf(KEY_ID))
    assert (info is None) == shred, "what was shredded stays shredded"
    assert key.is_in(secret)
    assert key.is_in(world.secret(name))


async def test_a_key_under_the_name_of_another_is_refused() -> None:
    world = KeyWorld()
    await world.ready()
    secret = world.secret(world.names("keyset-")[0])
    key = backed_up(secret, read_stored(secret))
    for wrong in (
        key.model_copy(update={"name": "keyset-00"}),
        key.model_copy(update={"role": "artefact-key"}),
        key.model_copy(update={"document": "{}"}),
        BackedUpKey(name=key.name, role="keyset", document="[" * 100_000),
    ):
        with pytest.raises(DamagedRecordError, match=wrong.name):
            restored(OPERATOR, wrong)


async def test_a_damaged_secret_is_not_backed_up() -> None:
    world = KeyWorld()
    await world.ready()
    name = world.names("keyset-")[0]
    world.overwrite(world.secret(name), {"keyset.json": encoded({"formatVersion": 1})})
    with pytest.raises(DamagedRecordError, match=name):
        read_stored(world.secret(name))
