"""Keysets of Tink itself: imported, and both open what the other made."""

import base64
import json
from typing import Any

import pytest
import tink  # type: ignore[import-untyped]
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from tink import aead, daead, hybrid, json_proto_keyset_format, mac, secret_key_access, signature
from tink.proto import (  # type: ignore[import-untyped]
    aes_gcm_pb2,
    aes_siv_pb2,
    chacha20_poly1305_pb2,
    common_pb2,
    ecdsa_pb2,
    ed25519_pb2,
    hmac_pb2,
    hpke_pb2,
    ml_dsa_pb2,
    rsa_ssa_pss_pb2,
)

from leeward.formats.dsse import Message, SignatureInvalid, SigningAlgorithm, SigningKey
from leeward.formats.material import (
    XWingPrivateKey,
    generate,
    private_key,
    public_der,
)
from leeward.keystore.origins import ImportRefusedError, import_key
from unit.keystore.origins.sample_keys import random_bytes

for primitive in (aead, daead, hybrid, mac, signature):
    primitive.register()

_SUITES = {
    "HPKE_X25519": hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM),
    "HPKE_MLKEM768_X25519": hpke.Suite(
        hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM
    ),
}
_HYBRID = hybrid.hybrid_key_templates
_SIGNATURE = signature.signature_key_templates
TEMPLATES: dict[str, Any] = {
    "AES256_GCM": aead.aead_key_templates.AES256_GCM,
    "AES256_SIV": daead.deterministic_aead_key_templates.AES256_SIV,
    "HMAC_SHA256": mac.mac_key_templates.HMAC_SHA256_256BITTAG,
    "HPKE_X25519": _HYBRID.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM,
    "HPKE_MLKEM768_X25519": _HYBRID.X_WING_HKDF_SHA256_HKDF_SHA256_AES_256_GCM,
    "ED25519": _SIGNATURE.ED25519,
    "ECDSA_P256": _SIGNATURE.ECDSA_P256,
    "ECDSA_P384": _SIGNATURE.ECDSA_P384_SHA384,
    "RSA_PSS": _SIGNATURE.RSA_SSA_PSS_3072_SHA256_SHA256_32_F4,
    "ML_DSA_65": _SIGNATURE.ML_DSA_65,
}
SIGNING: tuple[SigningAlgorithm, ...] = (
    "ED25519",
    "ECDSA_P256",
    "ECDSA_P384",
    "RSA_PSS",
    "ML_DSA_65",
)
TEXT = b"what is protected"
AAD = b"where it belongs"
PREFIX = 5
"""Bytes that Tink puts in front: one, and the id of the key."""


def written(handle: Any) -> str:
    """A keyset of Tink as JSON, in the clear."""
    text: str = json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
    return text


def made_by_tink(algorithm: str) -> tuple[Any, bytes]:
    """A handle of Tink, and the key as it is imported."""
    handle = tink.new_keyset_handle(TEMPLATES[algorithm])
    return handle, import_key({"key": written(handle).encode()}, algorithm)


def read_by_tink(message: Any, kind: str = "SYMMETRIC") -> Any:
    """A handle on a keyset with one key of ours, without prefix."""
    value = base64.b64encode(message.SerializeToString()).decode()
    return json_proto_keyset_format.parse(
        json.dumps(keyset(message.DESCRIPTOR.full_name, value, kind)), secret_key_access.TOKEN
    )


def keyset(name: str, value: str, kind: str = "SYMMETRIC") -> dict[str, Any]:
    """A keyset of one key."""
    data = {"typeUrl": f"type.googleapis.com/{name}", "value": value, "keyMaterialType": kind}
    key = {"keyData": data, "status": "ENABLED", "keyId": 7, "outputPrefixType": "RAW"}
    return {"primaryKeyId": 7, "key": [key]}


def test_aes_gcm() -> None:
    handle, key = made_by_tink("AES256_GCM")
    theirs = handle.primitive(aead.Aead).encrypt(TEXT, AAD)
    body = theirs[PREFIX:]
    assert AESGCM(key).decrypt(body[:12], body[12:], AAD) == TEXT
    nonce = random_bytes("nonce", 12)
    ours = theirs[:PREFIX] + nonce + AESGCM(key).encrypt(nonce, TEXT, AAD)
    assert handle.primitive(aead.Aead).decrypt(ours, AAD) == TEXT


