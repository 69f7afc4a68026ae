"""RSA keys of the tests: making one takes up to seconds of a processor.

The `openssl` program wrote them (genpkey -algorithm RSA). What makes keys is tested with new ones,
in tests/unit/formats/material; everything else takes these.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leeward.formats.material import RSA_BITS, Random, from_private_key, generate

_FOLDER = Path(__file__).parent
RsaName = Literal["1024", "2048", "3072", "3072-other", "3072-e3", "4096"]
"""Bits of the modulus; another one of them; one of the public exponent 3."""

_NAMES: dict[str, tuple[RsaName, ...]] = {
    "RSA3072_OAEP": ("3072",),
    "RSA4096_OAEP": ("4096",),
    "RSA_PSS": ("3072-other", "3072"),
}


def rsa_pem(name: RsaName) -> bytes:
    """PEM PKCS#8, as the openssl program wrote it."""
    return (_FOLDER / f"{name}.pem").read_bytes()


@functools.cache
def rsa_key(name: RsaName) -> RSAPrivateKey:
    """A key of the library."""
    key = load_pem_private_key(rsa_pem(name), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return key


def material(algorithm: str, random: Random, which: int = 0) -> bytes:
    """As `generate`, but an RSA key is one of these: another one for another `which`."""
    if algorithm not in RSA_BITS:
        return generate(algorithm, random)
    return from_private_key(algorithm, rsa_key(_NAMES[algorithm][which]))
