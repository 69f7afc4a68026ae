"""rewrap: other keys for many files on this machine."""

import os
from pathlib import Path

import pytest

from leeward.formats.sealed import digest_file, inspect_file
from unit.cli.fake_cluster import leeward

PLAIN = b"patient_id,name\nP1,Ada\n" * 1000


BOTH = pytest.mark.parametrize("options", [(), ("--reencrypt",)], ids=["header", "all"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of Alice and of Bob, and five files that are sealed to Alice."""
    for name in ("alice", "bob"):
        assert leeward("keys", "generate", "--output", str(tmp_path / name)).exit_code == 0
    for number in range(5):
        plain = tmp_path / f"part{number}.csv"
        plain.write_bytes(PLAIN)
        assert leeward("seal", str(plain), "--to", f"{tmp_path}/alice.pub.pem").exit_code == 0
        plain.unlink()
    return tmp_path


def rewrap(folder: Path, *options: str) -> tuple[int, str]:
    files = [str(path) for path in sorted(folder.glob("*.lwe1"))]
    result = leeward(
        "rewrap", *files, "--key", f"{folder}/alice.key", "--to", f"{folder}/bob.pub.pem", *options
    )
    return result.exit_code, result.stderr


def opened(path: Path, key: Path) -> bytes | None:
    result = leeward("open", str(path), "--key", str(key), "-o", "-")
    return result.stdout_bytes if result.exit_code == 0 else None


@BOTH
def test_files_open_with_the_new_key_alone(folder: Path, options: tuple[str, ...]) -> None:
    paths = sorted(folder.glob("*.lwe1"))
    before = {path: (inspect_file(path), digest_file(path)) for path in paths}
    code, said = rewrap(folder, *options)
    assert code == 0, said
    assert "5 files" in said
    for path in paths:
        assert opened(path, folder / "bob.key") == PLAIN
        assert opened(path, folder / "alice.key") is None
        info, digest = before[path]
        assert inspect_file(path).file_id == info.file_id
        assert (digest_file(path) == digest) is (not options)
    assert not [name for name in os.listdir(folder) if name.endswith(".part")]


@BOTH
def test_what_fails_is_named_and_a_second_run_does_what_is_left(
    folder: Path, options: tuple[str, ...]
) -> None:
    broken, missing = folder / "part3.csv.lwe1", folder / "part9.csv.lwe1"
    whole = broken.read_bytes()
    broken.write_bytes(b"id,name\n1,Ada\n")
    code, said = rewrap(folder, str(missing), *options)
    assert code == 1
    assert str(broken) in said
    assert str(missing) in said
    assert "Ada" not in said
    assert "2 of 6 files" in said
    broken.write_bytes(whole)
    code, said = rewrap(folder, "--key", f"{folder}/bob.key", *options)
    assert code == 0, said
    assert said.count("was done before") == 4
    assert "1 file, to 1 key; 4 files done before" in said
    assert all(opened(path, folder / "bob.key") == PLAIN for path in folder.glob("*.lwe1"))


@BOTH
def test_what_no_key_opens_is_never_taken_for_done(folder: Path, options: tuple[str, ...]) -> None:
    """The header says that it is sealed to Alice alone, and Bob cannot know."""
    sealed = folder / "part0.csv.lwe1"
    before = sealed.read_bytes()
    result = leeward(
        *("rewrap", str(sealed), "--key", f"{folder}/bob.key"),
        *("--to", f"{folder}/alice.pub.pem", *options),
    )
    assert result.exit_code == 1
    assert "none of the keys that were given opens this file" in result.stderr
    assert "was done before: name the private key" in result.stderr
    assert "1 of 1 file stayed" in result.stderr
    assert sealed.read_bytes() == before


@BOTH
def test_a_damaged_entry_of_the_new_recipient_is_an_error(
    folder: Path, options: tuple[str, ...]
) -> None:
    sealed = folder / "part0.csv.lwe1"
    data = bytearray(sealed.read_bytes())
    for slot in (0, 8192):
        data[slot + 40 + 20 + 5] ^= 1
    sealed.write_bytes(data)
    for keys in (("bob",), ("bob", "alice")):
        named = [part for name in keys for part in ("--key", f"{folder}/{name}.key")]
        result = leeward(
            *("rewrap", str(sealed), *named, "--to", f"{folder}/alice.pub.pem", *options)
        )
        assert result.exit_code == 1
        assert f"{sealed}: " in result.stderr
        assert sealed.read_bytes() == bytes(data)


def test_what_was_only_rewrapped_is_still_encrypted_anew(folder: Path) -> None:
    """Alice may have kept the data key."""
    bob = ("--key", f"{folder}/bob.key")
    assert rewrap(folder)[0] == 0
    before = {path: digest_file(path) for path in folder.glob("*.lwe1")}
    code, said = rewrap(folder, *bob, "--reencrypt")
    assert code == 0, said
    assert "encrypted anew: 5 files, to 1 key\n" in said
    after = {path: digest_file(path) for path in before}
    assert all(after[path] != before[path] for path in before)
    code, said = rewrap(folder, *bob, "--reencrypt")
    assert code == 0, said
    assert "encrypted anew: 0 files, to 1 key; 5 files done before" in said
    assert after == {path: digest_file(path) for path in before}


def test_the_data_key_alone_is_replaced_each_time_it_is_asked_for(folder: Path) -> None:
    sealed = folder / "part0.csv.lwe1"
    before = digest_file(sealed)
    result = leeward(
        *("rewrap", str(sealed), "--key", f"{folder}/alice.key"),
        *("--to", f"{folder}/alice.pub.pem", "--reencrypt"),
    )
    assert "encrypted anew: 1 file, to 1 key\n" in result.stderr
    assert digest_file(sealed) != before
    assert opened(sealed, folder / "alice.key") == PLAIN


def test_a_symmetric_key_to_seal_with_proves_what_was_done_before(folder: Path) -> None:
    sealed, keyset = folder / "part0.csv.lwe1", folder / "shared.keyset.json"
    made = leeward("keys", "generate", "--algorithm", "AES256_GCM", "-o", f"{folder}/shared")
    assert made.exit_code == 0, made.stderr
    command = ("rewrap", str(sealed), "--key", f"{folder}/alice.key", "--to-key", str(keyset))
    assert "rewrapped: 1 file, to 1 key\n" in leeward(*command).stderr
    after = sealed.read_bytes()
    again = leeward(*command)
    assert again.exit_code == 0, again.stderr
    assert "rewrapped: 0 files, to 1 key; 1 file done before" in again.stderr
    assert sealed.read_bytes() == after


@BOTH
def test_a_file_that_is_named_twice_is_done_once(folder: Path, options: tuple[str, ...]) -> None:
    link = folder / "link.lwe1"
    link.symlink_to("part0.csv.lwe1")
    code, said = rewrap(
        folder,
        str(folder / "part0.csv.lwe1"),
        f"{folder}/../{folder.name}/part1.csv.lwe1",
        *options,
    )
    assert code == 0, said
    assert "5 files, to 1 key\n" in said
    assert link.is_symlink()
    assert opened(folder / "part0.csv.lwe1", folder / "bob.key") == PLAIN


def test_a_hard_link_that_keeps_the_old_data_key_is_told(folder: Path) -> None:
    sealed, link = folder / "part0.csv.lwe1", folder / "kept"
    link.hardlink_to(sealed)
    inode = link.stat().st_ino
    code, said = rewrap(folder, "--reencrypt")
    assert code == 0, said
    assert said.count("warning") == 1
    assert f"{sealed}: warning: the old file, with the old data key, stays under 1 other" in said
    assert f"find -inum {inode}," in said
    assert opened(link, folder / "alice.key") == PLAIN


def test_hard_links_are_one_file_to_a_rewrap_of_the_header(folder: Path) -> None:
    (folder / "same.lwe1").hardlink_to(folder / "part0.csv.lwe1")
    code, said = rewrap(folder)
    assert code == 0, said
    assert "rewrapped: 5 files, to 1 key\n" in said
    assert "warning" not in said


def test_a_pipe_is_refused(folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    try:
        code, said = rewrap(folder, str(pipe))
    finally:
        os.close(held)
    assert code == 1
    assert f"{pipe} is a pipe or a device, not a file" in said
    assert "rewrapped: 5 files" in said


def test_keys_must_be_named(folder: Path) -> None:
    sealed = str(next(folder.glob("*.lwe1")))
    nobody = leeward("rewrap", sealed, "--key", f"{folder}/alice.key")
    assert nobody.exit_code == 2
    assert "--to" in nobody.stderr
    no_key = leeward("rewrap", sealed, "--to", f"{folder}/bob.pub.pem")
    assert no_key.exit_code == 2
    assert "--key" in no_key.stderr


def test_a_key_that_does_not_open_is_refused(folder: Path) -> None:
    sealed = next(folder.glob("*.lwe1"))
    before = sealed.read_bytes()
    result = leeward(
        *("rewrap", str(sealed), "--key", f"{folder}/bob.key"),
        *("--to", f"{folder}/bob.pub.pem"),
    )
    assert result.exit_code == 1
    assert sealed.name in result.stderr
    assert sealed.read_bytes() == before
