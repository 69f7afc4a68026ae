"""What a key of each algorithm is called in errors, and its material once it is read."""

from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    mldsa,
    mlkem,
    rsa,
    x448,
    x25519,
)

from leeward.formats.material import (
    ALGORITHMS,
    RSA_BITS,
    SIZES,
    InvalidMaterial,
    XWingPrivateKey,
    check,
    from_private_key,
)
from leeward.keystore.origins.errors import ImportRefusedError

_PAIRS: Final = {
    "HPKE_X25519": "an X25519 private key",
    "HPKE_MLKEM768_X25519": "an X-Wing private key (ML-KEM-768 with X25519)",
    "ED25519": "an Ed25519 private key",
    "ML_DSA_65": "an ML-DSA-65 private key",
    "HPKE_P256": "an EC private key on P-256",
    "ECDSA_P256": "an EC private key on P-256",
    "ECDSA_P384": "an EC private key on P-384",
}
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (x25519.X25519PrivateKey, "an X25519 key"),
    (XWingPrivateKey, "an X-Wing key"),
    (ed25519.Ed25519PrivateKey, "an Ed25519 key"),
    (x448.X448PrivateKey, "an X448 key"),
    (ed448.Ed448PrivateKey, "an Ed448 key"),
    (mldsa.MLDSA44PrivateKey, "an ML-DSA-44 key"),
    (mldsa.MLDSA65PrivateKey, "an ML-DSA-65 key"),
    (mldsa.MLDSA87PrivateKey, "an ML-DSA-87 key"),
    (mlkem.MLKEM768PrivateKey, "an ML-KEM-768 key"),
    (mlkem.MLKEM1024PrivateKey, "an ML-KEM-1024 key"),
)


def is_symmetric(algorithm: str) -> bool:
    """Whether a key of the algorithm has no halves."""
    return algorithm in SIZES and algorithm not in _PAIRS


def expected(algorithm: str) -> str:
    """What a key of the algorithm is, in words.

    Raises:
        ImportRefusedError: There is no such algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise ImportRefusedError(
            f"there is no algorithm {algorithm}: use one of {', '.join(ALGORITHMS)}"
        )
    if algorithm in RSA_BITS:
        return f"an RSA private key of {' or '.join(map(str, RSA_BITS[algorithm]))} bits"
    return _PAIRS.get(algorithm) or f"a symmetric key of {SIZES[algorithm]} bytes"


def refused(found: str, algorithm: str) -> ImportRefusedError:
    """The error for something else than a key of the algorithm."""
    return ImportRefusedError(
        f"the Secret holds {found}, and {algorithm} needs {expected(algorithm)}: import such a"
        " key, or give the vault's key the algorithm that fits"
    )


def described(key: object) -> str:
    """What was found, in words."""
    if isinstance(key, rsa.RSAPrivateKey):
        return f"an RSA key of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"an EC key on {_CURVES.get(key.curve.name, key.curve.name)}"
    return next((name for kind, name in _KINDS if isinstance(key, kind)), "a key of another kind")


def material_of(key: object, algorithm: str) -> bytes:
    """The material of a private key that was read and not checked yet.

    Takes 0.1 s for RSA, whose factors are tested for being prime.

    Raises:
        ImportRefusedError: Another kind of key or another size than the algorithm's, or one whose
            parts do not fit each other.
    """
    if is_symmetric(algorithm):
        raise refused(described(key), algorithm)
    try:
        material = from_private_key(algorithm, key)
    except InvalidMaterial as error:
        if isinstance(key, rsa.RSAPrivateKey) and algorithm in RSA_BITS:
            # It has something to say beyond kind and size: the exponent, the strength.
            raise ImportRefusedError(f"the Secret holds {described(key)}: {error}") from None
        raise refused(described(key), algorithm) from None
    except (ValueError, UnsupportedAlgorithm, InternalError):
        raise damaged(described(key)) from None
    try:
        check(algorithm, material)
    except (InvalidMaterial, UnsupportedAlgorithm, InternalError):
        raise damaged(described(key)) from None
    return material


def damaged(found: str) -> ImportRefusedError:
    """The error for a key that contradicts itself."""
    return ImportRefusedError(
        f"the Secret holds {found} whose parts do not fit each other: export it again from where"
        " it came from"
    )