def test_aes_siv_gives_the_same_token() -> None:
    handle, key = made_by_tink("AES256_SIV")
    token = handle.primitive(daead.DeterministicAead).encrypt_deterministically(TEXT, AAD)
    assert token[PREFIX:] == AESSIV(key).encrypt(TEXT, [AAD])


def test_hmac_gives_the_same_tag() -> None:
    handle, key = made_by_tink("HMAC_SHA256")
    digest = hmac.HMAC(key, hashes.SHA256())
    digest.update(TEXT)
    assert handle.primitive(mac.Mac).compute_mac(TEXT)[PREFIX:] == digest.finalize()


@pytest.mark.parametrize("algorithm", _SUITES)
def test_hpke(algorithm: str) -> None:
    handle, material = made_by_tink(algorithm)
    own: Any = private_key(algorithm, material)
    own = own.for_hpke() if isinstance(own, XWingPrivateKey) else own
    public = handle.public_keyset_handle().primitive(hybrid.HybridEncrypt)
    theirs = public.encrypt(TEXT, AAD)
    suite = _SUITES[algorithm]
    assert suite.decrypt(theirs[PREFIX:], own, info=AAD) == TEXT
    ours = theirs[:PREFIX] + suite.encrypt(TEXT, own.public_key(), info=AAD)
    assert handle.primitive(hybrid.HybridDecrypt).decrypt(ours, AAD) == TEXT


def signature_of(key: SigningKey) -> bytes:
    message = Message(key.public_key())
    message.update(TEXT)
    return message.sign(key)


def verify(key: SigningKey, made: bytes) -> None:
    message = Message(key.public_key())
    message.update(TEXT)
    message.verify(made)


@pytest.mark.parametrize("algorithm", SIGNING)
def test_signatures(algorithm: SigningAlgorithm) -> None:
    handle, material = made_by_tink(algorithm)
    own = private_key(algorithm, material)
    assert isinstance(own, SigningKey)
    theirs = handle.primitive(signature.PublicKeySign).sign(TEXT)
    verify(own, theirs[PREFIX:])
    with pytest.raises((SignatureInvalid, InvalidSignature)):
        verify(own, theirs[PREFIX:-1] + bytes([theirs[-1] ^ 1]))
    public = handle.public_keyset_handle().primitive(signature.PublicKeyVerify)
    public.verify(theirs[:PREFIX] + signature_of(own), TEXT)


def test_our_symmetric_keys_in_their_keysets() -> None:
    key, long_key = random_bytes("ours", 32), random_bytes("ours", 64)
    gcm = read_by_tink(aes_gcm_pb2.AesGcmKey(key_value=key)).primitive(aead.Aead)
    nonce = random_bytes("nonce", 12)
    assert gcm.decrypt(nonce + AESGCM(key).encrypt(nonce, TEXT, AAD), AAD) == TEXT
    siv = read_by_tink(aes_siv_pb2.AesSivKey(key_value=long_key))
    sealed = AESSIV(long_key).encrypt(TEXT, [AAD])
    opened = siv.primitive(daead.DeterministicAead).decrypt_deterministically(sealed, AAD)
    assert opened == TEXT


def test_our_pair_in_their_keyset() -> None:
    material = generate("HPKE_X25519", lambda size: random_bytes("pair", size))
    own: Any = private_key("HPKE_X25519", material)
    params = hpke_pb2.HpkeParams(
        kem=hpke_pb2.DHKEM_X25519_HKDF_SHA256, kdf=hpke_pb2.HKDF_SHA256, aead=hpke_pb2.AES_256_GCM
    )
    public = hpke_pb2.HpkePublicKey(params=params, public_key=own.public_key().public_bytes_raw())
    message = hpke_pb2.HpkePrivateKey(public_key=public, private_key=material)
    handle = read_by_tink(message, "ASYMMETRIC_PRIVATE")
    ours = _SUITES["HPKE_X25519"].encrypt(TEXT, own.public_key(), info=AAD)
    assert handle.primitive(hybrid.HybridDecrypt).decrypt(ours, AAD) == TEXT
    assert import_key({"key": written(handle).encode()}, "HPKE_X25519") == material


