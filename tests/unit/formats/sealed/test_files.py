"""Files by path: complete under their name, or not there at all."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from golden.lwe1.cases import ALICE, BOB, fixed_random, stretch
from leeward.formats.sealed import (
    HeaderTampered,
    NoKeyForFile,
    NotSealed,
    RewrapInProgress,
    SealedError,
    TargetExists,
    digest_file,
    inspect_file,
    open_file,
    open_reader,
    rewrap_file,
    seal_file,
    unlock_file,
)

PLAIN = stretch("file", (1 << 20) + 5000)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.csv"
    path.write_bytes(PLAIN)
    return path


@pytest.fixture
def sealed(plain: Path) -> Path:
    path = plain.with_name("sealed.lwe")
    seal_file(plain, path, [ALICE])
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_there_and_back(plain: Path, sealed: Path) -> None:
    info = inspect_file(sealed)
    assert info.plaintext_size == len(PLAIN)
    target = plain.with_name("again.csv")
    assert open_file(sealed, target, [ALICE]).file_id == info.file_id
    assert target.read_bytes() == PLAIN
    assert names(plain.parent) == ["again.csv", "plain.csv", "sealed.lwe"]


def test_sealing_reports_the_digest_of_the_file(plain: Path) -> None:
    target = plain.with_name("sealed.lwe")
    assert seal_file(plain, target, [ALICE], with_digest=True).digest == digest_file(target)


def test_large_enough_for_write_behind(tmp_path: Path) -> None:
    plain, sealed, again = (tmp_path / name for name in ("plain", "sealed", "again"))
    content = stretch("block", 1 << 20) * 9
    plain.write_bytes(content)
    seal_file(plain, sealed, [ALICE])
    open_file(sealed, again, [ALICE])
    assert again.read_bytes() == content


def test_a_source_that_holds_less_than_its_size_says(tmp_path: Path) -> None:
    """As files of the kernel do: the room that was made for it is given back."""
    source, sealed, again = Path("/sys/devices/system/cpu/online"), tmp_path / "s", tmp_path / "a"
    content = source.read_bytes()
    assert len(content) < source.stat().st_size
    assert seal_file(source, sealed, [ALICE]).plaintext_size == len(content)
    assert sealed.stat().st_size == 16512 + len(content) + 16
    open_file(sealed, again, [ALICE])
    assert again.read_bytes() == content


def test_a_pipe_is_sealed(tmp_path: Path) -> None:
    pipe, sealed = tmp_path / "pipe", tmp_path / "sealed"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=(PLAIN,))
    writing.start()
    assert seal_file(pipe, sealed, [ALICE]).plaintext_size == len(PLAIN)
    writing.join()


def test_opened_file_is_readable_by_its_owner_only(sealed: Path) -> None:
    target = sealed.with_name("again.csv")
    open_file(sealed, target, [ALICE])
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def flip(data: bytearray) -> None:
    data[-1] ^= 1


def cut(data: bytearray) -> None:
    del data[-100:]


def cut_a_chunk(data: bytearray) -> None:
    del data[16512 + (1 << 20) + 16 :]


def append(data: bytearray) -> None:
    data += b"more"


def damage_header(data: bytearray) -> None:
    data[16384 + 40] ^= 1


@pytest.mark.parametrize("damage", [flip, cut, cut_a_chunk, append, damage_header])
def test_no_output_appears_where_opening_fails(
    sealed: Path, damage: Callable[[bytearray], None]
) -> None:
    data = bytearray(sealed.read_bytes())
    damage(data)
    sealed.write_bytes(bytes(data))
    before = names(sealed.parent)
    with pytest.raises(SealedError):
        open_file(sealed, sealed.with_name("again.csv"), [ALICE])
    assert names(sealed.parent) == before


def test_no_output_appears_without_a_key_or_for_another_format(plain: Path, sealed: Path) -> None:
    before = names(plain.parent)
    with pytest.raises(NoKeyForFile):
        open_file(sealed, plain.with_name("again.csv"), [BOB])
    with pytest.raises(NotSealed):
        open_file(plain, plain.with_name("again.csv"), [ALICE])
    assert names(plain.parent) == before


def test_no_output_appears_where_sealing_fails(plain: Path) -> None:
    with pytest.raises(SealedError):
        seal_file(plain, plain.with_name("sealed.lwe"), [])
    with pytest.raises(FileNotFoundError):
        seal_file(plain.with_name("missing"), plain.with_name("sealed.lwe"), [ALICE])
    assert names(plain.parent) == ["plain.csv"]


def test_taken_name_is_kept_unless_overwriting_is_asked_for(plain: Path, sealed: Path) -> None:
    before = sealed.read_bytes()
    with pytest.raises(TargetExists, match="another name"):
        seal_file(plain, sealed, [BOB])
    assert sealed.read_bytes() == before
    seal_file(plain, sealed, [BOB], overwrite=True)
    with open_reader(sealed, [BOB]) as reader:
        assert reader.read() == PLAIN


def test_name_taken_meanwhile_is_kept(plain: Path) -> None:
    target = plain.with_name("sealed.lwe")
    random = fixed_random("race")

    def racing(size: int) -> bytes:
        if size == 32:
            target.write_bytes(b"of somebody else")
        return random(size)

    with pytest.raises(TargetExists):
        seal_file(plain, target, [ALICE], random=racing)
    assert target.read_bytes() == b"of somebody else"
    assert names(plain.parent) == ["plain.csv", "sealed.lwe"]


def test_rewrap_changes_recipients_in_place(sealed: Path) -> None:
    inode = sealed.stat().st_ino
    assert rewrap_file(sealed, [ALICE], [BOB]).generation == 2
    assert sealed.stat().st_ino == inode
    with open_reader(sealed, [BOB]) as reader:
        assert reader.read_at(5, 100) == PLAIN[5:105]


def test_second_rewrap_at_once_is_refused(sealed: Path) -> None:
    before = sealed.read_bytes()
    with sealed.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(RewrapInProgress, match="try again"):
            rewrap_file(sealed, [ALICE], [BOB])
    assert sealed.read_bytes() == before


def test_reader_that_cannot_open_closes_the_file(sealed: Path) -> None:
    with pytest.raises(NoKeyForFile):
        open_reader(sealed, [BOB])


def test_volume_that_changes_what_was_written_is_noticed(plain: Path) -> None:
    """The written file is read back: here its temporary name is spoilt before the check."""
    target = plain.with_name("sealed.lwe")
    random = fixed_random("volume")

    def spoiling(size: int) -> bytes:
        if size == 12:
            # The nonce of the recipient is drawn before the front is written; making the
            # temporary file longer here is what a second writer on it would do.
            temporary = next(plain.parent.glob(".sealed.lwe.*.part"))
            temporary.write_bytes(bytes(3 << 20))
        return random(size)

    with pytest.raises(SealedError, match="reads back differently"):
        seal_file(plain, target, [ALICE], random=spoiling)
    assert names(plain.parent) == ["plain.csv"]


def test_headers_are_proven_with_a_key_and_without_the_contents(sealed: Path) -> None:
    size = sealed.stat().st_size
    with sealed.open("r+b") as file:
        file.truncate(16512)
        file.truncate(size)
    info = unlock_file(sealed, [BOB, ALICE])
    assert info.plaintext_size == len(PLAIN)
    assert info.unverified == ("the contents: no chunk was read",)
    with pytest.raises(NoKeyForFile):
        unlock_file(sealed, [BOB])
    with sealed.open("r+b") as file:
        file.seek(16384 + 127)
        file.write(bytes((sealed.read_bytes()[16384 + 127] ^ 1,)))
    with pytest.raises(HeaderTampered):
        unlock_file(sealed, [ALICE])
