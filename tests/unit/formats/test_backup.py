"""The file of a backup: read as it was written, and refused where it is not whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.backup import BackedUpKey, BackupDamagedError, BackupRecord, KeyBackup

GOLDEN = Path(__file__).parents[2] / "golden"
WRAPPED = json.loads((GOLDEN / "wrapped.json").read_text())
RECORD = BackupRecord(
    id="12" * 16,
    created_at="2027-03-01T12:00:00Z",
    root_key_ids=["34" * 16],
    vault_ids=["56" * 16],
    file_name="keys.json",
    made_by="ada",
)
BACKUP = KeyBackup(
    record=RECORD,
    keys=[
        BackedUpKey(name="keyset-1", role="keyset", document=json.dumps(WRAPPED["keyset"])),
        BackedUpKey(
            name="artefact-2", role="artefact-key", document=json.dumps(WRAPPED["artefactKey"])
        ),
    ],
)
FILE = BACKUP.to_bytes()


def test_it_is_read_as_it_was_written() -> None:
    assert KeyBackup.from_bytes(FILE) == BACKUP
    assert KeyBackup.from_bytes(FILE).to_bytes() == FILE


def test_backups_of_earlier_releases_stay_readable() -> None:
    assert KeyBackup.from_bytes((GOLDEN / "backup.json").read_bytes()) == BACKUP


def test_the_way_it_is_set_does_not_count() -> None:
    assert KeyBackup.from_bytes(json.dumps(json.loads(FILE)).encode()) == BACKUP


def changed(change: Any) -> bytes:
    document = json.loads(FILE)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("checksum"), "checksum"),
        (lambda d: d.update(checksum=7), "checksum"),
        (lambda d: d["keys"].pop(), "checksum"),
        (lambda d: d["keys"].append(d["keys"][0]), "checksum"),
        (lambda d: d["record"].update(madeBy="bob"), "checksum"),
        (lambda d: d["record"].update(id="x"), "record.id"),
        (lambda d: d["keys"][0].update(name="../etc"), "keys.0.name"),
        (lambda d: d["keys"][0].update(role="root-key"), "keys.0.role"),
        (lambda d: d.update(more=1), "it is wrong"),
        (lambda d: d.update(formatVersion=2), "format version 2"),
        (lambda d: d.clear(), "no format version"),
    ],
)
def test_what_was_changed_is_refused_by_its_place(change: Any, said: str) -> None:
    with pytest.raises(BackupDamagedError, match=said):
        KeyBackup.from_bytes(changed(change))


def test_a_secret_that_is_named_twice_is_refused() -> None:
    twice = BACKUP.model_copy(update={"keys": [BACKUP.keys[0]] * 2})
    with pytest.raises(BackupDamagedError, match="twice"):
        KeyBackup.from_bytes(twice.to_bytes())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"a":1'])
def test_what_is_no_backup_is_refused(data: bytes) -> None:
    with pytest.raises(BackupDamagedError):
        KeyBackup.from_bytes(data)


@given(st.integers(0, len(FILE) - 2), st.binary(max_size=4))
def test_no_cut_or_splice_is_taken_for_whole(cut: int, splice: bytes) -> None:
    spoilt = FILE[:cut] + splice
    try:
        assert KeyBackup.from_bytes(spoilt) == BACKUP
    except BackupDamagedError:
        return
    assert json.loads(spoilt) == json.loads(FILE)


def test_it_knows_whose_keys_are_in_it() -> None:
    assert RECORD.holds("56" * 16)
    assert not RECORD.holds("65" * 16)
