"""seal and open with keys of every kind, and with files that were mixed up."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from golden.rsa.keys import rsa_key
from leeward.formats.sealed import (
    inspect_file,
    open_file,
    recipient_of,
    seal_file,
    unwrapper_of,
)
from unit.cli.fake_cluster import NOW, leeward
from unit.keystore.certificate_world import VaultAuthority

PLAIN = b"patient_id,name\nP1,Ada\n" * 10_000
PAIRS = (
    "HPKE_X25519",
    "HPKE_P256",
    "HPKE_MLKEM768_X25519",
    "RSA3072_OAEP",
    "RSA4096_OAEP",
)


def generate(folder: Path, algorithm: str, name: str) -> None:
    result = leeward("keys", "generate", "--algorithm", algorithm, "-o", str(folder / name))
    assert result.exit_code == 0, result.stderr


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One pair per algorithm, and other files that look alike."""
    folder = tmp_path_factory.mktemp("keys")
    for algorithm in PAIRS:
        generate(folder, algorithm, algorithm)
    generate(folder, "ED25519", "ed25519")
    generate(folder, "AES256_GCM", "symmetric")
    private = serialization.load_pem_private_key((folder / "HPKE_P256.key").read_bytes(), None)
    (folder / "encrypted.key").write_bytes(
        pem(private, serialization.BestAvailableEncryption(b"correct horse"))
    )
    (folder / "rsa2048.pem").write_bytes(public_pem(rsa_key("2048")))
    ed25519 = serialization.load_pem_private_key((folder / "ed25519.key").read_bytes(), None)
    (folder / "bare-ed25519.pem").write_bytes(public_pem(ed25519))
    (folder / "bare-ed25519.key").write_bytes(pem(ed25519, serialization.NoEncryption()))
    authority = x509.load_pem_x509_certificate(VaultAuthority(now=NOW).pem.encode())
    (folder / "certificate.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "visits.csv").write_bytes(PLAIN)
    return folder


def pem(key: Any, encryption: serialization.KeySerializationEncryption) -> bytes:
    data: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    return data


def public_pem(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data


def sealed_to(keys: Path, *names: str) -> bytes:
    to = [word for name in names for word in ("--to", str(keys / f"{name}.pub.pem"))]
    result = leeward("seal", *to, stdin=PLAIN)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


@pytest.mark.parametrize("algorithm", PAIRS)
def test_each_pair_seals_and_opens(keys: Path, algorithm: str) -> None:
    sealed = sealed_to(keys, algorithm)
    opened = leeward("open", "--key", str(keys / f"{algorithm}.key"), stdin=sealed)
    assert opened.exit_code == 0, opened.stderr
    assert opened.stdout_bytes == PLAIN


@pytest.mark.parametrize("algorithm", ["AES256_GCM", "CHACHA20_POLY1305", "FERNET"])
def test_a_symmetric_key_seals_and_opens(tmp_path: Path, algorithm: str) -> None:
    generate(tmp_path, algorithm, "shared")
    key = ("--key", str(tmp_path / "shared.keyset.json"))
    sealed = leeward("seal", *key, stdin=PLAIN)
    assert sealed.exit_code == 0, sealed.stderr
    assert leeward("open", *key, stdin=sealed.stdout_bytes).stdout_bytes == PLAIN


def test_each_of_several_recipients_opens(keys: Path) -> None:
    sealed = sealed_to(keys, *PAIRS)
    for algorithm in PAIRS:
        opened = leeward("open", "--key", str(keys / f"{algorithm}.key"), stdin=sealed)
        assert opened.stdout_bytes == PLAIN


def test_a_public_and_a_symmetric_key_together(keys: Path, tmp_path: Path) -> None:
    sealed, keyset = tmp_path / "sealed", str(keys / "symmetric.keyset.json")
    result = leeward(
        "seal", str(keys / "visits.csv"), "--to", str(keys / "HPKE_P256.pub.pem"),
        "--key", keyset, "-o", str(sealed),
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "2 recipients" in result.stderr
    assert [r.kind for r in inspect_file(sealed).recipients] == ["hpke-p256", "artefact"]
    for key in (keyset, str(keys / "HPKE_P256.key")):
        assert leeward("open", str(sealed), "-o", "-", "--key", key).stdout_bytes == PLAIN


def test_an_encrypted_key_opens_with_its_passphrase(keys: Path, tmp_path: Path) -> None:
    sealed = sealed_to(keys, "HPKE_P256")
    said = tmp_path / "passphrase"
    said.write_text("correct horse\n")
    key = str(keys / "encrypted.key")
    opened = leeward("open", "--key", key, "--passphrase-file", str(said), stdin=sealed)
    assert opened.stdout_bytes == PLAIN
    assert leeward("open", "--key", key, stdin=sealed, answers=["correct horse"]).exit_code == 0
    assert leeward("open", "--key", key, stdin=sealed, answers=["wrong"]).exit_code == 1
    assert "--passphrase-fd" in leeward("open", "--key", key, stdin=sealed).stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("seal visits.csv -o x --to rsa2048.pem", "2048 bits"),
        ("seal visits.csv -o x --to ed25519.pub.pem", "made for signing"),
        ("seal visits.csv -o x --to bare-ed25519.pem", "for signing"),
        ("seal visits.csv -o x --to HPKE_P256.key", "keep this file secret"),
        ("seal visits.csv -o x --to encrypted.key", "keep this file secret"),
        ("seal visits.csv -o x --to certificate.pem", "openssl x509"),
        ("seal visits.csv -o x --to symmetric.keyset.json", "--key"),
        ("seal visits.csv -o x --to visits.csv", "no public key"),
        ("seal visits.csv -o x --to HPKE_P256.pub.pem --to HPKE_P256.pub.pem", "the same key"),
        (
            "seal visits.csv -o x --key symmetric.keyset.json --key symmetric.keyset.json",
            "name each key once",
        ),
        ("seal visits.csv -o visits.csv --to HPKE_P256.pub.pem", "is the file that is read"),
        ("open visits.csv -o x --key bare-ed25519.key", "for signing"),
        ("open visits.csv -o x --key ed25519.key", "made for signing"),
        ("open visits.csv -o x --key certificate.pem", "no private key"),
        ("open visits.csv -o x --key HPKE_P256.pub.pem", "holds a public key"),
        ("open visits.csv -o x --key HPKE_P256.key", "not a sealed file"),
    ],
)
def test_what_does_not_fit_is_named(keys: Path, command: str, words: str) -> None:
    before = set(keys.iterdir())
    with contextlib.chdir(keys):
        result = leeward(*command.split())
    assert result.exit_code == 1
    assert result.stderr.startswith("leeward: ")
    assert words in result.stderr
    assert set(keys.iterdir()) == before


def test_two_names_of_one_key_are_one(keys: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(
        b"Leeward-Key-Id: " + b"ab" * 16 + b"\n" + (keys / "HPKE_P256.pub.pem").read_bytes()
    )
    to = ("--to", str(keys / "HPKE_P256.pub.pem"), "--to", str(copy))
    result = leeward("seal", *to, stdin=PLAIN)
    assert result.exit_code == 1
    assert "copy.pem" in result.stderr
    assert "HPKE_P256.pub.pem" in result.stderr


def test_all_keys_of_one_file_are_recipients(keys: Path, tmp_path: Path) -> None:
    several, key_id = tmp_path / "several.pem", b"cd" * 16
    several.write_bytes(
        (keys / "HPKE_X25519.pub.pem").read_bytes()
        + b"Leeward-Key-Id: " + key_id + b"\n" + (keys / "HPKE_P256.pub.pem").read_bytes()
        + (keys / "HPKE_MLKEM768_X25519.pub.pem").read_bytes()
    )  # fmt: skip
    sealed = tmp_path / "sealed"
    args = ("seal", str(keys / "visits.csv"), "-o", str(sealed), "--to", str(several))
    result = leeward(*args)
    assert result.exit_code == 0, result.stderr
    assert "holds 3 public keys" in result.stderr
    assert "3 recipients" in result.stderr
    ids = [recipient.key_id.hex() for recipient in inspect_file(sealed).recipients]
    assert ids[1] == key_id.decode()
    assert all(each in result.stderr for each in ids)
    for algorithm in ("HPKE_X25519", "HPKE_P256", "HPKE_MLKEM768_X25519"):
        opened = leeward("open", str(sealed), "-o", "-", "--key", str(keys / f"{algorithm}.key"))
        assert opened.stdout_bytes == PLAIN


def test_the_fingerprint_is_what_a_sealed_file_calls_the_key(keys: Path, tmp_path: Path) -> None:
    sealed, several = tmp_path / "sealed", tmp_path / "several.pem"
    sealed.write_bytes(sealed_to(keys, "HPKE_X25519", "HPKE_P256"))
    key_id = "ef" * 16
    several.write_bytes(
        x25519_and(keys, "HPKE_P256.pub.pem")
        + f"Leeward-Key-Id: {key_id}\n".encode()
        + (keys / "ed25519.pub.pem").read_bytes()
    )
    result = leeward("keys", "fingerprint", str(several))
    assert result.exit_code == 0, result.stderr
    *lines, last = result.stdout.splitlines()
    ids = [recipient.key_id.hex() for recipient in inspect_file(sealed).recipients]
    assert lines == [f"{each}  {several}" for each in ids]
    assert key_id in last
    private = leeward("keys", "fingerprint", str(keys / "HPKE_P256.key"))
    assert (private.exit_code, private.stdout) == (1, "")


def x25519_and(keys: Path, other: str) -> bytes:
    return (keys / "HPKE_X25519.pub.pem").read_bytes() + (keys / other).read_bytes()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("HPKE_X25519.pub.pem", "holds the same key twice"),
        ("ed25519.pub.pem", "made for signing"),
        ("HPKE_P256.key", "keep this file secret"),
        ("certificate.pem", "holds a certificate"),
        ("rsa2048.pem", "2048 bits"),
    ],
)
def test_each_key_of_a_file_must_do(keys: Path, tmp_path: Path, other: str, words: str) -> None:
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(x25519_and(keys, other))
    result = leeward("seal", "--to", str(mixed), stdin=PLAIN)
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert words in result.stderr


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_cut_off_is_not_passed_over(
    keys: Path, tmp_path: Path, *, first: bool
) -> None:
    whole, other = (keys / f"{name}.pub.pem" for name in ("HPKE_X25519", "HPKE_P256"))
    cut = other.read_bytes()[:-40] + b"\n"
    (tmp_path / "cut.pem").write_bytes(
        cut + whole.read_bytes() if first else whole.read_bytes() + cut
    )
    result = leeward("seal", "--to", str(tmp_path / "cut.pem"), stdin=PLAIN)
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert "cut.pem" in result.stderr


