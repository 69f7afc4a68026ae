"""HPKE and what it stands on: RFC 7748, RFC 9180, FIPS 203, X-Wing, draft-ietf-hpke-pq.

The library seals and opens in one call, with associated data only by an internal function that its
own tests use; so the first message of each vector is opened by that one, with our suites and keys.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from leeward.formats.material import XWingPrivateKey, from_private_key, private_key, public_pem
from leeward.formats.sealed import HpkeHybridPrivateKey, HpkeP256PrivateKey, HpkePrivateKey
from leeward.formats.sealed.keys.hpke import SUITE_P256, SUITE_X25519
from unit.formats.vectors.published import cases, loaded, raw

# draft-connolly-cfrg-xwing-kem-11, appendix D: the beginning and the end of the public key.
XWING_SEED = bytes(range(32))
XWING_PRIVATE = """-----BEGIN PRIVATE KEY-----
MDQCAQAwDQYLKwYBBAGD5i2ByHoEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ
GhscHR4f
-----END PRIVATE KEY-----
"""
XWING_PUBLIC_BEGIN = """-----BEGIN PUBLIC KEY-----
MIIE1DANBgsrBgEEAYPmLYHIegOCBMEAb1QJigoOZBFGYUtpYLpg2GA9YvRH+atJ
m0e9aQbMQLBh2GNKPoiQbyhJWOdEHKbHJcu5cJW3ZxpGK2aByeZYC7yNYLFJ+mAm
"""
XWING_PUBLIC_END = """
OhMjnzQvynZVtuquhFoiHOs+Z/VjnGGT9v3u9X45m4CLfzqitXQKre2QFj3F13XJ
+vfx+9B12rNE6dfRRmRygfu6ezxWyv1YM7epMOxCBufDptd2T+gdeg==
-----END PUBLIC KEY-----
"""

KEM_P256, KEM_X25519, KEM_HYBRID = 0x0010, 0x0020, 0x647A
HKDF_SHA256, AES_256_GCM, CHACHA20_POLY1305 = 1, 2, 3


def hpke_case(path: str, kem: int, aead: int) -> dict[str, Any]:
    wanted = (0, kem, HKDF_SHA256, aead)
    names = ("mode", "kem_id", "kdf_id", "aead_id")
    (found,) = [case for case in loaded(path) if tuple(case[name] for name in names) == wanted]
    assert isinstance(found, dict)
    return found


def check_first_message(case: dict[str, Any], suite: Suite, key: Any) -> None:
    first = case["encryptions"][0]
    sealed = bytes.fromhex(case["enc"] + first["ct"])
    info, aad = bytes.fromhex(case["info"]), bytes.fromhex(first["aad"])
    plain = bytes.fromhex(first["pt"])
    assert openssl.hpke._decrypt_with_aad(suite, sealed, key, info, aad) == plain
    for changed in (sealed[:-1] + bytes([sealed[-1] ^ 1]), bytes([sealed[0] ^ 1]) + sealed[1:]):
        with pytest.raises(InvalidTag):
            openssl.hpke._decrypt_with_aad(suite, changed, key, info, aad)


def test_x25519_as_rfc_7748_says() -> None:
    found = [case for case in cases("asymmetric/X25519/rfc7748.txt", first="COUNT")]
    assert len(found) >= 3
    for case in found:
        key = HpkePrivateKey.from_bytes(raw(case["INPUT_SCALAR"])).key
        other = X25519PublicKey.from_public_bytes(raw(case["INPUT_U"]))
        assert key.exchange(other) == raw(case["OUTPUT_U"])


def test_hpke_x25519_as_rfc_9180_says() -> None:
    case = hpke_case("HPKE/test-vectors.json", KEM_X25519, AES_256_GCM)
    pair = HpkePrivateKey.from_bytes(bytes.fromhex(case["skRm"]))
    assert pair.key.public_key().public_bytes_raw().hex() == case["pkRm"]
    check_first_message(case, SUITE_X25519, pair.key)


def test_hpke_p256_as_rfc_9180_says() -> None:
    case = hpke_case("HPKE/test-vectors.json", KEM_P256, AES_256_GCM)
    key = derive_private_key(int(case["skRm"], 16), SECP256R1())
    pair = HpkeP256PrivateKey.from_bytes(from_private_key("HPKE_P256", key))
    point = pair.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert point.hex() == case["pkRm"]
    check_first_message(case, SUITE_P256, pair.key)


def test_hpke_hybrid_as_draft_ietf_hpke_pq_says() -> None:
    """Its vector for this KEM and HKDF-SHA256 has another AEAD than ours."""
    case = hpke_case("HPKE/hpke-pq-test-vectors.json", KEM_HYBRID, CHACHA20_POLY1305)
    pair = HpkeHybridPrivateKey.from_bytes(bytes.fromhex(case["skRm"]))
    assert pair.public_key.key.raw.hex() == case["pkRm"]
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    check_first_message(case, suite, pair.key.for_hpke())


def test_ml_kem_768_as_fips_203_says() -> None:
    """Decapsulation of a changed ciphertext gives the key of implicit rejection."""
    found = list(cases("asymmetric/MLKEM/kat_MLKEM_768.rsp", first="count"))
    assert len(found) >= 100
    for case in found:
        key = MLKEM768PrivateKey.from_seed_bytes(raw(case["d"]) + raw(case["z"]))
        assert key.public_key().public_bytes_raw() == raw(case["pk"])
        assert key.decapsulate(raw(case["ct"])) == raw(case["ss"])
        assert key.decapsulate(raw(case["ct_n"])) == raw(case["ss_n"])


def test_encodings_of_a_hybrid_pair_are_those_of_the_draft() -> None:
    public = public_pem("HPKE_MLKEM768_X25519", XWING_SEED)
    assert public is not None
    assert public.startswith(XWING_PUBLIC_BEGIN)
    assert public.endswith(XWING_PUBLIC_END)
    key = private_key("HPKE_MLKEM768_X25519", XWING_SEED)
    assert isinstance(key, XWingPrivateKey)
    assert key.to_pem().decode() == XWING_PRIVATE
    again = XWingPrivateKey.from_pem(XWING_PRIVATE.encode())
    assert again is not None
    assert again.seed == XWING_SEED
