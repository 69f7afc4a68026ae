"""Encodings of pairs of ML-KEM-768 with X25519: one form, and no other is taken."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.formats.material import (
    InvalidMaterial,
    XWingPrivateKey,
    XWingPublicKey,
    load_private,
    load_public,
)

PRIVATE = XWingPrivateKey(bytes(range(32)))
PUBLIC = PRIVATE.public_key()


def pem(kind: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    return f"-----BEGIN {kind} KEY-----\n{text}\n-----END {kind} KEY-----\n".encode()


def test_pem_there_and_back() -> None:
    assert load_public(PUBLIC.to_pem()) == PUBLIC
    private = load_private(PRIVATE.to_pem())
    assert isinstance(private, XWingPrivateKey)
    assert private.seed == PRIVATE.seed


@pytest.mark.parametrize("newline", [b"\r\n", b"\n\n", b"\n  "])
def test_pem_may_have_other_line_ends_and_text_around_it(newline: bytes) -> None:
    text = b"# of Ada\n" + PUBLIC.to_pem().replace(b"\n", newline) + b"\nmore"
    assert load_public(text) == PUBLIC
    assert load_public(pem("PUBLIC", PUBLIC.to_der())) == PUBLIC


def test_halves_are_not_taken_for_each_other() -> None:
    with pytest.raises(InvalidMaterial, match="no public key"):
        load_public(PRIVATE.to_pem())
    with pytest.raises(InvalidMaterial, match="no private key"):
        load_private(PUBLIC.to_pem())


@pytest.mark.parametrize("cut", [1, 32, 1216])
def test_public_half_of_another_length_is_refused(cut: int) -> None:
    der = PUBLIC.to_der()
    for changed in (der[:-cut], der + bytes(cut)):
        with pytest.raises(InvalidMaterial, match="1216 bytes"):
            load_public(pem("PUBLIC", changed))
    with pytest.raises(InvalidMaterial, match="1216 bytes"):
        XWingPublicKey(b"")


def test_seed_of_another_length_is_refused() -> None:
    der = base64.b64decode(b"".join(PRIVATE.to_pem().splitlines()[1:-1]))
    for changed in (der[:-1], der + b"\0"):
        with pytest.raises(InvalidMaterial, match="seed of 32 bytes"):
            load_private(pem("PRIVATE", changed))


def test_public_half_outside_of_the_field_is_refused() -> None:
    """FIPS 203, section 7.2: coefficients are below 3329."""
    with pytest.raises(InvalidMaterial, match=r"FIPS 203, section 7\.2"):
        XWingPublicKey(b"\xff" * 1216)


@pytest.mark.parametrize("offset", [0, 1, 2, 5, 19])
def test_other_encoding_of_the_same_algorithm_is_refused(offset: int) -> None:
    der = bytearray(PUBLIC.to_der())
    der[offset] ^= 1
    with pytest.raises(InvalidMaterial):
        load_public(pem("PUBLIC", bytes(der)))


@given(st.data())
def test_any_damage_of_a_pem_is_refused_or_another_key(data: st.DataObject) -> None:
    for key, load in ((PUBLIC.to_pem(), load_public), (PRIVATE.to_pem(), load_private)):
        begin = data.draw(st.integers(0, len(key)))
        end = data.draw(st.integers(begin, min(len(key), begin + 40)))
        changed = key[:begin] + data.draw(st.binary(max_size=40)) + key[end:]
        with contextlib.suppress(InvalidMaterial):
            load(changed)


def test_private_half_shows_no_seed() -> None:
    assert repr(PRIVATE.seed) not in f"{PRIVATE} {PRIVATE!r}"
