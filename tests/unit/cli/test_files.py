"""seal, open, inspect, keys generate: on files and streams, without a cluster."""

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest

from leeward.cli.datasets import KEY_ID_LINE
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.parts import Part, PartsManifest, parts_folder, parts_key
from leeward.formats.sealed import ArtefactKey, HpkePrivateKey, inspect_file, seal_file
from unit.cli.fake_cluster import leeward

PLAIN = b"patient_id,name\nP1,Ada\n" * 100_000


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    assert leeward("keys", "generate", "--output", str(tmp_path / "alice")).exit_code == 0
    return tmp_path / "alice"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_bytes(PLAIN)
    return path


def sealed_by_command(plain: Path, pair: Path) -> Path:
    result = leeward("seal", str(plain), "--to", f"{pair}.pub.pem")
    assert result.exit_code == 0, result.stderr
    return plain.with_name("visits.csv.lwe1")


def test_private_key_is_for_its_owner_only(pair: Path) -> None:
    assert stat.S_IMODE(Path(f"{pair}.key").stat().st_mode) == 0o600


def test_keys_are_not_replaced(pair: Path) -> None:
    before = Path(f"{pair}.key").read_bytes()
    assert leeward("keys", "generate", "--output", str(pair)).exit_code == 1
    assert Path(f"{pair}.key").read_bytes() == before


def test_what_is_sealed_opens_again(plain: Path, pair: Path, tmp_path: Path) -> None:
    sealed = sealed_by_command(plain, pair)
    plain.unlink()
    result = leeward("open", str(sealed), "--key", f"{pair}.key")
    assert result.exit_code == 0, result.stderr
    assert plain.read_bytes() == PLAIN
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_streams(pair: Path) -> None:
    sealed = leeward("seal", "--to", f"{pair}.pub.pem", stdin=PLAIN)
    assert sealed.exit_code == 0, sealed.stderr
    opened = leeward("open", "--key", f"{pair}.key", stdin=sealed.stdout_bytes)
    assert opened.exit_code == 0, opened.stderr
    assert opened.stdout_bytes == PLAIN


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_stream_ends_non_zero(pair: Path, damage: str) -> None:
    sealed = bytearray(leeward("seal", "--to", f"{pair}.pub.pem", stdin=PLAIN).stdout_bytes)
    if damage == "cut":
        del sealed[-1:]
    else:
        sealed[-1] ^= 1
    result = leeward("open", "--key", f"{pair}.key", stdin=bytes(sealed))
    assert result.exit_code == 1
    assert result.stderr.startswith("leeward: ")


@pytest.mark.parametrize("target", ["opened.csv", "-"])
def test_a_damaged_file_leaves_no_output(
    plain: Path, pair: Path, tmp_path: Path, target: str
) -> None:
    sealed = sealed_by_command(plain, pair)
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    before = set(tmp_path.iterdir())
    where = target if target == "-" else str(tmp_path / target)
    result = leeward("open", str(sealed), "--key", f"{pair}.key", "-o", where)
    assert result.exit_code == 1
    assert set(tmp_path.iterdir()) == before


