"""JSON Web Keys of our public halves are keys of joserfc, and theirs can be ours.

joserfc has no key type for ML-DSA (AKP): that JWK is held to RFC 9964 itself, in
tests/unit/formats/material.
"""

from __future__ import annotations

import json

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from golden.lwe1.cases import fixed_random
from golden.rsa.keys import material as rsa_material
from golden.rsa.keys import rsa_pem
from leeward.formats.material import (
    check,
    check_public,
    fingerprint,
    load_private,
    load_public,
    private_pem,
    public_jwk,
    public_pem,
)
from leeward.formats.material import from_private_key as material_of

KINDS: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "HPKE_X25519": OKPKey,
    "HPKE_P256": ECKey,
    "RSA3072_OAEP": RSAKey,
    "RSA4096_OAEP": RSAKey,
    "RSA_PSS": RSAKey,
    "ECDSA_P256": ECKey,
    "ECDSA_P384": ECKey,
    "ED25519": OKPKey,
}
KEY_ID = "ab" * 16

every_algorithm = pytest.mark.parametrize("algorithm", KINDS)


def their_pair(algorithm: str) -> RSAKey | ECKey | OKPKey:
    kind = KINDS[algorithm]
    if kind is RSAKey:
        return RSAKey.import_key(rsa_pem("4096" if "4096" in algorithm else "3072"))
    if kind is ECKey:
        return ECKey.generate_key("P-384" if "384" in algorithm else "P-256")
    return OKPKey.generate_key("Ed25519" if algorithm == "ED25519" else "X25519")


@every_algorithm
def test_our_jwk_is_the_same_key_there(algorithm: str) -> None:
    pem = public_pem(algorithm, rsa_material(algorithm, fixed_random(algorithm)))
    assert pem is not None
    made = json.loads(public_jwk(pem, KEY_ID, algorithm) or "")
    key = KINDS[algorithm].import_key(made)
    assert not key.is_private
    assert key.kid == KEY_ID
    assert fingerprint(key.as_pem(private=False)) == fingerprint(pem)


@every_algorithm
def test_their_jwk_is_what_ours_would_be(algorithm: str) -> None:
    theirs = their_pair(algorithm)
    pem = theirs.as_pem(private=False)
    check_public(algorithm, load_public(pem))
    ours = json.loads(public_jwk(pem, KEY_ID, algorithm) or "")
    expected = theirs.as_dict(private=False)
    assert {name: ours[name] for name in expected if name != "kid"} == {
        name: value for name, value in expected.items() if name != "kid"
    }
    check(algorithm, material_of(algorithm, load_private(theirs.as_pem(private=True))))


def test_encryption_to_our_rsa_jwk_opens_with_our_private_half() -> None:
    material = rsa_material("RSA3072_OAEP", fixed_random("rsa"))
    made = json.loads(
        public_jwk(public_pem("RSA3072_OAEP", material) or "", KEY_ID, "RSA3072_OAEP") or ""
    )
    algorithms = ["RSA-OAEP-256", "A256GCM"]
    header = {"alg": made["alg"], "enc": "A256GCM"}
    token = jwe.encrypt_compact(header, b"hello", RSAKey.import_key(made), algorithms)
    private = RSAKey.import_key(private_pem("RSA3072_OAEP", material))
    assert jwe.decrypt_compact(token, private, algorithms).plaintext == b"hello"


@pytest.mark.parametrize("algorithm", ["RSA_PSS", "ECDSA_P256", "ECDSA_P384"])
def test_signature_by_our_private_half_holds_by_our_jwk(algorithm: str) -> None:
    material = rsa_material(algorithm, fixed_random(algorithm))
    made = json.loads(public_jwk(public_pem(algorithm, material) or "", KEY_ID, algorithm) or "")
    kind = KINDS[algorithm]
    private = kind.import_key(private_pem(algorithm, material))
    token = jws.serialize_compact({"alg": made["alg"]}, b"hello", private, [made["alg"]])
    public = kind.import_key(made)
    assert jws.deserialize_compact(token, public, [made["alg"]]).payload == b"hello"