def test_the_way_to_a_public_half_keeps_what_the_key_is_for(keys: Path, tmp_path: Path) -> None:
    """The command that is told runs, and what it makes is refused for the other use."""
    generate(tmp_path, "ECDSA_P256", "alice-signs")
    result = leeward("seal", "--to", str(tmp_path / "alice-signs.key"), stdin=PLAIN)
    told = result.stderr.partition("(NAME.pub.pem); ")[2].partition(" makes one")[0]
    made = subprocess.run(
        ["bash", "-c", told.replace("NAME", "made")], cwd=tmp_path, timeout=60, check=False
    )
    assert made.returncode == 0
    again = (tmp_path / "alice-signs.pub.pem").read_text()
    assert (tmp_path / "made.pub.pem").read_text() == again
    refused = leeward("seal", "--to", str(tmp_path / "made.pub.pem"), stdin=PLAIN)
    assert "made for signing" in refused.stderr


@pytest.mark.parametrize("algorithm", ["ML_DSA_65", "HPKE_MLKEM768_X25519"])
@pytest.mark.parametrize("named", [True, False])
def test_openssl_is_not_named_where_it_cannot_read_the_key(
    tmp_path: Path, algorithm: str, *, named: bool
) -> None:
    generate(tmp_path, algorithm, "pq")
    key = tmp_path / "pq.key"
    if not named:
        key.write_bytes(key.read_bytes().partition(b"\n")[2])
    result = leeward("seal", "--to", str(key), stdin=PLAIN)
    assert "keep this file secret" in result.stderr
    assert "openssl pkey" not in result.stderr