def test_a_stream_that_breaks_leaves_no_file(pair: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    target = str(tmp_path / "opened")
    assert leeward("open", "-o", target, "--key", f"{pair}.key", stdin=b"x" * 99).exit_code == 1
    assert set(tmp_path.iterdir()) == before


def test_an_existing_file_is_kept_unless_forced(plain: Path, pair: Path) -> None:
    sealed = sealed_by_command(plain, pair)
    before = sealed.read_bytes()
    result = leeward("seal", str(plain), "--to", f"{pair}.pub.pem")
    assert result.exit_code == 1
    assert f"{sealed} exists already" in result.stderr
    assert "--force" in result.stderr
    assert sealed.read_bytes() == before
    assert leeward("seal", str(plain), "--to", f"{pair}.pub.pem", "--force").exit_code == 0
    opened = leeward("open", str(sealed), "--key", f"{pair}.key")
    assert "--force" in opened.stderr
    assert leeward("open", str(sealed), "--key", f"{pair}.key", "--force").exit_code == 0


def test_what_is_read_is_never_written_over(plain: Path, pair: Path) -> None:
    sealed = sealed_by_command(plain, pair)
    for command in (
        ("seal", str(plain), "--to", f"{pair}.pub.pem", "-o", str(plain)),
        ("open", str(sealed), "--key", f"{pair}.key", "-o", str(sealed)),
    ):
        read = Path(command[1])
        before = read.read_bytes()
        result = leeward(*command, "--force")
        assert result.exit_code == 1
        assert f"{read} is the file that is read" in result.stderr
        assert read.read_bytes() == before


def test_the_key_id_before_the_pem_block_is_written_into_the_file(
    plain: Path, tmp_path: Path
) -> None:
    key_id = bytes(range(16))
    pem = HpkePrivateKey.generate(lambda n: b"k" * n).public_key.to_pem()
    named = tmp_path / "dataset.pem"
    named.write_bytes(f"{KEY_ID_LINE}{key_id.hex()}\n".encode() + pem)
    sealed = tmp_path / "sealed"
    assert leeward("seal", str(plain), "--to", str(named), "-o", str(sealed)).exit_code == 0
    assert [r.key_id for r in inspect_file(sealed).recipients] == [key_id]


def test_a_keyset_seals_and_opens(plain: Path, tmp_path: Path) -> None:
    key = PodKey.model_validate(
        {
            "id": "ab" * 16,
            "role": "output",
            "algorithm": "AES256_GCM",
            "version": 1,
            "material": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        }
    )
    keyset = tmp_path / "keyset.json"
    keyset.write_bytes(PodKeyset(keys=[key]).canonical())
    sealed = leeward("seal", str(plain), "-o", "-", "--key", str(keyset)).stdout_bytes
    assert leeward("open", "--key", str(keyset), stdin=sealed).stdout_bytes == PLAIN


def parted(tmp_path: Path, pair: Path) -> Path:
    """What a masking job of two pods writes, sealed to the pair."""
    path = tmp_path / "masked.csv.lwe1"
    folder = Path(parts_folder(path))
    folder.mkdir()
    parts = []
    for number in range(2):
        plain = tmp_path / f"{number}.csv"
        plain.write_bytes(PLAIN + b"P%d,Bob\n" % number)
        info = seal_file(plain, folder / f"{number}.lwe1", [parts_key(b"k" * 32)], with_digest=True)
        plain.unlink()
        digest = f"sha256:{(info.digest or b'').hex()}"
        size = (folder / f"{number}.lwe1").stat().st_size
        parts.append(
            Part(
                name=f"{number}.lwe1",
                file_id=info.file_id.hex(),
                digest=digest,
                bytes=size,
                rows=100_001,
            )
        )
    content = PartsManifest.of("CSV", b"k" * 32, parts).content()
    sealed = leeward("seal", "--to", f"{pair}.pub.pem", stdin=content)
    path.write_bytes(sealed.stdout_bytes)
    return path


def test_a_file_of_parts_opens_as_a_folder(pair: Path, tmp_path: Path) -> None:
    path = parted(tmp_path, pair)
    result = leeward("open", str(path), "--key", f"{pair}.key")
    assert result.exit_code == 0, result.stderr
    assert "2 files" in result.stderr
    opened = sorted((tmp_path / "masked.csv").iterdir())
    assert [part.name for part in opened] == ["part-00000.csv", "part-00001.csv"]
    assert opened[1].read_bytes() == PLAIN + b"P1,Bob\n"
    again = leeward("open", str(path), "--key", f"{pair}.key")
    assert again.exit_code == 1
    assert "is a folder" in again.stderr


def test_a_file_of_parts_is_not_opened_as_a_stream(pair: Path, tmp_path: Path) -> None:
    path = parted(tmp_path, pair)
    for args, stdin in ((("open",), path.read_bytes()), (("open", str(path), "-o", "-"), b"")):
        result = leeward(*args, "--key", f"{pair}.key", stdin=stdin)
        assert result.exit_code != 0
        assert result.stdout_bytes == b""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("seal", ".", "--to", "alice.pub.pem"), "is a folder"),
        (("seal", "visits.csv", "--to", "alice.pub.pem", "-o", "."), "is a folder"),
        (("seal", "visits.csv", "--to", "alice.pub.pem", "-o", "no/where"), "there is no folder"),
        (("keys", "generate", "--output", "no/where"), "there is no folder"),
        (("keys", "generate", "--output", "."), "is no name"),
        (("keys", "generate", "--output", "-"), "is no name"),
        (("seal", "visits.csv", "--key", "alice.key"), "--to"),
        (("open", "visits.csv", "-o", "x", "--key", "alice.pub.pem"), "holds a public key"),
    ],
)
def test_files_that_do_not_fit_are_named(
    plain: Path, pair: Path, args: tuple[str, ...], words: str
) -> None:
    with contextlib.chdir(pair.parent):
        result = leeward(*args)
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("leeward: ")
    assert words in result.stderr


