"""Passphrases stretched: RFC 7914 (scrypt, and PBKDF2 by SHA-256), RFC 9106 and others (Argon2id).

The published parameters are below what origins take, so the bounds are left out here.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from leeward.keystore.origins import Derivation
from leeward.keystore.origins.passphrase import stretch
from unit.formats.vectors.published import cases

PBKDF2 = [
    (
        b"passwd", b"salt", 1,
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ),
    (
        b"Password", b"NaCl", 80_000,
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ),
]  # fmt: skip
"""Passphrase, salt, iterations, output: RFC 7914, section 11."""


def made(kdf: str, secret: bytes, salt: bytes, size: int, **parameters: Any) -> str:
    text = base64.b64encode(salt).decode()
    derivation = Derivation.model_construct(kdf=kdf, salt=text, **parameters)
    return stretch(secret, derivation, size).hex()


@pytest.mark.parametrize(("secret", "salt", "iterations", "output"), PBKDF2)
def test_pbkdf2_as_rfc_7914_says(secret: bytes, salt: bytes, iterations: int, output: str) -> None:
    assert made("PBKDF2_SHA256", secret, salt, 64, iterations=iterations) == output


def test_scrypt_as_rfc_7914_says() -> None:
    """All but the last, which takes a GiB."""
    found = [case for case in cases("KDF/scrypt.txt", first="COUNT") if int(case["N"]) < 1 << 20]
    assert len(found) == 3
    for case in found:
        secret, salt = case.get("PASSWORD", "").encode(), case.get("SALT", "").encode()
        cost = {name: int(case[name]) for name in ("n", "r", "p") if name in case}
        cost["n"] = int(case["N"])
        assert made("SCRYPT", secret, salt, int(case["LENGTH"]), **cost) == case["DERIVED_KEY"]


def test_argon2id_as_published() -> None:
    """Those without a secret and associated data, which origins have none of."""
    found = [
        case
        for case in cases("KDF/argon2id.txt", first="COUNT")
        if not case.get("secret") and not case.get("ad")
    ]
    assert len(found) >= 3
    for case in found:
        output = made(
            "ARGON2ID",
            bytes.fromhex(case.get("pass", "")),
            bytes.fromhex(case["salt"]),
            int(case["length"]),
            lanes=int(case["lanes"]),
            iterations=int(case["iter"]),
            memory_kib=int(case["memcost"]),
        )
        assert output == case["output"]