def test_a_key_encrypted_as_the_help_says_is_for_one_use_still(tmp_path: Path) -> None:
    told = " ".join(leeward("keys", "generate", "--help").stdout.replace("│", " ").split())
    command = "{ grep" + told.partition("{ grep")[2].partition("NAME.enc.key")[0] + "NAME.enc.key"
    generate(tmp_path, "HPKE_P256", "bob")
    (tmp_path / "said").write_text("correct horse\n")
    command = command.replace("NAME", "bob").replace(
        "-in bob.key", "-in bob.key -passout file:said"
    )
    made = subprocess.run(["bash", "-c", command], cwd=tmp_path, timeout=60, check=False)
    assert made.returncode == 0
    key = ("--key", str(tmp_path / "bob.enc.key"), "--passphrase-file", str(tmp_path / "said"))
    sealed = leeward("seal", "--to", str(tmp_path / "bob.pub.pem"), stdin=PLAIN)
    assert leeward("open", *key, stdin=sealed.stdout_bytes).stdout_bytes == PLAIN
    refused = leeward("sign", *key, stdin=PLAIN)
    assert refused.exit_code == 1
    assert "made for sealing (HPKE_P256)" in refused.stderr


@pytest.mark.parametrize("source", ["visits.csv", "-"])
def test_a_full_disk_leaves_nothing(keys: Path, tmp_path: Path, source: str) -> None:
    """A limit on the size of files stands for the disk: writing fails in the same place."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        " from leeward.cli.main import main; sys.argv[0] = 'leeward'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "seal", source, "-o", str(tmp_path / "x"),
         "--to", "HPKE_P256.pub.pem"],
        input=PLAIN, cwd=keys, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"leeward: ")
    assert b"File too large" in done.stderr
    assert b"make room" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_standard_output_that_is_full_ends_non_zero(keys: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from leeward.cli.main import main; main()",
             "seal", "-", "--to", "HPKE_P256.pub.pem"],
            input=PLAIN, cwd=keys, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
            env=os.environ | {"LEEWARD_TRACEBACK": "1"},
        )  # fmt: skip
    assert done.returncode == 1
    assert b"standard output: No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("algorithm", "separator"),
    [("AES256_GCM", ":"), ("CHACHA20_POLY1305", " "), ("FERNET", "\n")],
)
def test_a_key_that_was_brought_along_opens_what_a_vault_sealed_with_it(
    tmp_path: Path, algorithm: str, separator: str
) -> None:
    """The vault calls its copy of the key by an id that nobody here knows."""
    material = bytes(range(32))
    (tmp_path / "partner.hex").write_text(material.hex(separator) + "\n")
    brought = ("--from-hex", str(tmp_path / "partner.hex"), "-o", str(tmp_path / "partner"))
    result = leeward("keys", "generate", "--algorithm", algorithm, *brought)
    assert result.exit_code == 0, result.stderr
    assert material.hex() not in result.stderr + result.stdout
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed.lwe1", "opened"))
    plain.write_bytes(PLAIN)
    seal_file(plain, sealed, [recipient_of(algorithm, b"\x07" * 16, material)])
    key = str(tmp_path / "partner.keyset.json")
    result = leeward("open", str(sealed), "--key", key, "-o", str(opened))
    assert result.exit_code == 0, result.stderr
    assert opened.read_bytes() == PLAIN
    again = tmp_path / "again.lwe1"
    assert leeward("seal", str(plain), "--key", key, "-o", str(again)).exit_code == 0
    back = tmp_path / "back"
    open_file(again, back, [unwrapper_of(algorithm, b"\x08" * 16, material)])
    assert back.read_bytes() == PLAIN


@pytest.mark.parametrize(
    ("algorithm", "text", "said"),
    [
        ("AES256_GCM", "ab" * 31, "it is to have 64 of them"),
        ("AES256_GCM", "00" * 32, "fewer than 8 different values"),
        ("HPKE_X25519", "01ff" * 16, "fewer than 8 different values"),
        ("AES256_GCM", b"correct horse battery staple, or".hex(), "are text"),
        ("AES256_GCM", "not hex", "does not hold a key of AES256_GCM"),
        ("RSA3072_OAEP", "ab" * 32, "is no plain bytes"),
    ],
)
def test_what_is_no_key_in_hexadecimal_digits(
    tmp_path: Path, algorithm: str, text: str, said: str
) -> None:
    (tmp_path / "key.hex").write_text(text)
    brought = ("--from-hex", str(tmp_path / "key.hex"), "-o", str(tmp_path / "key"))
    result = leeward("keys", "generate", "--algorithm", algorithm, *brought)
    assert result.exit_code != 0
    assert said in result.stderr
    assert text not in result.stderr
    assert list(tmp_path.glob("key.keyset.json")) == []
