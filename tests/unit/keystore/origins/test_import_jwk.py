"""JSON Web Keys of joserfc, what their members say that they are for, and damaged ones."""

import base64
import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from leeward.formats.material import from_private_key, private_key
from leeward.keystore.origins import ImportRefusedError, import_key
from unit.keystore.origins.sample_keys import FITTING, pair, random_bytes

SYMMETRIC = {
    "AES256_GCM": 32,
    "CHACHA20_POLY1305": 32,
    "FERNET": 32,
    "AES256_SIV": 64,
    "FF1_AES256": 32,
    "HMAC_SHA256": 32,
}
JOSE: dict[str, Any] = {
    "HPKE_X25519": OKPKey,
    "ED25519": OKPKey,
    "HPKE_P256": ECKey,
    "ECDSA_P256": ECKey,
    "ECDSA_P384": ECKey,
    "RSA3072_OAEP": RSAKey,
    "RSA4096_OAEP": RSAKey,
    "RSA_PSS": RSAKey,
}


def jwk(algorithm: str, **members: Any) -> dict[str, Any]:
    """A private key as joserfc writes it."""
    if algorithm in SYMMETRIC:
        key = OctKey.import_key(random_bytes(algorithm, SYMMETRIC[algorithm]))
        return {**key.as_dict(private=True), **members}
    key = JOSE[algorithm].import_key(pair(FITTING[algorithm]))
    return {**key.as_dict(private=True), **members}


def imported(document: Any, algorithm: str) -> bytes:
    return import_key({"key": json.dumps(document).encode()}, algorithm)


def refusal(document: Any, algorithm: str) -> str:
    with pytest.raises(ImportRefusedError) as caught:
        imported(document, algorithm)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize("algorithm", JOSE)
def test_pair_from_joserfc_and_back(algorithm: str) -> None:
    material = imported(jwk(algorithm), algorithm)
    assert material == from_private_key(algorithm, pair(FITTING[algorithm]))
    again = JOSE[algorithm].import_key(private_key(algorithm, material)).as_dict(private=True)
    assert imported(again, algorithm) == material


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_symmetric_key_from_joserfc(algorithm: str) -> None:
    assert imported(jwk(algorithm), algorithm) == random_bytes(algorithm, SYMMETRIC[algorithm])


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [
        ("AES256_GCM", {"alg": "A256GCM", "use": "enc"}),
        ("AES256_GCM", {"alg": "A256GCMKW", "key_ops": ["wrapKey", "unwrapKey"]}),
        ("AES256_GCM", {"alg": "dir", "kid": "of somebody"}),
        ("HMAC_SHA256", {"alg": "HS256", "use": "sig", "key_ops": ["sign", "verify"]}),
        ("RSA3072_OAEP", {"alg": "RSA-OAEP-256", "use": "enc"}),
        ("RSA_PSS", {"alg": "PS256", "use": "sig"}),
        ("ECDSA_P256", {"alg": "ES256", "key_ops": ["sign"]}),
        ("ECDSA_P384", {"alg": "ES384"}),
        ("ED25519", {"alg": "EdDSA"}),
        ("ED25519", {"alg": "Ed25519"}),
        ("HPKE_X25519", {"use": "enc", "key_ops": ["deriveBits"]}),
        ("HPKE_P256", {"key_ops": ["deriveKey"]}),
    ],
)
def test_members_that_mean_the_algorithm(algorithm: str, members: dict[str, Any]) -> None:
    assert imported(jwk(algorithm, **members), algorithm) == imported(jwk(algorithm), algorithm)


@pytest.mark.parametrize(
    ("algorithm", "members", "name"),
    [
        ("AES256_GCM", {"alg": "A128GCM"}, "alg"),
        ("AES256_GCM", {"use": "sig"}, "use"),
        ("AES256_GCM", {"key_ops": ["sign"]}, "key_ops"),
        ("AES256_GCM", {"key_ops": ["encrypt"]}, "key_ops"),
        ("AES256_GCM", {"key_ops": "decrypt"}, "key_ops"),
        ("AES256_GCM", {"key_ops": [["decrypt"]]}, "key_ops"),
        ("AES256_SIV", {"alg": "A256GCM"}, "alg"),
        ("HMAC_SHA256", {"alg": "HS512"}, "alg"),
        ("HMAC_SHA256", {"use": "enc"}, "use"),
        ("RSA3072_OAEP", {"alg": "RSA-OAEP"}, "alg"),
        ("RSA3072_OAEP", {"alg": "RSA1_5"}, "alg"),
        ("RSA3072_OAEP", {"alg": "PS256"}, "alg"),
        ("RSA_PSS", {"alg": "RS256"}, "alg"),
        ("RSA_PSS", {"use": "enc"}, "use"),
        ("HPKE_X25519", {"alg": "ECDH-ES"}, "alg"),
        ("ECDSA_P256", {"key_ops": ["verify"]}, "key_ops"),
        ("ECDSA_P256", {"alg": ["ES256"]}, "alg"),
        ("ED25519", {"use": ["sig"]}, "use"),
    ],
)
def test_key_that_is_meant_for_something_else(
    algorithm: str, members: dict[str, Any], name: str
) -> None:
    message = refusal(jwk(algorithm, **members), algorithm)
    assert f"member {name} of the JWK says" in message
    assert algorithm in message


