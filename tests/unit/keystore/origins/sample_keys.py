"""Keys to import: one pair of each kind per process, and PEM of it in each encoding."""

import functools
import hashlib
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    mldsa,
    x448,
    x25519,
)

from golden.rsa.keys import rsa_key
from leeward.formats.material import XWingPrivateKey

KINDS: dict[str, Any] = {
    "X25519": x25519.X25519PrivateKey.generate,
    "X448": x448.X448PrivateKey.generate,
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "RSA-2048": lambda: rsa_key("2048"),
    "RSA-3072": lambda: rsa_key("3072"),
    "RSA-4096": lambda: rsa_key("4096"),
    "RSA-3072-e3": lambda: rsa_key("3072-e3"),
    "X-Wing": lambda: XWingPrivateKey(random_bytes("x-wing", 32)),
}

FITTING = {
    "HPKE_X25519": "X25519",
    "HPKE_P256": "P-256",
    "HPKE_MLKEM768_X25519": "X-Wing",
    "RSA3072_OAEP": "RSA-3072",
    "RSA4096_OAEP": "RSA-4096",
    "RSA_PSS": "RSA-3072",
    "ECDSA_P256": "P-256",
    "ECDSA_P384": "P-384",
    "ED25519": "Ed25519",
    "ML_DSA_65": "ML-DSA-65",
}
"""A kind of pair for each algorithm that has halves."""

FOUND = {
    "X25519": "an X25519 key",
    "X448": "an X448 key",
    "Ed25519": "an Ed25519 key",
    "Ed448": "an Ed448 key",
    "P-256": "an EC key on P-256",
    "P-384": "an EC key on P-384",
    "P-521": "an EC key on P-521",
    "secp256k1": "an EC key on secp256k1",
    "ML-DSA-44": "an ML-DSA-44 key",
    "ML-DSA-65": "an ML-DSA-65 key",
    "RSA-2048": "an RSA key of 2048 bits",
    "RSA-3072": "an RSA key of 3072 bits",
    "RSA-4096": "an RSA key of 4096 bits",
    "X-Wing": "an X-Wing key",
}
"""What an error calls each."""


def random_bytes(label: str, size: int) -> bytes:
    """Fixed, and looking random."""
    return hashlib.shake_256(label.encode()).digest(size)


@functools.cache
def pair(kind: str) -> Any:
    """A private key of the library."""
    return KINDS[kind]()


def pem(
    key: Any,
    *,
    traditional: bool = False,
    encryption: serialization.KeySerializationEncryption | None = None,
) -> bytes:
    """PKCS#8, or PKCS#1 and SEC 1."""
    if isinstance(key, XWingPrivateKey):
        return key.to_pem()
    form = serialization.PrivateFormat
    made: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        form.TraditionalOpenSSL if traditional else form.PKCS8,
        encryption or serialization.NoEncryption(),
    )
    return made


def public_pem(key: Any) -> bytes:
    """SubjectPublicKeyInfo."""
    made: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made
