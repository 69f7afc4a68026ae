"""Private keys that sign certificates and artefacts, from and to bytes.

Material by algorithm: ED25519 and ML_DSA_65 the 32-byte seed (RFC 8032 5.1.5, FIPS 204 algorithm
6); ECDSA_P256, ECDSA_P384 and RSA_PSS a DER PrivateKeyInfo (PKCS #8).
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509 import Certificate, CertificateBuilder

Random = Callable[[int], bytes]
SigningKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | MLDSA65PrivateKey

SEED_SIZE: Final = 32
_RSA_BITS: Final = 3072
_CURVES: Final[dict[str, EllipticCurve]] = {
    "ECDSA_P256": SECP256R1(),
    "ECDSA_P384": SECP384R1(),
}


class UnusableMaterialError(ValueError):
    """The material is not a private key of this algorithm."""


def load_signing_key(algorithm: str, material: bytes) -> SigningKey:
    """The private key that this material is.

    RSA parameters are not checked again here: that takes longer than the signature, and what is
    stored was checked when it came in and is authenticated since.

    Raises:
        UnusableMaterialError: It is none of this algorithm.
    """
    try:
        if algorithm == "ED25519":
            return Ed25519PrivateKey.from_private_bytes(material)
        if algorithm == "ML_DSA_65":
            return MLDSA65PrivateKey.from_seed_bytes(material)
        key = serialization.load_der_private_key(
            material, password=None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause: no text about the material may go on.
        raise UnusableMaterialError(f"the material is no key of {algorithm}") from None
    if algorithm == "RSA_PSS" and isinstance(key, RSAPrivateKey):
        return key
    curve = _CURVES.get(algorithm)
    if curve and isinstance(key, EllipticCurvePrivateKey) and key.curve.name == curve.name:
        return key
    raise UnusableMaterialError(f"the material is no key of {algorithm}")


def new_signing_key(algorithm: str, random: Random) -> SigningKey:
    """A new private key.

    Args:
        algorithm: One of the signing algorithms.
        random: Draws it; of RSA_PSS the library draws by itself, from the system.
    """
    if algorithm == "ED25519":
        return Ed25519PrivateKey.from_private_bytes(random(SEED_SIZE))
    if algorithm == "ML_DSA_65":
        return MLDSA65PrivateKey.from_seed_bytes(random(SEED_SIZE))
    if algorithm == "RSA_PSS":
        return generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    curve = _CURVES[algorithm]
    # FIPS 186-5 A.2.1: 64 bits more than the order has, so that the remainder is not biased.
    drawn = int.from_bytes(random(curve.key_size // 8 + 8))
    return derive_private_key(drawn % (curve.group_order - 1) + 1, curve)


def sign_certificate(builder: CertificateBuilder, key: SigningKey) -> Certificate:
    """Sign what was built.

    ECDSA (RFC 6979) and Ed25519 give the same bytes every time; RSA-PSS and ML-DSA draw a salt.
    """
    if isinstance(key, RSAPrivateKey):
        digest = hashes.SHA256()
        padding = PSS(MGF1(digest), digest.digest_size)
        return builder.sign(key, digest, rsa_padding=padding)
    if isinstance(key, EllipticCurvePrivateKey):
        wide = key.curve.key_size > _CURVES["ECDSA_P256"].key_size
        return builder.sign(
            key, hashes.SHA384() if wide else hashes.SHA256(), ecdsa_deterministic=True
        )
    return builder.sign(key, None)
