"""Which keys can be made from a secret: those that are just so many random bytes."""

from leeward.formats.material import ALGORITHMS, SIZES
from leeward.keystore.origins.errors import NotDerivableError


def seed_size(algorithm: str) -> int:
    """Bytes that a derived key of this algorithm has.

    Symmetric keys, X25519 and Ed25519 private keys (RFC 7748, RFC 8032), and the seeds of ML-DSA
    (FIPS 204) and X-Wing are any bytes. RSA needs primes and the NIST curves a number below their
    order: ways to get those from bytes exist (RFC 9180, 7.1.3), and no two programs agree on one,
    so a key made so could not be made again elsewhere, which is what derived keys are for.

    Raises:
        NotDerivableError: It is one of the latter, or unknown.
    """
    if algorithm in SIZES:
        return SIZES[algorithm]
    if algorithm not in ALGORITHMS:
        raise NotDerivableError(f"there is no algorithm {algorithm}: {_instead()}")
    raise NotDerivableError(
        f"a key of {algorithm} is not made from a passphrase or another key, since programs do not"
        f" agree on how: {_instead()}, or take the origin generate or import"
    )


def _instead() -> str:
    return f"use an algorithm among {', '.join(SIZES)}"
