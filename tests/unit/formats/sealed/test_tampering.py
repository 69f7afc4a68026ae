"""Whatever is done to a sealed file, it is refused, and nothing unauthenticated comes out."""

from __future__ import annotations

import io

import pytest

from leeward.formats.sealed import (
    ChunkTampered,
    HeaderTampered,
    KeyCommitmentMismatch,
    NoKeyForFile,
    NotSealed,
    RecipientsTampered,
    SealedError,
    SealedReader,
    TrailingData,
    Truncated,
    UnsupportedVersion,
    open_stream,
)
from leeward.formats.sealed.layout import CoreFields, pack_slot
from leeward.formats.sealed.recipients import build_slot
from leeward.formats.sealed.schedule import FileKeys
from unit.formats.sealed.samples import (
    ALICE,
    BOB,
    CHUNKS,
    HEADER,
    PLAIN,
    chunk,
    open_bytes,
    seal_bytes,
)

SEALED = seal_bytes()
OTHER = seal_bytes()


def refuse(data: bytes, error: type[SealedError] = SealedError) -> SealedError:
    """Both readers refuse; what the streaming one gave out before is a prefix of the plaintext."""
    target = io.BytesIO()
    with pytest.raises(error) as caught:
        open_stream(io.BytesIO(data), target, [ALICE])
    assert PLAIN.startswith(target.getvalue())
    assert len(target.getvalue()) < len(PLAIN)
    with pytest.raises(SealedError):
        SealedReader(io.BytesIO(data), [ALICE]).read()
    return caught.value


def flipped(data: bytes, offset: int, mask: int = 0xFF) -> bytes:
    changed = bytearray(data)
    changed[offset] ^= mask
    return bytes(changed)


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_any_byte_flipped_in_the_core_is_refused(mask: int) -> None:
    for offset in range(HEADER, len(SEALED)):
        refuse(flipped(SEALED, offset, mask))


@pytest.mark.parametrize("slot", [0, 8192])
def test_any_byte_flipped_in_a_slot_is_refused(slot: int) -> None:
    for offset in range(slot, slot + 8192):
        target = io.BytesIO()
        with pytest.raises(SealedError):
            open_stream(io.BytesIO(flipped(SEALED, offset)), target, [ALICE])
        assert not target.getvalue()


@pytest.mark.parametrize("slot", [0, 8192])
def test_of_all_values_of_the_state_byte_only_the_mark_of_a_rewrap_opens(slot: int) -> None:
    offset = slot + 8184
    opened = []
    for value in range(256):
        data = SEALED[:offset] + bytes((value,)) + SEALED[offset + 1 :]
        try:
            opened.append((value, open_bytes(data) == PLAIN))
        except RecipientsTampered:
            continue
    assert opened == [(ord("C"), True), (ord("W"), True)]


@pytest.mark.parametrize("offset", range(128))
def test_header_damage_is_named(offset: int) -> None:
    error = refuse(flipped(SEALED, HEADER + offset))
    expected: type[SealedError] = HeaderTampered
    if 8 <= offset < 12:
        expected = UnsupportedVersion
    elif 64 <= offset < 96:
        expected = KeyCommitmentMismatch
    assert type(error) is expected


def test_truncation_at_each_length_is_refused() -> None:
    for length in range(len(SEALED)):
        refuse(SEALED[:length])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_missing_chunks_are_called_truncation(count: int) -> None:
    data = SEALED[: CHUNKS + count * 80]
    refuse(data, Truncated)
    with pytest.raises(Truncated):
        SealedReader(io.BytesIO(data), [ALICE])


def test_file_without_any_chunk_is_truncated() -> None:
    refuse(SEALED[:CHUNKS], Truncated)


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", bytes(20000), b"PAR1" * 5000])
def test_another_format_is_named(data: bytes) -> None:
    refuse(data, NotSealed)


def test_both_magics_of_the_slots_gone_is_still_recognised() -> None:
    refuse(flipped(flipped(SEALED, 0), 8192), RecipientsTampered)


