"""RSA-OAEP: the vectors that were made from RSA's own for SHA-256, by the padding object of ours.

No published ones have keys of 3072 bits and more, which alone our recipients take; so their refusal
of the smaller ones is shown, too. RSA-OAEP with a label is shown against OpenSSL's program.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
)

from leeward.formats.material import InvalidMaterial, check, from_private_key
from leeward.formats.sealed import InvalidKey, RsaOaepPrivateKey
from leeward.formats.sealed.keys.rsa import padding
from unit.formats.vectors.published import text

PATH = "asymmetric/RSA/oaep-custom/oaep-sha256-sha256.txt"
PRIVATE = (
    "Modulus",
    "Public exponent",
    "Exponent",
    "Prime 1",
    "Prime 2",
    "Prime exponent 1",
    "Prime exponent 2",
    "Coefficient",
)


def values() -> Iterator[tuple[str, str]]:
    name = ""
    for line in text(PATH).splitlines():
        if line.startswith("# "):
            name = line[2:].rstrip(":")
        elif line.strip() and not line.startswith("#"):
            yield name, line.strip()


@functools.cache
def examples() -> list[tuple[RSAPrivateKey, bytes, bytes]]:
    """Key, message, ciphertext."""
    return list(_examples())


def _examples() -> Iterator[tuple[RSAPrivateKey, bytes, bytes]]:
    numbers: dict[str, int] = {}
    message, key = b"", None
    for name, value in values():
        if name == "Message":
            message = bytes.fromhex(value)
        elif name == "Encryption":
            if key is None:
                key = private(numbers)
            yield key, message, bytes.fromhex(value)
        elif name in PRIVATE:
            numbers[name], key = int(value, 16), None


def private(numbers: dict[str, int]) -> RSAPrivateKey:
    n, e, d, p, q, dmp1, dmq1, iqmp = (numbers[name] for name in PRIVATE)
    return RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, RSAPublicNumbers(e, n)).private_key(
        unsafe_skip_rsa_key_validation=True
    )


def test_ciphertexts_of_the_vectors_open() -> None:
    assert len(examples()) >= 40
    for key, message, sealed in examples():
        assert key.decrypt(sealed, padding(b"")) == message
        with pytest.raises(ValueError, match="Decryption failed"):
            key.decrypt(sealed, padding(b"another label"))


def test_keys_of_the_vectors_are_too_short_for_recipients() -> None:
    for key in {key for key, _, _ in examples()}:
        with pytest.raises(InvalidKey, match="below 3072 bits"):
            RsaOaepPrivateKey(key)
        for algorithm in ("RSA3072_OAEP", "RSA4096_OAEP", "RSA_PSS"):
            with pytest.raises(InvalidMaterial, match=f"modulus has {key.key_size} bits"):
                from_private_key(algorithm, key)
            with pytest.raises(InvalidMaterial):
                check(algorithm, b"")
