"""Encrypting anew: another data key, the same source, and nothing lost on the way."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from leeward.formats.sealed import (
    ArtefactKey,
    ChunkTampered,
    DigestMismatch,
    KeyCommitmentMismatch,
    NoKeyForFile,
    RecipientsInvalid,
    RecipientsTampered,
    core_digest,
    digest_file,
    inspect,
    inspect_file,
    open_reader,
    reencrypt,
    reencrypt_file,
    rewrap,
)
from unit.formats.sealed.samples import (
    ALICE,
    BOB,
    CHUNK,
    CHUNKS,
    HEADER,
    PLAIN,
    open_bytes,
    seal_bytes,
)

CAROL = ArtefactKey(b"carol 16 bytes..", b"C" * 32)


def reencrypted(data: bytes) -> bytes:
    target = io.BytesIO()
    reencrypt(io.BytesIO(data), target, [ALICE], [BOB])
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_the_source_stays_and_everything_else_is_another(size: int) -> None:
    before = seal_bytes(PLAIN[:size])
    target = io.BytesIO()
    writer, digest = reencrypt(io.BytesIO(before), target, [ALICE], [BOB])
    after = target.getvalue()
    assert open_bytes(after, [BOB]) == PLAIN[:size]
    old, new = inspect(io.BytesIO(before)), inspect(io.BytesIO(after))
    assert (new.file_id, new.manifest_id, new.chunk_size) == (
        old.file_id,
        old.manifest_id,
        old.chunk_size,
    )
    assert digest == core_digest(io.BytesIO(before))
    assert writer.digest == core_digest(io.BytesIO(after))
    assert after[HEADER + 64 : HEADER + 96] != before[HEADER + 64 : HEADER + 96]
    assert after[CHUNKS:] != before[CHUNKS:]
    with pytest.raises(NoKeyForFile):
        open_bytes(after, [ALICE])


def test_recipients_of_the_former_file_do_not_open_the_new_one() -> None:
    """The ids are the same, so the former header can be put in front: it gives the former key."""
    before = seal_bytes()
    after = reencrypted(before)
    with pytest.raises((KeyCommitmentMismatch, RecipientsTampered)):
        open_bytes(before[:HEADER] + after[HEADER:], [ALICE])


def test_recipients_of_others_stay_without_their_keys() -> None:
    file = io.BytesIO(seal_bytes(recipients=(ALICE, CAROL)))
    core = file.getvalue()[HEADER:]
    rewrap(file, [ALICE], [BOB], drop=[])
    assert [r.key_id for r in inspect(file).recipients] == [
        BOB.key_id,
        ALICE.key_id,
        CAROL.key_id,
    ]
    rewrap(file, [BOB], [], drop=[ALICE.key_id])
    assert open_bytes(file.getvalue(), [CAROL]) == open_bytes(file.getvalue(), [BOB]) == PLAIN
    with pytest.raises(NoKeyForFile):
        open_bytes(file.getvalue(), [ALICE])
    assert file.getvalue()[HEADER:] == core


def test_the_last_recipient_is_not_taken_away() -> None:
    file = io.BytesIO(seal_bytes())
    before = file.getvalue()
    with pytest.raises(RecipientsInvalid):
        rewrap(file, [ALICE], [], drop=[ALICE.key_id])
    assert file.getvalue() == before


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "words.lwe1"
    path.write_bytes(seal_bytes())
    path.chmod(0o640)
    return path


def test_a_file_takes_the_place_of_the_other_in_one_step(sealed: Path) -> None:
    before = inspect_file(sealed)
    with open_reader(sealed, [ALICE]) as reading:
        reencrypt_file(sealed, [ALICE], [BOB], expected_digest=digest_file(sealed))
        assert reading.read() == PLAIN  # who has the former one open goes on
    with open_reader(sealed, [BOB]) as reader:
        assert reader.read() == PLAIN
    assert inspect_file(sealed).file_id == before.file_id
    assert sealed.stat().st_mode & 0o777 == 0o640
    assert os.listdir(sealed.parent) == [sealed.name]


def full(done: int) -> None:
    if done > CHUNK:
        raise OSError(28, "No space left on device")


def test_whatever_fails_leaves_the_former_file_and_nothing_else(sealed: Path) -> None:
    before = sealed.read_bytes()
    with pytest.raises(DigestMismatch):
        reencrypt_file(sealed, [ALICE], [BOB], expected_digest=b"d" * 32)
    with pytest.raises(NoKeyForFile):
        reencrypt_file(sealed, [BOB], [BOB])
    with pytest.raises(OSError, match="No space"):
        reencrypt_file(sealed, [ALICE], [BOB], told=full)
    assert sealed.read_bytes() == before
    damaged = bytearray(before)
    damaged[-1] ^= 1
    sealed.write_bytes(damaged)
    with pytest.raises(ChunkTampered):
        reencrypt_file(sealed, [ALICE], [BOB])
    assert sealed.read_bytes() == damaged
    assert os.listdir(sealed.parent) == [sealed.name]


def test_a_rewrap_reads_no_chunk() -> None:
    """Ten thousand files are rewrapped by their headers alone."""
    data = seal_bytes()

    class Counted(io.BytesIO):
        furthest = 0

        def readinto(self, buffer: object, /) -> int:
            count = super().readinto(buffer)  # type: ignore[arg-type]
            self.furthest = max(self.furthest, self.tell())
            return count

    file = Counted(data)
    rewrap(file, [ALICE], [BOB])
    assert file.furthest == CHUNKS