@pytest.mark.parametrize(
    ("made_as", "asked_for", "found"),
    [
        ("AES256_GCM", "AES256_SIV", "a key of 32 bytes"),
        ("AES256_GCM", "ED25519", "a symmetric key of 32 bytes"),
        ("ED25519", "AES256_GCM", "an Ed25519 key"),
        ("ED25519", "HPKE_X25519", "an Ed25519 key"),
        ("ECDSA_P256", "ECDSA_P384", "an EC key on P-256"),
        ("RSA3072_OAEP", "RSA4096_OAEP", "an RSA key of 3072 bits"),
        ("RSA_PSS", "ECDSA_P256", "an RSA key"),
    ],
)
def test_another_kind_is_named(made_as: str, asked_for: str, found: str) -> None:
    message = refusal(jwk(made_as), asked_for)
    assert f"holds {found}" in message
    assert asked_for in message


def test_rsa_of_2048_bits_and_p521_are_named() -> None:
    small = RSAKey.import_key(pair("RSA-2048")).as_dict(private=True)
    assert "an RSA key of 2048 bits" in refusal(small, "RSA_PSS")
    large = ECKey.import_key(pair("P-521")).as_dict(private=True)
    assert "an EC key on P-521" in refusal(large, "ECDSA_P384")
    other = OKPKey.import_key(pair("Ed448")).as_dict(private=True)
    assert "an Ed448 key" in refusal(other, "ED25519")


@pytest.mark.parametrize("algorithm", ["HPKE_X25519", "ECDSA_P256", "RSA_PSS"])
def test_public_half_is_refused(algorithm: str) -> None:
    public = JOSE[algorithm].import_key(pair(FITTING[algorithm])).as_dict(private=False)
    assert "the public half of a JWK" in refusal(public, algorithm)


@pytest.mark.parametrize("algorithm", ["HPKE_X25519", "ED25519", "ECDSA_P256", "RSA_PSS"])
def test_halves_of_two_pairs_are_refused(algorithm: str) -> None:
    document = jwk(algorithm)
    name = "n" if algorithm == "RSA_PSS" else "x"
    other = bytearray(base64.urlsafe_b64decode(document[name] + "=="))
    other[-1] ^= 2
    document[name] = base64.urlsafe_b64encode(bytes(other)).rstrip(b"=").decode()
    assert "fit" in (message := refusal(document, algorithm)) or "two different" in message


def test_rsa_key_without_its_primes_is_refused() -> None:
    document = jwk("RSA_PSS")
    for name in ("p", "dq"):
        del document[name]
    assert "lacks p, dq" in refusal(document, "RSA_PSS")


def test_huge_numbers_are_refused_unread() -> None:
    assert "more than 4096 bits" in refusal(jwk("RSA_PSS", n="A" * 60000), "RSA_PSS")


@pytest.mark.parametrize(
    "change",
    [
        {"d": None},
        {"d": 5},
        {"d": "!"},
        {"d": ""},
        {"x": "\u00e9"},
        {"crv": "P-256"},
        {"crv": "Ed25518"},
        {"crv": ["X25519"]},
        {"kid": 7},
    ],
)
def test_damaged_member_is_refused(change: dict[str, Any]) -> None:
    assert refusal(jwk("HPKE_X25519", **change), "HPKE_X25519")


@pytest.mark.parametrize("kind", ["AKP", "EC2", None, 4, ["RSA"], {"a": 1}])
def test_other_types_are_refused(kind: Any) -> None:
    assert "a JWK of" in refusal({"kty": kind, "d": "AAAA"}, "ML_DSA_65")


def test_key_set_is_refused() -> None:
    assert "a JWK set; take one key out" in refusal({"keys": [jwk("ED25519")]}, "ED25519")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"kty":"oct","kty":"oct","k":"AA"}', "a member stands in it twice"),
        (b'{"kty":"oct","k":"\xff"}', "not UTF-8"),
        (b'{"kty":"oct","k":NaN}', "a number that is none"),
        (b'{"kty":"oct","k":' + b"9" * 5000 + b"}", "a number that is too long"),
        (b'{"kty":"oct","k":1.' + b"9" * 5000 + b"}", "a number that is too long"),
        (b'{"kty":' + b"[" * 30000 + b"]" * 30000 + b"}", "nested too deeply"),
        (b'{"kty":' + b"[" * 20 + b"]" * 20 + b"}", "nested too deeply"),
        (b'{"kty":"oct",\n"k":}', "not JSON from line 2, column 5"),
    ],
)
def test_json_that_is_none_or_ambiguous(text: bytes, why: str) -> None:
    with pytest.raises(ImportRefusedError, match=why):
        import_key({"key": text}, "AES256_GCM")


def test_message_holds_nothing_of_the_key() -> None:
    document = jwk("ED25519", use="enc", alg="secret alg", kid="secret kid")
    message = refusal(document, "HPKE_X25519")
    assert "secret" not in message
    assert document["d"][:6] not in message
