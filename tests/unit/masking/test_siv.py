import base64
import os

import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from leeward_masking.ciphers.siv import MAX_LOCKSTEP, SLICE, BatchSiv

KEY = bytes(range(64))


def reference(values: list[bytes | None]) -> list[str | None]:
    cipher = AESSIV(KEY)
    return [
        None
        if value is None
        else base64.urlsafe_b64encode(cipher.encrypt(value, None)).rstrip(b"=").decode()
        for value in values
    ]


def test_yardstick_is_rfc_5297() -> None:
    # RFC 5297, appendix A.1.
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    data = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    plain = bytes.fromhex("112233445566778899aabbccddee")
    expected = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert AESSIV(key).encrypt(plain, [data]).hex() == expected


@pytest.mark.parametrize("size", [*range(50), MAX_LOCKSTEP - 1, MAX_LOCKSTEP, MAX_LOCKSTEP + 1])
def test_every_length_is_that_of_the_library(size: int) -> None:
    values = [os.urandom(size) for _ in range(3)]
    sealed = BatchSiv(KEY).seal(pl.Series("v", values, pl.Binary))
    assert sealed.to_list() == reference([*values])


def test_mixed_lengths_nulls_and_several_slices_keep_their_places() -> None:
    values: list[bytes | None] = [os.urandom(place * 7 % 90) for place in range(SLICE + 100)]
    values[3] = values[SLICE] = None
    column = pl.Series("v", values, pl.Binary)
    assert BatchSiv(KEY).seal(column).to_list() == reference(values)
    vectors = BatchSiv(KEY).prf(column)
    single = AESSIV(KEY)
    for place in (0, 3, SLICE - 1, SLICE, SLICE + 99):
        assert vectors[place].tobytes() == single.encrypt(values[place] or b"", None)[:16]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_without_values(values: list[bytes | None]) -> None:
    sealed = BatchSiv(KEY).seal(pl.Series("v", values, pl.Binary))
    assert sealed.to_list() == values
    assert sealed.name == "v"
    assert sealed.dtype == pl.String


def test_prf_of_long_values() -> None:
    value = os.urandom(5000)
    vector = BatchSiv(KEY).prf(pl.Series("v", [value], pl.Binary))
    assert vector[0].tobytes() == AESSIV(KEY).encrypt(value, None)[:16]


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        BatchSiv(KEY[:32])
