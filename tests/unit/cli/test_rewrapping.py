"""rewrap: other keys for many files on this machine."""

import os
from pathlib import Path

import pytest

from leeward.formats.sealed import digest_file, inspect_file
from unit.cli.fake_cluster import leeward

PLAIN = b"patient_id,name\nP1,Ada\n" * 1000


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


@pytest.mark.parametrize("options", [(), ("--reencrypt",)], ids=["header", "all"])
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


@pytest.mark.parametrize("options", [(), ("--reencrypt",)], ids=["header", "all"])
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
    code, said = rewrap(folder, *options)
    assert code == 0, said
    assert said.count("was done before") == 4
    assert all(opened(path, folder / "bob.key") == PLAIN for path in folder.glob("*.lwe1"))


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