def test_our_signing_key_in_their_keyset() -> None:
    material = generate("ED25519", lambda size: random_bytes("signer", size))
    own = private_key("ED25519", material)
    assert isinstance(own, SigningKey)
    public = ed25519_pb2.Ed25519PublicKey(key_value=public_der(own.public_key())[-32:])
    message = ed25519_pb2.Ed25519PrivateKey(key_value=material, public_key=public)
    handle = read_by_tink(message, "ASYMMETRIC_PRIVATE")
    assert handle.primitive(signature.PublicKeySign).sign(TEXT) == signature_of(own)
    assert import_key({"key": written(handle).encode()}, "ED25519") == material


def imported(message: Any, algorithm: str, **changes: Any) -> bytes:
    """Import a keyset that holds `message`; Tink's Python has no ChaCha20-Poly1305 of its own."""
    value = base64.b64encode(message.SerializeToString()).decode()
    document = {**keyset(message.DESCRIPTOR.full_name, value), **changes}
    return import_key({"key": json.dumps(document).encode()}, algorithm)


def test_keys_that_this_tink_has_no_primitive_for() -> None:
    key = random_bytes("other", 32)
    chacha = chacha20_poly1305_pb2.ChaCha20Poly1305Key(key_value=key)
    assert imported(chacha, "CHACHA20_POLY1305") == key
    material = generate("HPKE_P256", lambda size: b"")
    scalar = private_key("HPKE_P256", material).private_numbers().private_value  # type: ignore[union-attr]
    params = hpke_pb2.HpkeParams(
        kem="DHKEM_P256_HKDF_SHA256", kdf="HKDF_SHA256", aead="AES_256_GCM"
    )
    message = hpke_pb2.HpkePrivateKey(
        public_key=hpke_pb2.HpkePublicKey(params=params),
        private_key=b"\0" + scalar.to_bytes(32, "big"),
    )
    assert imported(message, "HPKE_P256") == material


def test_primary_key_is_taken_of_several() -> None:
    handle, first = made_by_tink("AES256_GCM")
    document = json.loads(written(handle))
    other = json.loads(written(made_by_tink("AES256_GCM")[0]))["key"][0]
    document["key"].insert(0, {**other, "status": "DISABLED", "keyId": 1})
    assert import_key({"key": json.dumps(document).encode()}, "AES256_GCM") == first


