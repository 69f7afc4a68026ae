"""Public halves: PEM, which `leeward seal` reads, and JSON Web Keys, which other programs read."""

import base64
import hashlib
from typing import Any, Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.formats.material.errors import InvalidMaterial
from leeward.formats.material.xwing import XWingPublicKey

PublicKey = (
    X25519PublicKey
    | EllipticCurvePublicKey
    | RSAPublicKey
    | Ed25519PublicKey
    | MLDSA65PublicKey
    | XWingPublicKey
)

LISTED: Final = "make a key of an algorithm that the reference of KeyVault lists"
FINGERPRINT_SIZE: Final = 16
RSA_BITS: Final[dict[str, tuple[int, ...]]] = {
    "RSA3072_OAEP": (3072,),
    "RSA4096_OAEP": (4096,),
    "RSA_PSS": (3072, 4096),
}
"""Bits of the modulus, by algorithm; a new key has the first."""
RSA_EXPONENT: Final = 65537
CURVES: Final[dict[str, type[EllipticCurve]]] = {
    "HPKE_P256": SECP256R1,
    "ECDSA_P256": SECP256R1,
    "ECDSA_P384": SECP384R1,
}
_OTHERS: Final[dict[str, type]] = {
    "HPKE_X25519": X25519PublicKey,
    "HPKE_MLKEM768_X25519": XWingPublicKey,
    "ED25519": Ed25519PublicKey,
    "ML_DSA_65": MLDSA65PublicKey,
}
_JWK_ALGORITHMS: Final = {
    "RSA3072_OAEP": "RSA-OAEP-256",
    "RSA4096_OAEP": "RSA-OAEP-256",
    "RSA_PSS": "PS256",
    "ECDSA_P256": "ES256",
    "ECDSA_P384": "ES384",
    "ML_DSA_65": "ML-DSA-65",
}
_SIGNING: Final = {"RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519", "ML_DSA_65"}


def load_public(pem: str | bytes) -> PublicKey:
    """Read PEM SubjectPublicKeyInfo of any algorithm of ours.

    Raises:
        InvalidMaterial: no PEM, or a kind of key that none of our algorithms uses.
    """
    data = pem.encode() if isinstance(pem, str) else pem
    hybrid = XWingPublicKey.from_pem(data)
    if hybrid is not None:
        return hybrid
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        # Without its cause, which quotes what was read: that may be a private key.
        raise InvalidMaterial(
            "no public key in PEM could be read: give PEM SubjectPublicKeyInfo (BEGIN PUBLIC KEY)"
        ) from None
    if not isinstance(
        key,
        X25519PublicKey
        | EllipticCurvePublicKey
        | RSAPublicKey
        | Ed25519PublicKey
        | MLDSA65PublicKey,
    ):
        raise InvalidMaterial(f"no algorithm of Leeward uses {type(key).__name__}: {LISTED}")
    return key


def check_public(algorithm: str, key: object) -> None:
    """Whether `key`, an object of the library, is a public half of `algorithm`.

    Raises:
        InvalidMaterial: another kind, an RSA modulus of another length, another curve.
    """
    if algorithm in RSA_BITS:
        _check_rsa(algorithm, key)
    elif algorithm in CURVES:
        curve = CURVES[algorithm]
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, curve):
            raise InvalidMaterial(f"{algorithm} needs a key on the curve {curve.name}")
    elif algorithm not in _OTHERS:
        raise InvalidMaterial(f"{algorithm} has no public half")
    elif not isinstance(key, _OTHERS[algorithm]):
        raise InvalidMaterial(f"the key is of another kind than {algorithm}")


def _check_rsa(algorithm: str, key: object) -> None:
    allowed = RSA_BITS[algorithm]
    if not isinstance(key, RSAPublicKey):
        raise InvalidMaterial(f"{algorithm} needs an RSA key")
    if key.public_numbers().e != RSA_EXPONENT:
        raise InvalidMaterial(f"the RSA exponent is not {RSA_EXPONENT}: make a new key")
    if key.key_size not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise InvalidMaterial(
            f"the RSA modulus has {key.key_size} bits, {algorithm} has {wanted}: "
            "below 3072 bits RSA is below 128-bit strength (NIST SP 800-57)"
        )


def public_der(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    if isinstance(key, XWingPublicKey):
        return key.to_der()
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem_of(key: PublicKey) -> str:
    """PEM SubjectPublicKeyInfo."""
    if isinstance(key, XWingPublicKey):
        return key.to_pem().decode()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def fingerprint(public: str | bytes | PublicKey) -> bytes:
    """The first 16 bytes of SHA-256 over the DER SubjectPublicKeyInfo.

    Args:
        public: PEM, or the key itself.

    Raises:
        InvalidMaterial: no PEM, or a kind of key that none of our algorithms uses.
    """
    key = load_public(public) if isinstance(public, str | bytes) else public
    return hashlib.sha256(public_der(key)).digest()[:FINGERPRINT_SIZE]


def public_jwk(pem: str | bytes, key_id: str, algorithm: str) -> str | None:
    """The public half as a JSON Web Key, in canonical JSON.

    RFC 7517 and RFC 7518 (RSA, EC), RFC 8037 (X25519, Ed25519), RFC 9964 (ML-DSA, ``AKP``).
    None for HPKE_MLKEM768_X25519: no standard gives it a JWK yet.

    Args:
        pem: SubjectPublicKeyInfo.
        key_id: Becomes ``kid``.
        algorithm: Of the key; decides ``use`` and ``alg``.

    Raises:
        InvalidMaterial: The PEM is not a public half of that algorithm.
    """
    # Here, since it takes pydantic, whose import takes longer than opening a file.
    from leeward.formats.document import canonical_json

    key = load_public(pem)
    check_public(algorithm, key)
    if isinstance(key, XWingPublicKey):
        return None
    members: dict[str, Any] = {"kid": key_id, "use": "sig" if algorithm in _SIGNING else "enc"}
    if algorithm in _JWK_ALGORITHMS:
        members["alg"] = _JWK_ALGORITHMS[algorithm]
    return canonical_json(members | _jwk_members(key)).decode()


def _jwk_members(
    key: X25519PublicKey
    | EllipticCurvePublicKey
    | RSAPublicKey
    | Ed25519PublicKey
    | MLDSA65PublicKey,
) -> dict[str, str]:
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}
    if isinstance(key, EllipticCurvePublicKey):
        point, size = key.public_numbers(), (key.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": f"P-{key.key_size}",
            "x": _base64url(point.x.to_bytes(size, "big")),
            "y": _base64url(point.y.to_bytes(size, "big")),
        }
    raw = _base64url(key.public_bytes_raw())
    if isinstance(key, MLDSA65PublicKey):
        return {"kty": "AKP", "pub": raw}
    curve = "X25519" if isinstance(key, X25519PublicKey) else "Ed25519"
    return {"kty": "OKP", "crv": curve, "x": raw}


def _integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
