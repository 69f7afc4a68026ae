"""Which cipher the chunks have, and that those of ChaCha20-Poly1305 hold as the others do."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from golden.lwe1.cases import ALICE, BOB, CAROL, IVAN, fixed_random
from golden.lwe1.decoder import decode
from leeward.formats.sealed import (
    ChunkAlgorithm,
    HeaderTampered,
    Recipient,
    SealedError,
    SealedReader,
    Truncated,
    UnsupportedVersion,
    core_digest,
    inspect,
    open_stream,
    rewrap,
    seal_file,
    seal_stream,
)
from unit.formats.sealed.samples import CHUNK, CHUNKS, HEADER, PLAIN, open_bytes, seal_bytes

AES, CHACHA = "AES-256-GCM-STREAM", "CHACHA20-POLY1305-STREAM"
SEALED = seal_bytes(recipients=[IVAN])


def seal(recipients: list[Recipient], algorithm: ChunkAlgorithm | None) -> io.BytesIO:
    target = io.BytesIO()
    source = io.BytesIO(PLAIN)
    seal_stream(source, target, recipients, chunk_size=CHUNK, algorithm=algorithm)
    return target


@pytest.mark.parametrize(
    ("recipients", "asked", "name"),
    [
        ([ALICE], None, AES),
        ([CAROL.public_key], None, AES),
        ([IVAN], None, CHACHA),
        ([IVAN, ALICE], None, CHACHA),
        ([ALICE, IVAN], None, AES),
        ([IVAN], "AES256_GCM", AES),
        ([ALICE], "CHACHA20_POLY1305", CHACHA),
    ],
)
def test_first_recipient_or_the_caller_decides(
    recipients: list[Recipient], asked: ChunkAlgorithm | None, name: str
) -> None:
    file = seal(recipients, asked)
    assert inspect(file).algorithm == name
    file.seek(0)
    target = io.BytesIO()
    assert open_stream(file, target, [ALICE, IVAN, CAROL]).algorithm == name
    assert target.getvalue() == PLAIN


def test_file_by_path_has_the_cipher_asked_for(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(PLAIN)
    info = seal_file(
        tmp_path / "plain", tmp_path / "sealed", [ALICE], algorithm="CHACHA20_POLY1305"
    )
    assert info.algorithm == CHACHA
    secrets = {ALICE.key_id: ALICE.material}
    assert decode((tmp_path / "sealed").read_bytes(), secrets).plaintext == PLAIN


def test_ranges_are_read() -> None:
    reader = SealedReader(io.BytesIO(SEALED), [IVAN])
    for offset in range(0, len(PLAIN), 17):
        assert reader.read_at(offset, 40) == PLAIN[offset : offset + 40]


def test_any_byte_flipped_in_the_core_is_refused() -> None:
    for offset in range(HEADER, len(SEALED)):
        changed = bytearray(SEALED)
        changed[offset] ^= 0x80
        with pytest.raises(SealedError):
            open_bytes(bytes(changed), [IVAN])


def test_file_cut_at_a_chunk_is_truncated() -> None:
    with pytest.raises(Truncated):
        open_bytes(SEALED[: CHUNKS + 2 * (CHUNK + 16)], [IVAN])


@pytest.mark.parametrize(
    ("number", "error"), [(1, HeaderTampered), (0, UnsupportedVersion), (3, UnsupportedVersion)]
)
def test_another_algorithm_in_the_header_is_refused(number: int, error: type[SealedError]) -> None:
    changed = bytearray(SEALED)
    changed[HEADER + 10 : HEADER + 12] = number.to_bytes(2, "big")
    with pytest.raises(error):
        open_bytes(bytes(changed), [IVAN])


def test_rewrapping_to_a_key_of_another_algorithm_leaves_the_core() -> None:
    file = io.BytesIO(SEALED)
    info = rewrap(file, [IVAN], [BOB], random=fixed_random("rewrap"))
    assert info.algorithm == CHACHA
    assert file.getvalue()[HEADER:] == SEALED[HEADER:]
    assert open_bytes(file.getvalue(), [BOB]) == PLAIN
    digest = core_digest(io.BytesIO(SEALED))
    assert core_digest(io.BytesIO(file.getvalue())) == digest