def refusal(document: Any, algorithm: str) -> str:
    with pytest.raises(ImportRefusedError) as caught:
        import_key({"key": json.dumps(document).encode()}, algorithm)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "algorithm", "found"),
    [
        (aead.aead_key_templates.AES128_GCM, "AES256_GCM", "a key of 16 bytes instead of 32"),
        (aead.aead_key_templates.AES256_GCM_SIV, "AES256_GCM", "of type AesGcmSivKey"),
        (aead.aead_key_templates.AES256_GCM, "AES256_SIV", "of type AesGcmKey"),
        (aead.aead_key_templates.AES256_GCM, "FERNET", "of type AesGcmKey"),
        (mac.mac_key_templates.AES_CMAC, "HMAC_SHA256", "of type AesCmacKey"),
        (mac.mac_key_templates.HMAC_SHA512_512BITTAG, "HMAC_SHA256", "the hash of the Tink key"),
        (_HYBRID.ECIES_P256_HKDF_HMAC_SHA256_AES128_GCM, "HPKE_P256", "EciesAeadHkdfPrivateKey"),
        (TEMPLATES["HPKE_X25519"], "HPKE_MLKEM768_X25519", "the KEM of the Tink key"),
        (
            _HYBRID.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_128_GCM,
            "HPKE_X25519",
            "the KDF or AEAD of the Tink key",
        ),
        (_SIGNATURE.ECDSA_P521, "ECDSA_P384", "the curve of the Tink key"),
        (_SIGNATURE.ECDSA_P384_SHA512, "ECDSA_P384", "the hash of the Tink key"),
        (_SIGNATURE.RSA_SSA_PSS_4096_SHA512_SHA512_64_F4, "RSA_PSS", "the hash of the Tink key"),
        (_SIGNATURE.RSA_SSA_PKCS1_3072_SHA256_F4, "RSA_PSS", "of type RsaSsaPkcs1PrivateKey"),
        (_SIGNATURE.ML_DSA_87, "ML_DSA_65", "the instance of the Tink key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_keys_of_tink_are_named(template: Any, algorithm: str, found: str) -> None:
    document = json.loads(written(tink.new_keyset_handle(template)))
    assert found in refusal(document, algorithm)


def test_public_keyset_is_refused() -> None:
    handle = tink.new_keyset_handle(TEMPLATES["ED25519"]).public_keyset_handle()
    document = json.loads(json_proto_keyset_format.serialize_without_secret(handle))
    assert "not known here" in refusal(document, "ED25519")


def test_encrypted_keyset_is_refused_with_what_to_do() -> None:
    wrapping = tink.new_keyset_handle(TEMPLATES["AES256_GCM"]).primitive(aead.Aead)
    handle = tink.new_keyset_handle(TEMPLATES["AES256_GCM"])
    text = json_proto_keyset_format.serialize_encrypted(handle, wrapping, b"")
    assert "tinkey convert-keyset" in refusal(json.loads(text), "AES256_GCM")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"primaryKeyId": 8}, "0 keys with the id of its primary key"),
        ({"primaryKeyId": "7"}, "cannot be read"),
        ({"key": {}}, "cannot be read"),
        ({"key": [{"keyId": 7, "status": "DISABLED"}]}, "is not enabled"),
        ({"key": [{"keyId": 7, "status": "ENABLED"}]}, "cannot be read"),
        ({"key": [{"keyId": 7}] * 2}, "2 keys with the id"),
        ({"key": [{}] * 129}, "cannot be read"),
        ({"key": [{"keyId": 7, "status": "ENABLED", "keyData": {"typeUrl": 4}}]}, "cannot be read"),
    ],
)
def test_damaged_keyset(changes: dict[str, Any], why: str) -> None:
    message = aes_gcm_pb2.AesGcmKey(key_value=random_bytes("k", 32))
    with pytest.raises(ImportRefusedError, match=why):
        imported(message, "AES256_GCM", **changes)


@pytest.mark.parametrize("value", ["!", "\u00e9", "AAA", "/////w=="])
def test_damaged_value(value: str) -> None:
    message = refusal(keyset("google.crypto.tink.AesGcmKey", value), "AES256_GCM")
    assert "the Tink keyset cannot be read" in message


@pytest.mark.parametrize(
    ("message", "algorithm", "why"),
    [
        (aes_gcm_pb2.AesGcmKey(version=1, key_value=bytes(32)), "AES256_GCM", "later version"),
        (aes_gcm_pb2.AesGcmKey(), "AES256_GCM", "a key of 0 bytes"),
        (ed25519_pb2.Ed25519PrivateKey(key_value=bytes(31)), "ED25519", "do not fit each other"),
        (
            hmac_pb2.HmacKey(key_value=bytes(32), params={"hash": common_pb2.SHA1}),
            "HMAC_SHA256",
            "the hash",
        ),
        (
            ecdsa_pb2.EcdsaPrivateKey(
                key_value=b"\xff" * 32, public_key={"params": {"hash_type": 3, "curve": 2}}
            ),
            "ECDSA_P256",
            "do not fit each other",
        ),
        (
            ecdsa_pb2.EcdsaPrivateKey(
                key_value=b"\x01" * 33, public_key={"params": {"hash_type": 3, "curve": 2}}
            ),
            "ECDSA_P256",
            "do not fit each other",
        ),
        (
            rsa_ssa_pss_pb2.RsaSsaPssPrivateKey(
                public_key={"params": {"sig_hash": 3, "mgf1_hash": 3}, "n": b"\x01" * 513}
            ),
            "RSA_PSS",
            "more than 4096 bits",
        ),
        (
            rsa_ssa_pss_pb2.RsaSsaPssPrivateKey(
                public_key={"params": {"sig_hash": 3, "mgf1_hash": 3}}
            ),
            "RSA_PSS",
            "do not fit each other",
        ),
        (ml_dsa_pb2.MlDsaPrivateKey(key_value=bytes(32)), "ML_DSA_65", "the instance"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_key(message: Any, algorithm: str, why: str) -> None:
    with pytest.raises(ImportRefusedError, match=why):
        imported(message, algorithm)
