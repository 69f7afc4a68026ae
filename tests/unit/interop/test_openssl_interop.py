"""Keys and RSA-OAEP entries of OpenSSL's program opened here, and ours opened by it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from golden.lwe1.cases import GRACE, HEIDI, fixed_random, stretch
from golden.rsa.keys import RsaName, rsa_pem
from golden.rsa.keys import material as made
from leeward.formats.material import check, from_private_key, load_private, private_pem
from leeward.formats.sealed import (
    RsaOaepPrivateKey,
    SealedError,
    recipient_from_pem,
    unwrapper_from_pem,
)
from leeward.formats.sealed.keys import UnwrapError
from leeward.formats.sealed.layout import RecipientEntry
from unit.formats.sealed.samples import PLAIN, open_bytes, seal_bytes

LABEL = b"leeward LWE1 rsa-oaep-sha256 recipient"
FILE_ID, DATA_KEY = stretch("file id", 16), stretch("data key", 32)

every_pair = pytest.mark.parametrize("pair", [GRACE, HEIDI], ids=lambda pair: pair.algorithm)


def openssl(*arguments: str | Path, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], input=given, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def oaep(key_id: bytes) -> list[str]:
    options = {
        "rsa_padding_mode": "oaep",
        "rsa_oaep_md": "sha256",
        "rsa_mgf1_md": "sha256",
        "rsa_oaep_label": (LABEL + FILE_ID + key_id).hex(),
    }
    return [word for pair in options.items() for word in ("-pkeyopt", ":".join(pair))]


@every_pair
def test_our_rsa_entry_opens_there(pair: RsaOaepPrivateKey, tmp_path: Path) -> None:
    entry = pair.public_key.wrap(DATA_KEY, FILE_ID, fixed_random("rsa"))
    (tmp_path / "key.pem").write_bytes(pair.to_pem())
    command: list[str | Path] = ["pkeyutl", "-decrypt", "-inkey", tmp_path / "key.pem"]
    assert openssl(*command, *oaep(pair.key_id), given=entry.payload) == DATA_KEY


@every_pair
def test_their_rsa_entry_opens_here(pair: RsaOaepPrivateKey, tmp_path: Path) -> None:
    (tmp_path / "public.pem").write_bytes(pair.public_key.to_pem())
    command: list[str | Path] = ["pkeyutl", "-encrypt", "-pubin", "-inkey", tmp_path / "public.pem"]
    payload = openssl(*command, *oaep(pair.key_id), given=DATA_KEY)
    entry = RecipientEntry(pair.KIND, pair.key_id, payload)
    assert pair.unwrap(entry, FILE_ID) == DATA_KEY
    foreign = openssl(*command, *oaep(stretch("another id", 16)), given=DATA_KEY)
    with pytest.raises(UnwrapError):
        pair.unwrap(RecipientEntry(pair.KIND, pair.key_id, foreign), FILE_ID)


@pytest.mark.parametrize(
    ("algorithm", "made_by"),
    [
        ("HPKE_X25519", ["X25519"]),
        ("HPKE_P256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("RSA3072_OAEP", rsa_pem("3072")),
        ("RSA4096_OAEP", rsa_pem("4096")),
    ],
)
def test_their_pair_seals_and_opens_files(algorithm: str, made_by: list[str] | bytes) -> None:
    if isinstance(made_by, bytes):
        private = openssl("pkey", given=made_by)
    else:
        private = openssl("genpkey", "-algorithm", *made_by)
    opener = unwrapper_from_pem(private)
    assert opener.algorithm == algorithm
    material = from_private_key(algorithm, load_private(private))
    check(algorithm, material)
    recipient = recipient_from_pem(openssl("pkey", "-pubout", given=private))
    assert open_bytes(seal_bytes(recipients=[recipient]), [opener]) == PLAIN


@pytest.mark.parametrize("bits", ["2048", "1024"])
def test_their_short_rsa_pair_is_refused(bits: RsaName) -> None:
    private = openssl("pkey", given=rsa_pem(bits))
    with pytest.raises(SealedError, match=f"{bits} bits"):
        unwrapper_from_pem(private)
    with pytest.raises(SealedError, match=f"{bits} bits"):
        recipient_from_pem(openssl("pkey", "-pubout", given=private))


@pytest.mark.parametrize(
    "algorithm",
    [
        "HPKE_X25519", "HPKE_P256", "RSA3072_OAEP", "RSA4096_OAEP",
        "RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519",
    ],
)  # fmt: skip
def test_our_pair_is_read_there(algorithm: str) -> None:
    """OpenSSL checks that the halves belong together. Version 3.0 knows no ML-DSA and no ML-KEM."""
    pem = private_pem(algorithm, made(algorithm, fixed_random(algorithm)))
    assert b"valid" in openssl("pkey", "-check", "-noout", given=pem.encode())
