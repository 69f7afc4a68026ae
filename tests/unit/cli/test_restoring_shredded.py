"""keys restore where keys of the backup were destroyed since: their tombstones are heeded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fakeapi.store import Answer, Manifest, Place, refusal
from leeward.formats.destruction import DestructionRecord, ids_digest
from leeward.keystore.records import keyset_name
from leeward.plans.shared.faults import FaultError
from leeward.plans.shared.model import (
    DestroyArtefactKey,
    ForgetArtefactKey,
    ForgetVault,
    PublishArtefactKey,
    RemoveArtefactKeys,
    ShredVault,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.shredding import record_map
from unit.cli.backup_world import KEY_ID, Cluster, populate
from unit.keystore.keystore_world import CLINIC, OPERATOR, document, encoded

DATASET = "Dataset/people/uid-3"
VAULT_ID, OTHER_ID = f"{1:032x}", f"{2:032x}"


@pytest.fixture
def here(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    asyncio.run(populate(cluster))
    assert cluster.backup().exit_code == 0
    return cluster


def perform(here: Cluster, *actions: Any) -> None:
    for action in actions:
        assert asyncio.run(here.store.perform(action)).code == "Done"


def shred(here: Cluster, vault: str, vault_id: str) -> None:
    place = (CLINIC, vault, vault_id)
    perform(here, ShredVault(CLINIC, vault, vault, vault_id))
    perform(here, RemoveArtefactKeys(*place), ForgetVault(*place))


def lose(here: Cluster, *names: str) -> None:
    for name in names:
        here.world.api.remove("Secret", OPERATOR, name)


def tombstone(here: Cluster, id_: str) -> Manifest:
    return here.world.secret(f"destroyed-{id_}")


def test_a_vault_that_was_shredded_is_left_out_and_the_rest_comes_back(here: Cluster) -> None:
    shred(here, "other", OTHER_ID)
    left = here.keys()
    assert len(left) == 2
    lose(here, *left)
    result = here.ok("keys", "restore", here.file)
    assert here.keys() == left
    assert "2 restored" in result.stdout
    assert "2 keys in the backup were destroyed for good and left out" in result.stderr
    assert f"destroyed-{OTHER_ID}" in result.stderr
    assert f"kubectl delete secret NAME -n {OPERATOR}" in result.stderr


def test_the_key_of_a_shredded_dataset_is_left_out_alone(here: Cluster) -> None:
    perform(here, PublishArtefactKey(KEY_ID, DATASET), DestroyArtefactKey(KEY_ID, DATASET))
    perform(here, ForgetArtefactKey(KEY_ID))
    left = here.keys()
    lose(here, *left)
    result = here.ok("keys", "restore", here.file)
    assert here.keys().keys() == left.keys()
    assert "3 restored" in result.stdout
    assert "1 key in the backup was destroyed for good and left out" in result.stderr


def test_who_deletes_the_tombstone_has_the_keys_back(here: Cluster) -> None:
    before = here.keys()
    shred(here, "other", OTHER_ID)
    lose(here, f"destroyed-{OTHER_ID}")
    here.ok("keys", "restore", here.file)
    assert here.keys().keys() == before.keys()


def test_a_backup_of_which_all_was_destroyed_is_not_known_again(here: Cluster) -> None:
    shred(here, "other", OTHER_ID)
    shred(here, "vault", VAULT_ID)
    here.ok("keys", "backup", "forget", here.written.record.id, "--yes")
    result = here.run("keys", "restore", here.file)
    assert result.exit_code == 1
    assert "nothing was restored" in result.stderr
    assert f"destroyed-{VAULT_ID}" in result.stderr
    assert here.keys() == {}
    assert here.records == []


@pytest.mark.parametrize("damage", ["newer", "empty", "other"])
def test_a_tombstone_that_cannot_be_read_refuses_everything(here: Cluster, damage: str) -> None:
    shred(here, "other", OTHER_ID)
    stone = tombstone(here, OTHER_ID)
    written = document(stone, "tombstone.json")
    changed = {
        "newer": {"tombstone.json": encoded({**written, "formatVersion": 2})},
        "empty": {},
        "other": {"tombstone.json": encoded({**written, "id": "ee" * 16, "vaultId": "ee" * 16})},
    }
    here.world.overwrite(stone, changed[damage])
    keyset = keyset_name(CLINIC, "vault")
    lose(here, keyset)
    history = list(here.world.api.history)
    result = here.run("keys", "restore", here.file)
    assert result.exit_code == 1
    assert f"destroyed-{OTHER_ID}" in result.stderr
    assert "nothing was restored" in result.stderr
    assert here.world.api.history == history


def test_a_tombstone_beside_its_key_blocks_nothing(here: Cluster) -> None:
    """The process was killed between the two writes, and then deletionPolicy became Retain."""
    perform(here, PublishArtefactKey(KEY_ID, DATASET))
    here.backup()
    keys = here.keys()

    def killed(method: str, _: Manifest | None, place: Place) -> Answer | None:
        begun = method == "PUT" and place.plural == "secrets"
        return refusal(500, "InternalError", "not now") if begun else None

    here.world.api.refusals.append(killed)
    for action in (
        ShredVault(CLINIC, "other", "other", OTHER_ID),
        DestroyArtefactKey(KEY_ID, DATASET),
    ):
        with pytest.raises(FaultError):
            perform(here, action)
    here.world.api.refusals.remove(killed)
    assert tombstone(here, OTHER_ID)
    assert tombstone(here, KEY_ID)
    assert here.keys() == keys
    lose(here, f"artefact-{'cc' * 16}")
    result = here.ok("keys", "restore", here.file)
    assert here.keys().keys() == keys.keys()
    assert "destroyed" not in result.stderr


def test_a_forged_record_in_a_namespace_of_users_has_no_effect(here: Cluster) -> None:
    owner = Owner("KeyVault", CLINIC, "forged", "uid", 1, {}, deleting=True)
    record = DestructionRecord(
        what="Vault",
        kind=owner.kind,
        namespace=CLINIC,
        name=owner.name,
        uid=owner.uid,
        vault_id=VAULT_ID,
        keys=[],
        artefact_keys_digest=ids_digest([KEY_ID]),
        destroyed_at="2026-11-01T00:00:00Z",
    )
    here.world.api.add(record_map(owner, "vault", record))
    real = here.keys()
    shred(here, "other", OTHER_ID)
    forged = tombstone(here, OTHER_ID)
    forged = {**forged, "metadata": {**forged["metadata"], "namespace": CLINIC}}
    lose(here, f"destroyed-{OTHER_ID}", *here.keys())
    here.world.api.add(forged)
    here.ok("keys", "restore", here.file)
    assert here.keys().keys() == real.keys()