def test_one_recipient_is_counted_as_one(plain: Path, pair: Path) -> None:
    said = leeward("seal", str(plain), "--to", f"{pair}.pub.pem").stderr
    assert ", 1 recipient, " in said


def test_a_private_key_is_not_a_recipient(plain: Path, pair: Path) -> None:
    result = leeward("seal", str(plain), "--to", f"{pair}.key")
    assert result.exit_code == 1
    assert "holds a private key" in result.stderr


def test_sealing_for_nobody_is_a_usage_error(plain: Path) -> None:
    result = leeward("seal", str(plain))
    assert result.exit_code == 2
    assert "dataset.pem" in result.stderr


def test_a_wrong_key_is_named_by_its_id_only(plain: Path, pair: Path, tmp_path: Path) -> None:
    sealed = sealed_by_command(plain, pair)
    assert leeward("keys", "generate", "--output", str(tmp_path / "bob")).exit_code == 0
    result = leeward("open", str(sealed), "-o", "-", "--key", str(tmp_path / "bob.key"))
    assert result.exit_code == 1
    assert inspect_file(sealed).recipients[0].key_id.hex() in result.stderr


def test_inspect_tells_ids_and_size(plain: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "a.lwe1"
    info = seal_file(plain, sealed, [ArtefactKey(b"i" * 16, b"k" * 32)], with_digest=True)
    found = json.loads(leeward("inspect", str(sealed), "--digest", "-o", "json").stdout)
    assert info.digest is not None
    assert found["fileId"] == info.file_id.hex()
    assert found["plaintextBytes"] == len(PLAIN)
    assert found["recipients"] == [f"artefact {(b'i' * 16).hex()}"]
    assert found["digest"] == f"sha256:{info.digest.hex()}"


def test_inspect_says_when_a_file_is_no_sealed_one(plain: Path) -> None:
    result = leeward("inspect", str(plain))
    assert result.exit_code == 1
    assert "visits.csv" in result.stderr


def test_inspect_goes_on_after_a_file_that_is_no_sealed_one(plain: Path, pair: Path) -> None:
    sealed = sealed_by_command(plain, pair)
    pipe = plain.with_name("pipe")
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    files = [str(path) for path in (sealed, plain, pipe, plain.with_name("nothing"), sealed)]
    try:
        result = leeward("inspect", *files)
        listed = leeward("inspect", *files, "-o", "json")
    finally:
        os.close(held)
    assert result.exit_code == listed.exit_code == 1
    file_id = inspect_file(sealed).file_id.hex()
    assert result.stdout.count(file_id) == 2
    assert [each["fileId"] for each in json.loads(listed.stdout)] == [file_id] * 2
    assert f"{plain}: this is not a sealed file" in result.stderr
    assert f"{pipe} is a pipe or a device" in result.stderr
    assert "nothing: No such file" in result.stderr
    assert "3 of 5 files could not be looked at" in result.stderr


def test_names_of_files_are_shown_and_not_obeyed(plain: Path, pair: Path) -> None:
    strange = plain.rename(plain.with_name("a\x1b[31m\nb\x9b.csv"))
    sealed = strange.with_name(strange.name + ".lwe1")
    key = ("--key", f"{pair}.key")
    said = [
        leeward("seal", str(strange), "--to", f"{pair}.pub.pem"),
        leeward("inspect", str(sealed)),
        leeward("rewrap", str(sealed), *key, "--to", f"{pair}.pub.pem"),
        leeward("open", str(sealed), *key, "--force"),
    ]
    assert [each.exit_code for each in said] == [0] * 4
    said.append(leeward("inspect", str(strange)))
    assert said[-1].exit_code == 1
    for each in said:
        assert "\\x1b[31m" in each.output
        assert "\x1b" not in each.output
        assert "\x9b" not in each.output
        assert "\nb" not in each.output


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    result = leeward("inspect", str(tmp_path / "nothing"))
    assert result.exit_code == 1
    said, remedy = result.stderr.splitlines()
    assert said == f"leeward: {tmp_path / 'nothing'}: No such file or directory"
    assert "check the name" in remedy
