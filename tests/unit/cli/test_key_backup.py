"""keys backup and restore on the API server that an operator works on, and the whole drill."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from fakeapi.store import Answer, Manifest, Place, refusal
from leeward.formats.provider import TransitLogin, TransitSettings
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.records import KEYSET_ROLE, keyset_name, keyset_secret, read_document
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.model import EnsureKeyset, ShredArtefactKey
from unit.cli.backup_world import KEY_ID, Cluster, populate
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    KEYS,
    OPERATOR,
    delivered,
    document,
    encoded,
    ensure,
)
from unit.keystore.rotating_world import ROOT


@pytest.fixture
def here(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    asyncio.run(populate(cluster))
    return cluster


def perform(store: EmbeddedKeyStore, action: Any) -> Any:
    return asyncio.run(store.perform(action))


def test_the_cluster_is_lost_and_the_keys_come_back(here: Cluster, tmp_path: Path) -> None:
    perform(here.store, DELIVER)
    before = delivered(here.world).keys[0].material
    shares = tmp_path / "shares"
    here.ok("root-key", "export", "--shares", 5, "--threshold", 3, "--out", shares)
    here.backup()
    pages = sorted(shares.iterdir())[1:4]

    new = Cluster(tmp_path)
    early = new.run("keys", "restore", here.file)
    assert early.exit_code == 1
    assert "leeward root-key restore" in early.stderr
    given = [part for page in pages for part in ("--share", page)]
    new.ok("root-key", "restore", *given)
    told = new.ok("keys", "restore", here.file)
    assert new.keys() == here.keys()
    vault_id = f"{1:032x}"
    assert f"kubectl annotate keyvault vault -n {CLINIC} --overwrite" in told.stderr
    assert f"leeward.dev/adopt={vault_id}" in told.stderr

    operator = new.world.store()
    assert asyncio.run(operator.ensure_root_key()) == "Ready"
    made_anew = EnsureKeyset(CLINIC, "vault", "uid-new", "dd" * 16, KEYS)
    assert perform(operator, made_anew).code == "Retained"
    adopting = EnsureKeyset(CLINIC, "vault", "uid-new", "dd" * 16, KEYS, adopt=vault_id)
    assert perform(operator, adopting).code == "Done"
    assert perform(operator, DELIVER).code == "Done"
    assert delivered(new.world).keys[0].material == before


def test_the_file_holds_ciphertexts_and_is_for_its_owner_alone(here: Cluster) -> None:
    result = here.backup()
    assert result.exit_code == 0, result.stderr
    assert stat.S_IMODE(here.file.stat().st_mode) == 0o600
    root = here.world.keyring.current_key
    assert root.material.get_secret_value() not in here.file.read_text()
    assert sorted(key.name for key in here.written.keys) == sorted(here.keys())
    assert here.written.record.root_key_ids == [root.id]
    assert here.written.record.id in result.stdout


def test_the_cluster_knows_of_its_backups_until_they_are_forgotten(here: Cluster) -> None:
    here.backup()
    here.file = here.folder / "second.json"
    here.backup("--vault", f"{CLINIC}/vault")
    (listed, other) = json.loads(here.ok("keys", "backups", "-o", "json").stdout)
    assert {listed["id"], other["id"]} == {record.id for record in here.records}
    small = here.written.record
    assert small in here.records
    assert small.vault_ids == [f"{1:032x}"]
    assert (small.made_by, small.file_name) == ("ada", str(here.file))
    table = here.ok("keys", "backups").stdout
    assert small.id in table
    assert "second.json" in table
    no = here.run("keys", "backup", "forget", small.id, visible="n\n")
    assert no.exit_code == 1
    here.ok("keys", "backup", "forget", small.id[:8], visible="y\n")
    assert [record.vault_ids for record in here.records] == [[f"{1:032x}", f"{2:032x}"]]
    assert here.run("keys", "backup", "forget", small.id, "--yes").exit_code == 1
    assert here.run("keys", "backup", "forget", "", "--yes").exit_code == 1


TRANSIT = TransitSettings(
    address="https://bao:8200",
    mount="transit",
    key="leeward",
    login=TransitLogin(method="kubernetes", mount="kubernetes", role="leeward"),
)


def move_to_transit(cluster: Cluster, vault: str) -> None:
    """Its keyset names a Transit key from now on."""
    name = keyset_name(CLINIC, vault)
    secret = cluster.world.secret(name)
    keyset = read_document(secret, WrappedKeyset, KEYSET_ROLE)
    changed = keyset.model_copy(update={"transit": TRANSIT, "root_key_id": "ab" * 16})
    cluster.world.overwrite(secret, keyset_secret(OPERATOR, changed)["data"])


def test_a_backup_says_that_a_transit_key_is_needed_besides(here: Cluster) -> None:
    move_to_transit(here, "other")
    result = here.backup()
    place = "transit/keys/leeward of https://bao:8200"
    assert here.written.record.transit_keys == [place]
    assert here.written.record.root_key_ids == [here.world.keyring.current]
    assert f"only with Transit key {place}" in result.stderr
    assert "only with root key" in result.stderr
    assert "transit" in here.ok("keys", "backups").stdout
    told = here.ok("root-key", "status")
    assert "Transit:   1 keyset" in told.stdout
    assert json.loads(here.ok("root-key", "status", "-o", "json").stdout)["keysets"] == {
        "moved": 1,
        "left": 0,
        "ofOtherRootKeys": {},
        "ofTransit": 1,
        "unreadable": [],
    }


def test_what_transit_wraps_is_restored_without_any_root_key(here: Cluster, tmp_path: Path) -> None:
    move_to_transit(here, "other")
    result = here.backup("--vault", f"{CLINIC}/other")
    assert "root key" not in result.stderr
    new = Cluster(tmp_path)
    told = new.ok("keys", "restore", here.file)
    assert "transit/keys/leeward of https://bao:8200" in told.stderr
    assert new.keys().items() <= here.keys().items()


def test_a_backup_of_one_vault_holds_its_keys_and_no_others(here: Cluster) -> None:
    here.backup("--vault", f"{CLINIC}/other")
    assert [key.role for key in here.written.keys] == ["keyset", "artefact-key"]
    assert here.written.keys[1].name == f"artefact-{'cc' * 16}"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--vault", f"{CLINIC}/none"), "no keys of a KeyVault none"),
        (("--vault", "clinic"), "NAMESPACE/NAME"),
        (("--vault", "clinic/a/b"), "NAMESPACE/NAME"),
        (("--vault", "clinic/vault", "--all"), "--all"),
        (("--force",), "--all"),
        (("--all", "--operator-namespace", "elsewhere"), "no wrapped keys"),
    ],
)
def test_a_backup_of_nothing_is_refused_and_not_recorded(
    here: Cluster, args: tuple[str, ...], said: str
) -> None:
    result = here.backup(*args)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not here.file.exists()
    assert here.records == []


def test_a_backup_is_never_written_over_unasked(here: Cluster) -> None:
    here.file.write_text("mine")
    result = here.run("keys", "backup", "--all", "--out", here.file)
    assert result.exit_code == 1
    assert here.file.read_text() == "mine"
    assert here.records == []


def test_a_backup_that_cannot_be_written_is_not_recorded(here: Cluster) -> None:
    too_long = here.folder / ("n" * 250)  # with what is put to it while it is written
    result = here.run("keys", "backup", "--all", "--out", too_long)
    assert result.exit_code == 1
    assert [kind for kind, _, _ in here.world.api.deleted] == ["ConfigMap"]
    assert here.records == []


def test_it_is_recorded_before_anything_is_read_for_it(here: Cluster) -> None:
    """Whoever shreds a key sees the record, or the key is not in the backup."""
    shredded: list[bool] = []

    def shred_at_the_record(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "POST" and place.plural == "configmaps" and not shredded:
            shredded.append(True)
            here.world.api.remove("Secret", OPERATOR, f"artefact-{'cc' * 16}")
        return None

    here.world.api.refusals.append(shred_at_the_record)
    assert here.backup().exit_code == 0
    assert shredded
    assert f"artefact-{'cc' * 16}" not in [key.name for key in here.written.keys]


def test_a_vault_that_is_made_meanwhile_is_in_the_record_or_not_in_the_backup(
    here: Cluster,
) -> None:
    made: list[bool] = []

    def make(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "POST" and place.plural == "configmaps" and not made:
            made.append(True)
            late = here.world.secret(here.world.names("keyset-")[0])
            late["metadata"]["name"] = "keyset-late"
            here.world.api.add(late)
            here.world.overwrite(late, _of_vault(late, f"{9:032x}"))
        return None

    here.world.api.refusals.append(make)
    assert here.backup().exit_code == 0
    (record,) = here.records
    assert record == here.written.record
    assert record.holds(f"{9:032x}")


def _of_vault(secret: Manifest, vault_id: str) -> Manifest:
    keyset = document(secret, "keyset.json")
    return {"keyset.json": encoded({**keyset, "vaultId": vault_id})}


def test_a_damaged_secret_is_named_and_the_others_are_backed_up(here: Cluster) -> None:
    (bad, _) = here.world.names("keyset-")
    here.world.overwrite(here.world.secret(bad), {"keyset.json": "AAAA"})
    result = here.backup()
    assert result.exit_code == 1
    assert bad in result.stderr
    assert bad not in [key.name for key in here.written.keys]
    assert len(here.written.keys) == 3


def test_what_is_missing_comes_back_and_what_is_there_stays(here: Cluster) -> None:
    here.backup()
    (first, second) = here.world.names("keyset-")
    lost = here.world.secret(first)["data"]
    here.world.api.remove("Secret", OPERATOR, first)
    perform(here.store, ensure("data", key_id="dd" * 16))
    perform(here.store, ShredArtefactKey("cc" * 16))
    emptied = here.world.secret(f"artefact-{'cc' * 16}")
    result = here.run("keys", "restore", here.file)
    assert here.world.secret(first)["data"] == lost
    assert here.world.secret(f"artefact-{'cc' * 16}") == emptied, "a shredded key stays shredded"
    assert result.exit_code == 1
    assert f"artefact-{'cc' * 16}" in result.stderr
    assert "1 restored, 2 were there already, 1 differ" in result.stdout
    assert second not in result.stderr


def test_restoring_twice_changes_nothing(here: Cluster) -> None:
    here.backup()
    history = list(here.world.api.history)
    result = here.ok("keys", "restore", here.file)
    assert "0 restored, 4 were there already, 0 differ" in result.stdout
    assert here.world.api.history == history


def test_a_restored_backup_is_known_again(here: Cluster, tmp_path: Path) -> None:
    here.backup()
    here.run("keys", "backup", "forget", here.written.record.id, "--yes")
    assert here.records == []
    here.ok("keys", "restore", here.file)
    assert here.records == [here.written.record]


def test_a_backup_of_another_root_key_is_refused_and_both_are_named(
    here: Cluster, tmp_path: Path
) -> None:
    here.backup()
    new = Cluster(tmp_path)
    for _ in range(1000):
        new.world.random(1)
    asyncio.run(new.store.ensure_root_key())
    result = new.run("keys", "restore", here.file)
    assert result.exit_code == 1
    for cluster in (here, new):
        assert cluster.world.keyring.current in result.stderr
    assert "--add" in result.stderr
    assert new.keys() == {}
    assert new.records == []


def test_a_backup_of_before_a_rotation_needs_the_old_root_key(here: Cluster) -> None:
    here.backup()
    shares = here.folder / "shares"
    here.ok("root-key", "export", "--shares", 2, "--threshold", 2, "--out", shares)
    store, rotation = here.world.process()
    here.world.request()
    asyncio.run(rotation.step())
    asyncio.run(here.world.finish(rotation))
    told = here.run("root-key", "rotate", visible="n\n")
    assert "recorded backup" not in told.stderr, "it is of the root key before"
    here.world.api.remove("Secret", OPERATOR, f"artefact-{KEY_ID}")
    refused = here.run("keys", "restore", here.file)
    assert refused.exit_code == 1
    given = [part for page in sorted(shares.iterdir()) for part in ("--share", page)]
    here.ok("root-key", "restore", "--add", *given)
    here.run("keys", "restore", here.file)
    assert f"artefact-{KEY_ID}" in here.world.names("artefact-")
    assert perform(store, DELIVER).code == "Done"


def test_a_rotation_warns_of_backups_that_need_the_old_root_key(here: Cluster) -> None:
    here.backup()
    told = here.run("root-key", "rotate", visible="n\n")
    assert "1 recorded backup" in told.stderr


@pytest.mark.parametrize("cut", [0, 10, 500, -2])
def test_a_damaged_file_restores_nothing(here: Cluster, cut: int) -> None:
    here.backup()
    here.file.write_bytes(here.file.read_bytes()[:cut])
    (first, _) = here.world.names("keyset-")
    here.world.api.remove("Secret", OPERATOR, first)
    history = list(here.world.api.history)
    result = here.run("keys", "restore", here.file)
    assert result.exit_code == 1
    assert "another copy" in result.stderr
    assert here.world.api.history == history


def test_a_damaged_record_is_shown_and_keeps_nothing_else_from_being_listed(here: Cluster) -> None:
    here.backup()
    record = here.world.api.find("ConfigMap", OPERATOR)[0]
    bad = {**record, "metadata": {**record["metadata"], "name": "leeward-backup-x"}, "data": {}}
    here.world.api.add(bad)
    result = here.ok("keys", "backups")
    assert "leeward-backup-x" in result.stderr
    assert here.written.record.id in result.stdout


def test_a_restore_that_is_refused_half_way_is_finished_by_the_next(
    here: Cluster, tmp_path: Path
) -> None:
    here.backup()
    expected = here.keys()
    for name in expected:
        here.world.api.remove("Secret", OPERATOR, name)
    puts = iter([None, None, refusal(500, "InternalError", "not now")])

    def refuse(method: str, _: Manifest | None, place: Place) -> Answer | None:
        return next(puts, None) if method == "POST" and place.plural == "secrets" else None

    here.world.api.refusals.append(refuse)
    assert here.run("keys", "restore", here.file).exit_code == 1
    assert 0 < len(here.keys()) < len(expected)
    here.ok("keys", "restore", here.file)
    assert here.keys() == expected
    assert here.world.names(ROOT) == [ROOT]
