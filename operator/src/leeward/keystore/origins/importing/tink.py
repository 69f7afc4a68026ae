"""Keys of Tink keysets in JSON, in the clear: the primary key is taken, whatever else is in there.

Keys of Tink stand for more than their bytes: parameters say how they are used. Those that our
algorithm would use otherwise are refused. Tink puts a prefix with the key's id in front of what it
makes (output prefix TINK), which Leeward does not: what Tink made is opened without the first five
bytes.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import DecodeError

from leeward.formats.material import RSA_BITS, InvalidMaterial, XWingPrivateKey
from leeward.keystore.origins.errors import ImportRefusedError
from leeward.keystore.origins.importing import tinkmessages as tink
from leeward.keystore.origins.importing.expected import damaged, material_of, refused
from leeward.keystore.origins.importing.plain import symmetric

MAX_KEYS: Final = 128
_PREFIX: Final = "type.googleapis.com/google.crypto.tink."
_MAX_RSA_BYTES: Final = 512
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

_TYPES: Final = {
    "AES256_GCM": "AesGcmKey",
    "AES256_SIV": "AesSivKey",
    "CHACHA20_POLY1305": "ChaCha20Poly1305Key",
    "HMAC_SHA256": "HmacKey",
    "HPKE_X25519": "HpkePrivateKey",
    "HPKE_P256": "HpkePrivateKey",
    "HPKE_MLKEM768_X25519": "HpkePrivateKey",
    "ED25519": "Ed25519PrivateKey",
    "ECDSA_P256": "EcdsaPrivateKey",
    "ECDSA_P384": "EcdsaPrivateKey",
    "RSA_PSS": "RsaSsaPssPrivateKey",
    "ML_DSA_65": "MlDsaPrivateKey",
}
_SYMMETRIC: Final = {"AesGcmKey", "AesSivKey", "ChaCha20Poly1305Key", "HmacKey"}
_OTHERS: Final = {
    "AesCmacKey",
    "AesCtrHmacAeadKey",
    "AesEaxKey",
    "AesGcmSivKey",
    "EciesAeadHkdfPrivateKey",
    "JwtEcdsaPrivateKey",
    "JwtHmacKey",
    "KmsEnvelopeAeadKey",
    "RsaSsaPkcs1PrivateKey",
    "SlhDsaPrivateKey",
    "XAesGcmKey",
    "XChaCha20Poly1305Key",
}
_KEMS: Final = {
    "HPKE_X25519": tink.KEM_X25519,
    "HPKE_P256": tink.KEM_P256,
    "HPKE_MLKEM768_X25519": tink.KEM_X_WING,
}
_CURVES: Final = {
    "ECDSA_P256": (tink.CURVE_P256, tink.HASH_SHA256, ec.SECP256R1()),
    "ECDSA_P384": (tink.CURVE_P384, tink.HASH_SHA384, ec.SECP384R1()),
}


def from_tink(document: dict[str, Any], algorithm: str) -> bytes:
    """The material of the primary key of a keyset.

    Args:
        document: As ``strict_json`` read it.
        algorithm: Which the key must be one of.

    Raises:
        ImportRefusedError: The keyset is encrypted or damaged, or its primary key is disabled, of
            another algorithm, or used with other parameters.
    """
    if "encryptedKeyset" in document:
        raise ImportRefusedError(
            "the Tink keyset is encrypted by a key of your KMS, which Leeward does not ask: write"
            " it out in the clear (tinkey convert-keyset, without --new-master-key-uri), and"
            " delete that file when it stands in the Secret"
        )
    name, value = _primary(document)
    wanted = _TYPES.get(algorithm)
    if name != wanted:
        known = name in _OTHERS or name in _TYPES.values()
        raise refused(f"a Tink key of type {name if known else 'not known here'}", algorithm)
    try:
        message = tink.read_message(wanted, value)
    except DecodeError:
        raise _damaged() from None
    if message.version != 0:  # type: ignore[attr-defined]
        raise ImportRefusedError(
            "the Tink key is of a later version than is read here: make a key of version 0"
        )
    if wanted in _SYMMETRIC:
        return _symmetric(message, algorithm)
    try:
        return material_of(_READERS[wanted](message, algorithm), algorithm)
    except (ValueError, InvalidMaterial, UnsupportedAlgorithm):
        raise damaged(f"a Tink key of type {wanted}") from None


def _primary(document: dict[str, Any]) -> tuple[str, bytes]:
    """Type and value of the primary key."""
    keys = document.get("key")
    primary = document.get("primaryKeyId")
    if not isinstance(keys, list) or not isinstance(primary, int) or len(keys) > MAX_KEYS:
        raise _damaged()
    found = [key for key in keys if isinstance(key, dict) and key.get("keyId") == primary]
    if len(found) != 1:
        raise ImportRefusedError(
            f"the Tink keyset has {len(found)} keys with the id of its primary key: mend it with"
            " tinkey promote-key, or make another"
        )
    if found[0].get("status") != "ENABLED":
        raise ImportRefusedError(
            "the primary key of the Tink keyset is not enabled: enable it (tinkey enable-key), or"
            " promote another"
        )
    data = found[0].get("keyData")
    if not isinstance(data, dict):
        raise _damaged()
    url, value = data.get("typeUrl"), data.get("value")
    if not isinstance(url, str) or not isinstance(value, str):
        raise _damaged()
    try:
        decoded = base64.b64decode(value.encode("ascii").translate(_URL_SAFE), validate=True)
    except ValueError:
        raise _damaged() from None
    return url.removeprefix(_PREFIX), decoded


def _damaged() -> ImportRefusedError:
    return ImportRefusedError(
        "the Tink keyset cannot be read: write it out again with tinkey, as JSON and in the clear"
    )


def _symmetric(message: Any, algorithm: str) -> bytes:
    if algorithm == "HMAC_SHA256" and message.params.hash != tink.HASH_SHA256:
        raise _other_parameters("hash", algorithm)
    return symmetric(message.key_value, algorithm)


def _hpke(message: Any, algorithm: str) -> object:
    params = message.public_key.params
    if params.kem != _KEMS[algorithm]:
        raise _other_parameters("KEM", algorithm)
    if params.kdf != tink.KDF_HKDF_SHA256 or params.aead != tink.AEAD_AES_256_GCM:
        raise _other_parameters("KDF or AEAD", algorithm)
    if algorithm == "HPKE_P256":
        return _on_curve(message.private_key, ec.SECP256R1())
    if algorithm == "HPKE_MLKEM768_X25519":
        return XWingPrivateKey(message.private_key)
    return X25519PrivateKey.from_private_bytes(message.private_key)


def _ecdsa(message: Any, algorithm: str) -> object:
    number, digest, curve = _CURVES[algorithm]
    params = message.public_key.params
    if params.curve != number:
        raise _other_parameters("curve", algorithm)
    if params.hash_type != digest:
        raise _other_parameters("hash", algorithm)
    return _on_curve(message.key_value, curve)


def _on_curve(scalar: bytes, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    # Tink puts a zero byte in front of some.
    stripped = scalar.lstrip(b"\0")
    if len(stripped) > (curve.key_size + 7) // 8:
        raise ValueError("a number that is larger than the order of the curve")
    return ec.derive_private_key(int.from_bytes(stripped, "big"), curve)


def _rsa(message: Any, algorithm: str) -> object:
    public = message.public_key
    if public.params.sig_hash != tink.HASH_SHA256 or public.params.mgf1_hash != tink.HASH_SHA256:
        raise _other_parameters("hash", algorithm)
    names = ("p", "q", "d", "dp", "dq", "crt")
    numbers = [getattr(message, name) for name in names] + [public.e, public.n]
    if any(len(number.lstrip(b"\0")) > _MAX_RSA_BYTES for number in numbers):
        raise refused(f"an RSA key of more than {max(RSA_BITS[algorithm])} bits", algorithm)
    p, q, d, dp, dq, crt, e, n = (int.from_bytes(number, "big") for number in numbers)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, crt, rsa.RSAPublicNumbers(e, n)).private_key(
        unsafe_skip_rsa_key_validation=True
    )


def _ed25519(message: Any, _: str) -> object:
    return Ed25519PrivateKey.from_private_bytes(message.key_value)


def _ml_dsa(message: Any, algorithm: str) -> object:
    if message.public_key.params.ml_dsa_instance != tink.ML_DSA_65:
        raise _other_parameters("instance", algorithm)
    return MLDSA65PrivateKey.from_seed_bytes(message.key_value)


_READERS: Final[dict[str, Callable[[Any, str], object]]] = {
    "HpkePrivateKey": _hpke,
    "EcdsaPrivateKey": _ecdsa,
    "RsaSsaPssPrivateKey": _rsa,
    "Ed25519PrivateKey": _ed25519,
    "MlDsaPrivateKey": _ml_dsa,
}


def _other_parameters(what: str, algorithm: str) -> ImportRefusedError:
    return ImportRefusedError(
        f"the {what} of the Tink key is not that of {algorithm}: one key does one thing only, so"
        " make another for this vault, or give the vault's key the algorithm that fits"
    )
