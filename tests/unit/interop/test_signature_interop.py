"""Signatures and key files of OpenSSL's program read here, and ours read by it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.cli.fake_cluster import leeward

Maker = Callable[[Path, str], tuple[Path, Path]]

DATA = b"patient_id,name\nP1,Ada\n" * 10_000

PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")
GENPKEY = {
    "RSA_PSS": ("RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
    "ECDSA_P256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ECDSA_P384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "ED25519": ("ED25519",),
}


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, timeout=60, check=False
    )


def openssl_signs(algorithm: str, key: Path, file: Path, signature: Path) -> None:
    if algorithm == "ED25519":
        made = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file, "-out", signature)
    else:
        made = openssl("dgst", *_digest(algorithm), "-sign", key, "-out", signature, file)
    assert made.returncode == 0, made.stderr


def openssl_accepts(algorithm: str, public: Path, file: Path, signature: Path) -> bool:
    if algorithm == "ED25519":
        said = openssl(
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", file,
            "-sigfile", signature,
        )  # fmt: skip
    else:
        said = openssl(
            "dgst", *_digest(algorithm), "-verify", public, "-signature", signature, file
        )
    return said.returncode == 0


def _digest(algorithm: str) -> tuple[str, ...]:
    if algorithm == "RSA_PSS":
        return ("-sha256", *PSS)
    return ("-sha384",) if algorithm == "ECDSA_P384" else ("-sha256",)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_bytes(DATA)
    return path


def made_by_openssl(folder: Path, algorithm: str) -> tuple[Path, Path]:
    private, public = folder / "theirs.key", folder / "theirs.pub.pem"
    assert openssl("genpkey", "-algorithm", *GENPKEY[algorithm], "-out", private).returncode == 0
    assert openssl("pkey", "-in", private, "-pubout", "-out", public).returncode == 0
    return private, public


def made_by_us(folder: Path, algorithm: str) -> tuple[Path, Path]:
    name = folder / "ours"
    result = leeward("keys", "generate", "--algorithm", algorithm, "--output", str(name))
    assert result.exit_code == 0, result.stderr
    return folder / "ours.key", folder / "ours.pub.pem"


@pytest.mark.parametrize("algorithm", GENPKEY)
@pytest.mark.parametrize("made", [made_by_openssl, made_by_us])
def test_openssl_checks_what_we_sign(made: Maker, algorithm: str, file: Path) -> None:
    private, public = made(file.parent, algorithm)
    signature = file.parent / "ours.sig"
    result = leeward("sign", str(file), "--bare", "--key", str(private), "-o", str(signature))
    assert result.exit_code == 0, result.stderr
    assert openssl_accepts(algorithm, public, file, signature)
    file.write_bytes(DATA + b"x")
    assert not openssl_accepts(algorithm, public, file, signature)


@pytest.mark.parametrize("algorithm", GENPKEY)
@pytest.mark.parametrize("made", [made_by_openssl, made_by_us])
def test_we_check_what_openssl_signs(made: Maker, algorithm: str, file: Path) -> None:
    private, public = made(file.parent, algorithm)
    signature = file.parent / "theirs.sig"
    openssl_signs(algorithm, private, file, signature)
    verify = ("verify", str(file), "--bare", "--key", str(public), "--signature", str(signature))
    assert leeward(*verify).exit_code == 0
    file.write_bytes(DATA + b"x")
    assert leeward(*verify).exit_code == 1


@pytest.mark.parametrize("salt", ["0", "20", "digest", "max"])
def test_pss_with_another_salt_than_ours(file: Path, salt: str) -> None:
    private, public = made_by_us(file.parent, "RSA_PSS")
    signature = file.parent / "theirs.sig"
    options = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}")
    made = openssl("dgst", "-sha256", *options, "-sign", private, "-out", signature, file)
    assert made.returncode == 0, made.stderr
    result = leeward(
        "verify", str(file), "--bare", "--key", str(public), "--signature", str(signature)
    )
    assert result.exit_code == (0 if salt == "digest" else 1)


@pytest.mark.parametrize("encryption", [("-scrypt",), ("-v2", "aes-256-cbc", "-iter", "600000")])
def test_a_key_that_openssl_encrypted_signs(file: Path, encryption: tuple[str, ...]) -> None:
    private, public = made_by_us(file.parent, "ED25519")
    encrypted, passphrase = file.parent / "enc.key", file.parent / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    made = openssl(
        "pkcs8", "-topk8", *encryption, "-in", private, "-out", encrypted,
        "-passout", f"file:{passphrase}",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    signed = leeward(
        "sign", str(file), "--key", str(encrypted), "--passphrase-file", str(passphrase)
    )
    assert signed.exit_code == 0, signed.stderr
    assert leeward("verify", str(file), "--key", str(public)).exit_code == 0


def test_openssl_checks_an_envelope_by_hand(file: Path) -> None:
    """The recipe of docs/formats/signature.md, with nothing of ours."""
    private, public = made_by_us(file.parent, "ECDSA_P256")
    assert leeward("sign", str(file), "--key", str(private)).exit_code == 0
    script = """
import base64, hashlib, json, subprocess, sys
file, signature, public = sys.argv[1:]
envelope = json.load(open(signature))
kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
with open(file + ".signed", "wb") as out:
    out.write(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
with open(file + ".der", "wb") as out:
    out.write(base64.b64decode(envelope["signatures"][0]["sig"]))
statement = json.loads(payload)
assert kind == b"application/vnd.in-toto+json"
assert statement["predicateType"] == "https://leeward.dev/file-signature/v1"
digest = hashlib.sha256(open(file, "rb").read()).hexdigest()
assert statement["subject"] == [{"digest": {"sha256": digest}}]
subprocess.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature", file + ".der",
                file + ".signed"], check=True)
"""
    done = subprocess.run(
        ["python3", "-I", "-c", script, str(file), f"{file}.sig", str(public)],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
