"""What is destroyed is gone from every Secret, and nothing else is."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping

import pytest

from fakeapi.store import Answer, FakeApi, Manifest, Place, refusal
from leeward.formats.backup import BackupRecord
from leeward.keystore.backups import record_config_map
from leeward.keystore.records import keyset_name
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.faults import DeniedError
from leeward.plans.shared.model import (
    ArtefactKeysOf,
    BackupsInfo,
    CountDelivery,
    DestroyArtefactKey,
    DestroyRetiredKey,
    ForgetArtefactKey,
    ForgetVault,
    KeysetInfo,
    KeysetOf,
    KeysetRecord,
    KeysetRecordOf,
    KnownBackupsOf,
    PublishArtefactKey,
    RemoveArtefactKeys,
    RetireArtefactKey,
    ShredArtefactKey,
    ShredVault,
)
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    ENSURE,
    KEY_ID,
    OPERATOR,
    Free,
    Immediate,
    KeyWorld,
    KilledError,
    document,
    encoded,
    ensure,
)

SHRED = ShredVault(CLINIC, "vault", "uid-1", ENSURE.vault_id)
PLACE = (CLINIC, "vault", ENSURE.vault_id)
LOOK = KeysetRecordOf(CLINIC, "vault")
DATASET = "Dataset/people/uid-3"
DESTROY = DestroyArtefactKey(KEY_ID, DATASET)


async def used() -> tuple[KeyWorld, EmbeddedKeyStore]:
    world = KeyWorld()
    store = await world.ready()
    await store.perform(ensure("data"))
    await store.perform(ensure("tokens", f"{1:032x}"))
    await store.perform(CountDelivery(ENSURE.vault_id, "data", "masking", "uid-2", 3))
    return world, store


async def test_a_vault_is_shredded_step_by_step_and_leaves_nothing() -> None:
    world, store = await used()
    other = dataclasses.replace(ENSURE, vault="other", uid="uid-8", vault_id="cc" * 16)
    await store.perform(other)
    name = keyset_name(CLINIC, "vault")
    outcome = await store.perform(SHRED)
    assert outcome.code == "Done"
    left = document(world.secret(name), "keyset.json")
    assert "wrapped" not in str(left)
    assert [key["numbers"] for key in left["keys"]] == [[1]] * 4
    assert await store.look(LOOK) == outcome.result
    assert (await store.perform(DELIVER)).code == "Unreadable"
    assert (await world.store().perform(ensure("data", f"{7:032x}"))).code == "Unreadable"
    listed = await store.look(ArtefactKeysOf(ENSURE.vault_id))
    assert isinstance(listed, tuple)
    assert {info.id for info in listed} == {KEY_ID, f"{1:032x}"}
    assert (await store.perform(RemoveArtefactKeys(*PLACE))).result == 0
    assert world.names("artefact-") == []
    assert world.names("grant-") == []
    assert (await store.perform(ForgetVault(*PLACE))).code == "Done"
    assert name not in world.names("keyset-")
    assert len(world.names("keyset-")) == 1
    assert await store.look(LOOK) is None


async def test_each_step_can_be_repeated_and_none_goes_before_another() -> None:
    world, store = await used()
    for early in (RemoveArtefactKeys(*PLACE), ForgetVault(*PLACE)):
        assert (await store.perform(early)).code == "Conflict"
    assert len(world.names("artefact-")) == 2
    first = await store.perform(SHRED)
    world.now += datetime.timedelta(days=1)
    assert await world.store().perform(SHRED) == first
    for step in (RemoveArtefactKeys(*PLACE), RemoveArtefactKeys(*PLACE), ForgetVault(*PLACE)):
        assert (await world.store().perform(step)).code == "Done"
    assert (await store.perform(ForgetVault(*PLACE))).code == "Done"
    assert (await store.perform(SHRED)).code == "Missing"


async def test_the_keyset_of_another_vault_is_not_shredded() -> None:
    _, store = await used()
    for wrong in (
        dataclasses.replace(SHRED, uid="uid-9"),
        dataclasses.replace(SHRED, vault_id="cc" * 16),
    ):
        assert (await store.perform(wrong)).code == "Conflict"
    assert (await store.perform(DELIVER)).code == "Done"


async def test_a_vault_made_again_after_a_finalizer_was_forced_gets_new_keys() -> None:
    _, store = await used()
    await store.perform(SHRED)
    again = dataclasses.replace(ENSURE, uid="uid-7", vault_id="dd" * 16)
    assert (await store.perform(again)).code == "Done"
    info = await store.look(KeysetOf(CLINIC, "vault"))
    assert isinstance(info, KeysetInfo)
    assert (info.vault_id, info.readable) == ("dd" * 16, True)


async def test_a_keyset_that_no_root_key_opens_any_more_can_be_shredded() -> None:
    world, _ = await used()
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    store = world.store()
    assert (await store.perform(SHRED)).code == "Done"
    found = await store.look(LOOK)
    assert isinstance(found, KeysetRecord)
    assert found.shredded_at is not None


async def test_the_key_of_a_dataset_is_destroyed_although_it_is_published() -> None:
    world, store = await used()
    await store.perform(PublishArtefactKey(KEY_ID, DATASET))
    other = dataclasses.replace(DESTROY, owner="Dataset/other/uid-9")
    assert (await store.perform(other)).code == "Conflict"
    assert (await store.perform(DESTROY)).code == "Done"
    assert "wrapped" not in document(world.secret(f"artefact-{KEY_ID}"), "artefact-key.json")
    assert (await store.perform(DELIVER)).code == "Missing"
    assert (await store.perform(DESTROY)).code == "Done"
    assert (await store.unpublished_keys()).keys == ()
    assert (await store.perform(ForgetArtefactKey(KEY_ID))).code == "Done"
    assert world.names("artefact-") == [f"artefact-{1:032x}"]


async def test_backups_that_hold_the_vault_are_known_and_a_damaged_record_is_said() -> None:
    world, store = await used()
    need = KnownBackupsOf(ENSURE.vault_id)
    assert await store.look(need) == BackupsInfo()
    for number, vault_id in ((1, ENSURE.vault_id), (2, "cc" * 16)):
        record = BackupRecord(
            id=f"{number:032x}",
            created_at="2027-03-01T12:00:00Z",
            root_key_ids=[],
            vault_ids=[vault_id],
            file_name="keys.backup",
            made_by="alice",
        )
        world.api.add(record_config_map(OPERATOR, record))
    assert await store.look(need) == BackupsInfo((f"{1:032x}",))
    damaged = record_config_map(OPERATOR, record)
    damaged["metadata"]["name"] = "leeward-backup-damaged"
    damaged["data"] = {}
    world.api.add(damaged)
    found = await store.look(need)
    assert isinstance(found, BackupsInfo)
    assert "leeward-backup-damaged" in (found.unreadable or "")


class Killing(Immediate):
    """Kills the process at one call: before it, or after it."""

    def __init__(self, api: FakeApi, at: int, *, after: bool) -> None:
        super().__init__(api)
        self._left = at
        self._after = after

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise KilledError
        answer = await super().exchange(method, path, body, content_type)
        if self._left == 0:
            raise KilledError
        return answer


def keyset_is_there(world: KeyWorld) -> bool:
    return "wrapped" in str(document(world.secret(keyset_name(CLINIC, "vault")), "keyset.json"))


def artefact_key_is_there(world: KeyWorld) -> bool:
    return "wrapped" in document(world.secret(f"artefact-{KEY_ID}"), "artefact-key.json")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("action", "id_", "is_there"),
    [(SHRED, ENSURE.vault_id, keyset_is_there), (DESTROY, KEY_ID, artefact_key_is_there)],
)
async def test_a_kill_at_any_call_leaves_no_key_destroyed_without_a_tombstone(
    action: ShredVault | DestroyArtefactKey,
    id_: str,
    is_there: Callable[[KeyWorld], bool],
    *,
    after: bool,
) -> None:
    kills = 0
    while True:
        world, store = await used()
        await store.perform(PublishArtefactKey(KEY_ID, DATASET))
        transport = Killing(world.api, kills + 1, after=after)
        try:
            await world.store(KubeClient(transport, Free(), Free())).perform(action)
        except KilledError:
            kills += 1
        else:
            break
        assert is_there(world) or world.names("destroyed-") == [f"destroyed-{id_}"]
        assert (await world.store().perform(action)).code == "Done"
        assert not is_there(world)
        assert world.names("destroyed-") == [f"destroyed-{id_}"]
    assert kills == 3, "read, tombstone, destruction"


async def test_tombstones_say_what_was_destroyed_and_hold_no_key() -> None:
    world, store = await used()
    await store.perform(PublishArtefactKey(KEY_ID, DATASET))
    vault = {
        "formatVersion": 1,
        "vaultId": ENSURE.vault_id,
        "vaultNamespace": CLINIC,
        "vault": "vault",
        "destroyedAt": "2027-03-01T12:00:00Z",
    }
    await store.perform(DESTROY)
    of_key = document(world.secret(f"destroyed-{KEY_ID}"), "tombstone.json")
    owned = {"namespace": CLINIC, "owner": DATASET}
    assert of_key == {**vault, **owned, "what": "ArtefactKey", "id": KEY_ID}
    await store.perform(SHRED)
    of_vault = world.secret(f"destroyed-{ENSURE.vault_id}")
    written = document(of_vault, "tombstone.json")
    assert written == {**vault, "what": "Vault", "id": ENSURE.vault_id}
    labels = of_vault["metadata"]["labels"]
    assert labels["leeward.dev/role"] == "destroyed-key"
    assert labels.keys().isdisjoint({"leeward.dev/vault-id", "leeward.dev/wrapped"})


async def test_keys_that_are_replaced_or_left_over_get_no_tombstone() -> None:
    world, store = await used()
    assert (await store.perform(ShredArtefactKey(f"{1:032x}"))).code == "Done"
    await store.perform(PublishArtefactKey(KEY_ID, DATASET))
    assert (await store.perform(RetireArtefactKey(KEY_ID, DATASET))).code == "Done"
    assert (await store.perform(DestroyRetiredKey(KEY_ID, DATASET))).code == "Done"
    assert world.names("destroyed-") == []


async def test_a_damaged_tombstone_is_put_right_and_a_good_one_left_as_it_is() -> None:
    world, store = await used()
    await store.perform(PublishArtefactKey(KEY_ID, DATASET))
    kept = world.secret(keyset_name(CLINIC, "vault"))["data"]
    await store.perform(SHRED)
    stone = world.secret(f"destroyed-{ENSURE.vault_id}")
    good = stone["data"]
    world.now += datetime.timedelta(days=1)
    for there, is_kept in ((good, True), ({"tombstone.json": encoded({})}, False)):
        world.overwrite(world.secret(stone["metadata"]["name"]), there)
        world.overwrite(world.secret(keyset_name(CLINIC, "vault")), kept)
        assert (await world.store().perform(SHRED)).code == "Done"
        assert not keyset_is_there(world)
        now = world.secret(stone["metadata"]["name"])
        assert (now["data"] == good) is is_kept
        destroyed_at = document(now, "tombstone.json")["destroyedAt"]
        assert destroyed_at == f"2027-03-0{1 if is_kept else 2}T12:00:00Z"


@pytest.mark.parametrize("action", [SHRED, DESTROY])
async def test_without_a_tombstone_nothing_is_destroyed(
    action: ShredVault | DestroyArtefactKey,
) -> None:
    """A refusal is no outcome, which lets a plan go on: the resource would go, its key not."""
    world, store = await used()
    await store.perform(PublishArtefactKey(KEY_ID, DATASET))

    def quota(method: str, _: Manifest | None, place: Place) -> Answer | None:
        made = method == "POST" and place.plural == "secrets"
        return refusal(403, "Forbidden", "exceeded quota: secrets") if made else None

    world.api.refusals.append(quota)
    with pytest.raises(DeniedError, match="quota"):
        await store.perform(action)
    assert keyset_is_there(world)
    assert artefact_key_is_there(world)
