"""Keys from other keys: as RFC 5869 has it, and each for one place only."""

import dataclasses
import hashlib
import hmac
import itertools
import json
from typing import Any

import cryptography_vectors
import pytest

from leeward.formats.material import ALGORITHMS, SIZES, check
from leeward.keystore.origins import DerivedKey, NotDerivableError, derive_key

PARENT = hashlib.sha256(b"parent").digest()
DERIVED = DerivedKey(
    vault_id="11" * 16,
    parent="root",
    parent_version=2,
    key="exports",
    version=1,
    algorithm="AES256_GCM",
    info="exports to the registry",
)


def hkdf(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA256 as RFC 5869, section 2, has it, by Python's own HMAC."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    block, made = b"", b""
    for number in itertools.count(1):
        block = hmac.digest(extracted, block + info + bytes([number]), "sha256")
        made += block
        if len(made) >= size:
            return made[:size]
    raise AssertionError


def rfc_5869() -> list[dict[str, str]]:
    with cryptography_vectors.open_vector_file("KDF/rfc-5869-HKDF-SHA256.txt", "r") as file:
        text = file.read()
    blocks = [block.split("\n") for block in text.split("COUNT = ")[1:]]
    pairs = [[line.partition("=") for line in block if "=" in line] for block in blocks]
    return [{name.strip(): value.strip() for name, _, value in block} for block in pairs]


@pytest.mark.parametrize("vector", rfc_5869())
def test_yardstick_is_that_of_the_rfc(vector: dict[str, str]) -> None:
    secret, salt, info = (bytes.fromhex(vector[name]) for name in ("IKM", "salt", "info"))
    assert hkdf(secret, salt, info, int(vector["L"])).hex() == vector["OKM"]


@pytest.mark.parametrize("algorithm", SIZES)
def test_derived_key_is_hkdf_over_its_place(algorithm: str) -> None:
    derived = dataclasses.replace(DERIVED, algorithm=algorithm)
    place = [
        "leeward.dev/derived-key",
        1,
        "11" * 16,
        "root",
        2,
        "exports",
        1,
        algorithm,
        "exports to the registry",
    ]
    info = json.dumps(place, separators=(",", ":")).encode()
    made = derive_key(PARENT, derived)
    assert made == hkdf(PARENT, b"", info, SIZES[algorithm])
    check(algorithm, made)


@pytest.mark.parametrize(
    "change",
    [
        {"vault_id": "22" * 16},
        {"parent": "other"},
        {"parent_version": 3},
        {"key": "other"},
        {"version": 2},
        {"algorithm": "CHACHA20_POLY1305"},
        {"info": "Exports to the registry"},
        {"info": ""},
        {"key": "exports2", "info": "xports to the registry"},
    ],
)
def test_another_place_is_another_key(change: dict[str, Any]) -> None:
    assert derive_key(PARENT, dataclasses.replace(DERIVED, **change)) != derive_key(PARENT, DERIVED)


def test_another_parent_is_another_key() -> None:
    assert derive_key(PARENT[::-1], DERIVED) != derive_key(PARENT, DERIVED)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in SIZES])
def test_pairs_that_are_not_any_bytes_are_refused(algorithm: str) -> None:
    with pytest.raises(NotDerivableError, match=f"{algorithm}.*HPKE_X25519.*generate or import"):
        derive_key(PARENT, dataclasses.replace(DERIVED, algorithm=algorithm))


def test_key_is_not_derived_from_itself() -> None:
    with pytest.raises(NotDerivableError, match="exports would be derived from itself"):
        derive_key(PARENT, dataclasses.replace(DERIVED, parent="exports"))


def test_short_parent_and_long_info_are_refused() -> None:
    with pytest.raises(NotDerivableError, match="root has 16 bytes"):
        derive_key(PARENT[:16], DERIVED)
    with pytest.raises(NotDerivableError, match="257 characters"):
        derive_key(PARENT, dataclasses.replace(DERIVED, info="x" * 257))
