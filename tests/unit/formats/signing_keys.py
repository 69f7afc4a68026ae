"""Keys that sign, one per algorithm, made once per process."""

import functools
import os
from typing import cast

from golden.rsa.keys import material
from leeward.formats.dsse import SigningAlgorithm, SigningKey
from leeward.formats.material import private_key

SIGNING: tuple[SigningAlgorithm, ...] = (
    "RSA_PSS",
    "ECDSA_P256",
    "ECDSA_P384",
    "ED25519",
    "ML_DSA_65",
)


def signer(algorithm: SigningAlgorithm, which: int = 0) -> SigningKey:
    """Another one for another `which`."""
    return _made(algorithm, which)


@functools.cache
def _made(algorithm: SigningAlgorithm, which: int) -> SigningKey:
    return cast(SigningKey, private_key(algorithm, material(algorithm, os.urandom, which)))