def test_swapped_chunks_are_refused() -> None:
    swapped = SEALED[:CHUNKS] + chunk(SEALED, 1) + chunk(SEALED, 0) + SEALED[CHUNKS + 160 :]
    error = refuse(swapped, ChunkTampered)
    assert isinstance(error, ChunkTampered)
    assert error.index == 0


def test_duplicated_chunk_is_refused() -> None:
    refuse(SEALED[: CHUNKS + 80] + SEALED[CHUNKS:], ChunkTampered)


def test_dropped_chunk_is_refused() -> None:
    refuse(SEALED[:CHUNKS] + SEALED[CHUNKS + 80 :], ChunkTampered)


def test_chunk_of_another_file_is_refused() -> None:
    refuse(SEALED[: CHUNKS + 80] + chunk(OTHER, 1) + SEALED[CHUNKS + 160 :], ChunkTampered)


def test_header_of_another_file_is_refused() -> None:
    refuse(SEALED[:HEADER] + OTHER[HEADER:CHUNKS] + SEALED[CHUNKS:], HeaderTampered)


def test_all_chunks_of_another_file_are_refused() -> None:
    refuse(SEALED[:CHUNKS] + OTHER[CHUNKS:], ChunkTampered)


@pytest.mark.parametrize(("begin", "end"), [(0, 8192), (8192, HEADER)])
def test_slot_of_another_file_is_refused(begin: int, end: int) -> None:
    refuse(SEALED[:begin] + OTHER[begin:end] + SEALED[end:], RecipientsTampered)


def test_both_slots_of_another_file_are_refused() -> None:
    refuse(OTHER[:HEADER] + SEALED[HEADER:], HeaderTampered)


def test_wrapped_key_moved_from_another_file_is_refused() -> None:
    entry = slice(60, 120)
    data = bytearray(SEALED)
    for slot in (0, 8192):
        data[slot + 60 : slot + 120] = OTHER[entry]
    refuse(bytes(data), RecipientsTampered)


@pytest.mark.parametrize("size", [1, 16, 17, 80, 1000])
def test_trailing_data_is_refused(size: int) -> None:
    refuse(SEALED + bytes(size))


def test_data_after_a_full_last_chunk_is_named() -> None:
    data = seal_bytes(PLAIN[:128])
    with pytest.raises(TrailingData):
        open_bytes(data + bytes(40))


def test_empty_last_chunk_behind_others_is_refused() -> None:
    with pytest.raises(SealedError):
        open_bytes(seal_bytes(PLAIN[:64]) + bytes(16))


def test_data_key_that_the_core_does_not_commit_to_is_refused() -> None:
    file_id = SEALED[HEADER + 16 : HEADER + 32]
    slot = pack_slot(build_slot(1, file_id, bytes(32), [ALICE], lambda n: bytes(n)), ord("C"))
    refuse(slot * 2 + SEALED[HEADER:], KeyCommitmentMismatch)


def test_slots_that_differ_outside_of_a_rewrap_are_refused() -> None:
    data_key, file_id = bytes(32), bytes(16)
    header = FileKeys.of(data_key, file_id).seal_header(CoreFields(1, 64, file_id, file_id).pack())
    slots = [
        pack_slot(build_slot(generation, file_id, data_key, [ALICE], lambda n: bytes(n)), ord("C"))
        for generation in (1, 2)
    ]
    refuse(b"".join(slots) + header + bytes(16), RecipientsTampered)


def test_key_that_is_no_recipient_is_told_who_is() -> None:
    with pytest.raises(NoKeyForFile, match=f"artefact {ALICE.key_id.hex()}"):
        open_bytes(SEALED, [BOB])


def test_damage_never_puts_plaintext_into_a_callers_buffer() -> None:
    reader = SealedReader(io.BytesIO(flipped(SEALED, CHUNKS + 80 + 5)), [ALICE])
    buffer = bytearray(b"\xaa" * 128)
    with pytest.raises(ChunkTampered):
        reader.readinto(buffer)
    assert buffer[:64] == PLAIN[:64]
    assert buffer[64:] == bytes(64)
