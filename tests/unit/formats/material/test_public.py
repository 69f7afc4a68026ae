"""Public halves: JSON Web Keys as the RFCs write them, and fingerprints."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization

from leeward.formats.material import (
    InvalidMaterial,
    fingerprint,
    load_public,
    private_key,
    public_jwk,
    public_pem,
)
from unit.formats.material.test_material import PAIRS, every_pair, material_of

KEY_ID = "0123456789abcdef" * 2

RFC_8037_SEED = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC_9964_SEED = bytes(32)
RFC_9964_THUMBPRINT = "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM"


def pem_of(algorithm: str, material: bytes) -> str:
    pem = public_pem(algorithm, material)
    assert pem is not None
    return pem


def jwk(algorithm: str, material: bytes) -> dict[str, str]:
    made = public_jwk(pem_of(algorithm, material), KEY_ID, algorithm)
    assert made is not None
    loaded = json.loads(made)
    assert made == json.dumps(loaded, sort_keys=True, separators=(",", ":"))
    assert isinstance(loaded, dict)
    return loaded


def thumbprint(members: dict[str, str], *names: str) -> str:
    """RFC 7638: SHA-256 over the members that make the key, in canonical JSON."""
    needed = {name: members[name] for name in names}
    digest = hashlib.sha256(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode())
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("HPKE_X25519", {"kty": "OKP", "crv": "X25519", "use": "enc"}),
        ("HPKE_P256", {"kty": "EC", "crv": "P-256", "use": "enc"}),
        ("RSA3072_OAEP", {"kty": "RSA", "e": "AQAB", "use": "enc", "alg": "RSA-OAEP-256"}),
        ("RSA4096_OAEP", {"kty": "RSA", "e": "AQAB", "use": "enc", "alg": "RSA-OAEP-256"}),
        ("RSA_PSS", {"kty": "RSA", "e": "AQAB", "use": "sig", "alg": "PS256"}),
        ("ECDSA_P256", {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256"}),
        ("ECDSA_P384", {"kty": "EC", "crv": "P-384", "use": "sig", "alg": "ES384"}),
        ("ED25519", {"kty": "OKP", "crv": "Ed25519", "use": "sig"}),
        ("ML_DSA_65", {"kty": "AKP", "use": "sig", "alg": "ML-DSA-65"}),
    ],
)
def test_jwk_says_what_it_is_and_nothing_secret(algorithm: str, expected: dict[str, str]) -> None:
    members = jwk(algorithm, material_of(algorithm))
    values = {"OKP": {"x"}, "EC": {"x", "y"}, "RSA": {"n"}, "AKP": {"pub"}}[expected["kty"]]
    assert members == expected | {"kid": KEY_ID} | {name: members[name] for name in values}
    assert not any("=" in members[name] for name in values)


def test_there_is_a_jwk_of_every_public_half_but_the_hybrid() -> None:
    """No standard has one for it."""
    made = {
        algorithm: public_jwk(pem_of(algorithm, material_of(algorithm)), KEY_ID, algorithm)
        for algorithm in PAIRS
    }
    assert [algorithm for algorithm, key in made.items() if key is None] == ["HPKE_MLKEM768_X25519"]


def test_ed25519_as_in_rfc_8037() -> None:
    members = jwk("ED25519", RFC_8037_SEED)
    assert members["x"] == RFC_8037_X
    assert thumbprint(members, "crv", "kty", "x") == RFC_8037_THUMBPRINT


def test_ml_dsa_as_in_rfc_9964() -> None:
    members = jwk("ML_DSA_65", RFC_9964_SEED)
    assert thumbprint(members, "alg", "kty", "pub") == RFC_9964_THUMBPRINT


def test_coordinates_keep_their_leading_zeros() -> None:
    """RFC 7518, section 6.2.1.2: as many bytes as the field has."""
    for algorithm, size in (("ECDSA_P256", 43), ("ECDSA_P384", 64)):
        for which in range(40):
            members = jwk(algorithm, material_of(algorithm, which))
            assert (len(members["x"]), len(members["y"])) == (size, size)


@every_pair
def test_fingerprint_is_of_the_der_encoding(algorithm: str) -> None:
    pem = pem_of(algorithm, material_of(algorithm))
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    expected = hashlib.sha256(der).digest()[:16]
    assert fingerprint(pem) == fingerprint(pem.encode()) == expected
    assert fingerprint(load_public(pem)) == expected


@every_pair
def test_jwk_of_another_algorithm_is_refused(algorithm: str) -> None:
    pem = pem_of(algorithm, material_of(algorithm))
    wrong = "ED25519" if algorithm == "HPKE_X25519" else "HPKE_X25519"
    with pytest.raises(InvalidMaterial, match="another kind"):
        public_jwk(pem, KEY_ID, wrong)


def test_private_half_is_taken_for_no_public_one() -> None:
    key = private_key("ED25519", bytes(32))
    pem = key.private_bytes(  # type: ignore[union-attr]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for refuses in (load_public, fingerprint):
        with pytest.raises(InvalidMaterial, match="no public key in PEM"):
            refuses(pem)
