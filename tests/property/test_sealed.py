"""Properties of sealed files, for keys of every kind, sizes around chunk borders and any front."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.lwe1.cases import ALICE, IVAN, PAIRS, SYMMETRIC, fixed_random, stretch
from golden.lwe1.decoder import decode
from leeward.formats.material import PrivateKey, PublicKey
from leeward.formats.sealed import (
    ChunkAlgorithm,
    NoKeyForFile,
    PrivateHalf,
    PublicHalf,
    RecipientsTampered,
    SealedError,
    SealedReader,
    SealedWriter,
    SymmetricKey,
    core_digest,
    inspect,
    open_stream,
    rewrap,
    seal_stream,
)
from leeward.formats.sealed.keys import UnwrapError
from leeward.formats.sealed.layout import RecipientEntry

Key = SymmetricKey | PrivateHalf[PrivateKey]

FRONT = 16512
ENTRIES = slice(40, 8152)
KEYS: tuple[Key, ...] = (*SYMMETRIC, *PAIRS)

any_key = st.sampled_from(KEYS)
some_keys = st.lists(any_key, min_size=1, max_size=8, unique=True)
any_cipher: st.SearchStrategy[ChunkAlgorithm | None] = st.sampled_from(
    [None, "AES256_GCM", "CHACHA20_POLY1305"]
)

around_borders = st.builds(
    lambda chunks, rest: max(0, chunks * 64 + rest),
    st.integers(0, 4),
    st.integers(-2, 2) | st.integers(0, 63),
)


def recipient(key: Key) -> SymmetricKey | PublicHalf[PublicKey]:
    return key.public_key if isinstance(key, PrivateHalf) else key


def sealed_to(keys: list[Key], plain: bytes, algorithm: ChunkAlgorithm | None = None) -> bytes:
    target = io.BytesIO()
    recipients = [recipient(key) for key in keys]
    seal_stream(io.BytesIO(plain), target, recipients, chunk_size=64, algorithm=algorithm)
    return target.getvalue()


def opened(data: bytes, keys: list[Key]) -> bytes:
    target = io.BytesIO()
    open_stream(io.BytesIO(data), target, keys)
    return target.getvalue()


def sealed(plain: bytes, pieces: list[int], seed: int, key: SymmetricKey = ALICE) -> bytes:
    target = io.BytesIO()
    random = fixed_random(f"property {seed}")
    with SealedWriter(target, [key], random=random, chunk_size=64, with_digest=True) as writer:
        rest = plain
        for piece in pieces:
            writer.write(rest[:piece])
            rest = rest[piece:]
        writer.write_from(io.BytesIO(rest))
    assert writer.digest == core_digest(io.BytesIO(target.getvalue()))
    return target.getvalue()


@given(around_borders, st.lists(st.integers(0, 150), max_size=5), st.integers(0, 1000))
def test_any_size_in_any_pieces_opens_as_it_was(size: int, pieces: list[int], seed: int) -> None:
    plain = stretch(f"{seed}", size)
    data = sealed(plain, pieces, seed)
    target = io.BytesIO()
    info = open_stream(io.BytesIO(data), target, [ALICE])
    assert target.getvalue() == plain
    assert info.plaintext_size == inspect(io.BytesIO(data)).plaintext_size == size
    assert decode(data, {ALICE.key_id: ALICE.material}).plaintext == plain


@given(some_keys, around_borders, any_cipher, st.data())
def test_whatever_it_is_sealed_to_each_recipient_opens_it_and_nobody_else(
    keys: list[Key], size: int, algorithm: ChunkAlgorithm | None, data: st.DataObject
) -> None:
    plain = stretch("recipients", size)
    file = sealed_to(keys, plain, algorithm)
    assert opened(file, [data.draw(st.sampled_from(keys))]) == plain
    assert opened(file, data.draw(st.permutations(KEYS))) == plain
    others = [key for key in KEYS if key not in keys]
    with pytest.raises(NoKeyForFile):
        opened(file, others)


@given(any_key, any_key, st.binary(max_size=200))
def test_rewrapped_from_any_kind_to_any_kind_it_opens_as_it_was(
    former: Key, later: Key, plain: bytes
) -> None:
    file = io.BytesIO(sealed_to([former], plain))
    rewrap(file, [former], [recipient(later)])
    assert opened(file.getvalue(), [later]) == plain
    if former is not later:
        with pytest.raises(NoKeyForFile):
            opened(file.getvalue(), [former])


@given(any_key, st.data())
def test_any_change_of_an_entry_is_refused(key: Key, data: st.DataObject) -> None:
    file_id, data_key = data.draw(st.binary(min_size=16, max_size=16)), stretch("data key", 32)
    entry = recipient(key).wrap(data_key, file_id, fixed_random("entry"))
    assert key.unwrap(entry, file_id) == data_key
    payload = bytearray(entry.payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnwrapError):
        key.unwrap(RecipientEntry(entry.kind, entry.key_id, bytes(payload)), file_id)
    begin = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(begin, len(payload)))
    patched = entry.payload[:begin] + data.draw(st.binary(max_size=50)) + entry.payload[end:]
    if patched != entry.payload:
        with pytest.raises(UnwrapError):
            key.unwrap(RecipientEntry(entry.kind, entry.key_id, patched), file_id)


@given(any_key, st.binary(max_size=1300))
def test_any_bytes_as_an_entry_are_refused(key: Key, payload: bytes) -> None:
    kind = recipient(key).KIND
    with pytest.raises(UnwrapError):
        key.unwrap(RecipientEntry(kind, key.key_id, payload), bytes(16))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
def test_entry_moved_to_another_file_is_refused(key: Key) -> None:
    one, other = sealed_to([key], b"one"), sealed_to([key], b"other")
    moved = one[: ENTRIES.start] + other[ENTRIES] + one[ENTRIES.stop : FRONT - 128]
    moved = moved[:8192] * 2 + one[16384:]
    with pytest.raises(RecipientsTampered):
        opened(moved, [key])


@given(any_key, st.integers(0, 8 * (FRONT + 20) - 1))
def test_any_bit_flipped_anywhere_is_refused(key: Key, bit: int) -> None:
    plain = b"four"
    changed = bytearray(sealed_to([key], plain))
    assert len(changed) == FRONT + 20
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealedError):
        opened(bytes(changed), [key])


@given(around_borders, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=20))
def test_any_range_is_that_of_the_plaintext(size: int, ranges: list[tuple[int, int]]) -> None:
    plain = stretch("ranges", size)
    reader = SealedReader(io.BytesIO(sealed(plain, [], 1)), [ALICE])
    for offset, length in ranges:
        reader.seek(offset)
        assert reader.read(length) == plain[offset : offset + length]
        assert reader.read_at(offset, length) == plain[offset : offset + length]


@given(st.sampled_from([ALICE, IVAN]), st.integers(0, 300), st.data())
def test_any_change_of_the_chunks_is_refused(
    key: SymmetricKey, size: int, data: st.DataObject
) -> None:
    original = sealed(stretch("change", size), [], 2, key)
    body = original[FRONT:]
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, len(body)))
    changed = body[:begin] + data.draw(st.binary(max_size=100)) + body[end:]
    target = io.BytesIO()
    try:
        open_stream(io.BytesIO(original[:FRONT] + changed), target, [key])
    except SealedError:
        assert changed != body
    else:
        assert changed == body


EVERY = [sealed_to([key], b"some plaintext") for key in KEYS]


@given(st.sampled_from(EVERY), st.binary(max_size=200), st.integers(0, FRONT))
def test_any_front_is_read_or_refused_by_an_error_of_the_format(
    file: bytes, patch: bytes, at: int
) -> None:
    data = bytearray(file)
    data[at : at + len(patch)] = patch
    for read in (inspect, lambda file: SealedReader(file, KEYS), core_digest):
        with contextlib.suppress(SealedError):
            read(io.BytesIO(bytes(data)))


@given(st.binary(max_size=400))
def test_any_input_is_refused_by_an_error_of_the_format(data: bytes) -> None:
    for read in (inspect, lambda file: SealedReader(file, [ALICE]), core_digest):
        with contextlib.suppress(SealedError):
            read(io.BytesIO(data))
            raise AssertionError("nothing that short is a sealed file")
