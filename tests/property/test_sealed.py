"""Properties of sealed files, for sizes around chunk borders and any front."""

from __future__ import annotations

import contextlib
import io

from hypothesis import given
from hypothesis import strategies as st

from golden.lwe1.cases import ALICE, fixed_random, stretch
from golden.lwe1.decoder import decode
from leeward.formats.sealed import (
    SealedError,
    SealedReader,
    SealedWriter,
    core_digest,
    inspect,
    open_stream,
)

FRONT = 16512

around_borders = st.builds(
    lambda chunks, rest: max(0, chunks * 64 + rest),
    st.integers(0, 4),
    st.integers(-2, 2) | st.integers(0, 63),
)


def sealed(plain: bytes, pieces: list[int], seed: int) -> bytes:
    target = io.BytesIO()
    random = fixed_random(f"property {seed}")
    with SealedWriter(target, [ALICE], random=random, chunk_size=64) as writer:
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


@given(around_borders, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=20))
def test_any_range_is_that_of_the_plaintext(size: int, ranges: list[tuple[int, int]]) -> None:
    plain = stretch("ranges", size)
    reader = SealedReader(io.BytesIO(sealed(plain, [], 1)), [ALICE])
    for offset, length in ranges:
        reader.seek(offset)
        assert reader.read(length) == plain[offset : offset + length]
        assert reader.read_at(offset, length) == plain[offset : offset + length]


@given(st.integers(0, 300), st.data())
def test_any_change_of_the_chunks_is_refused(size: int, data: st.DataObject) -> None:
    original = sealed(stretch("change", size), [], 2)
    body = original[FRONT:]
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, len(body)))
    changed = body[:begin] + data.draw(st.binary(max_size=100)) + body[end:]
    target = io.BytesIO()
    try:
        open_stream(io.BytesIO(original[:FRONT] + changed), target, [ALICE])
    except SealedError:
        assert changed != body
    else:
        assert changed == body


@given(st.binary(max_size=200), st.integers(0, FRONT))
def test_any_front_is_read_or_refused_by_an_error_of_the_format(patch: bytes, at: int) -> None:
    data = bytearray(sealed(b"some plaintext", [], 3))
    data[at : at + len(patch)] = patch
    for read in (inspect, lambda file: SealedReader(file, [ALICE]), core_digest):
        with contextlib.suppress(SealedError):
            read(io.BytesIO(bytes(data)))


@given(st.binary(max_size=400))
def test_any_input_is_refused_by_an_error_of_the_format(data: bytes) -> None:
    for read in (inspect, lambda file: SealedReader(file, [ALICE]), core_digest):
        with contextlib.suppress(SealedError):
            read(io.BytesIO(data))
            raise AssertionError("nothing that short is a sealed file")
