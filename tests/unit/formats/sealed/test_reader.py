"""Range reads: the same as reading the plaintext itself, from one thread or many."""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars
import pytest

from golden.lwe1.cases import stretch
from leeward.formats.sealed import (
    ChunkTampered,
    HpkePrivateKey,
    SealedReader,
    SealedWriter,
    Truncated,
    open_reader,
)
from unit.formats.sealed.samples import ALICE, CHUNK, CHUNKS, PLAIN, seal_bytes


@pytest.fixture
def reader() -> SealedReader:
    return SealedReader(io.BytesIO(seal_bytes()), [ALICE])


def test_is_a_seekable_readable_file_without_descriptor(reader: SealedReader) -> None:
    assert reader.readable()
    assert reader.seekable()
    assert not reader.writable()
    assert reader.size == len(PLAIN)
    with pytest.raises(io.UnsupportedOperation):
        reader.fileno()


def test_seek_and_tell(reader: SealedReader) -> None:
    assert reader.seek(10) == 10
    assert reader.seek(5, io.SEEK_CUR) == 15
    assert reader.read(3) == PLAIN[15:18]
    assert reader.tell() == 18
    assert reader.seek(-4, io.SEEK_END) == len(PLAIN) - 4
    assert reader.read() == PLAIN[-4:]
    assert reader.seek(1000) == 1000
    assert reader.read(1) == b""


def test_impossible_seeks_are_refused(reader: SealedReader) -> None:
    with pytest.raises(ValueError, match="before the beginning"):
        reader.seek(-1)
    with pytest.raises(ValueError, match="whence"):
        reader.seek(0, 9)
    with pytest.raises(ValueError, match="before the beginning"):
        reader.read_at(-1, 2)


def test_lines_are_read_as_from_a_file() -> None:
    text = b"".join(b"row %d,%d\n" % (i, i * i) for i in range(100)) + b"no newline"
    reader = SealedReader(io.BytesIO(seal_bytes(text)), [ALICE])
    assert list(reader) == list(io.BytesIO(text))


def test_copies_like_a_file(reader: SealedReader) -> None:
    target = io.BytesIO()
    shutil.copyfileobj(reader, target, 50)
    assert target.getvalue() == PLAIN


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_polars_writes_and_reads_through_it(kind: str) -> None:
    frame = polars.DataFrame({"row": range(500), "text": [f"row {i}" for i in range(500)]})
    target = io.BytesIO()
    with SealedWriter(target, [ALICE], chunk_size=CHUNK) as writer:
        getattr(frame, f"write_{kind}")(writer)
    reader = SealedReader(target, [ALICE])
    assert getattr(polars, f"read_{kind}")(reader).equals(frame)


def test_info_says_that_only_the_last_chunk_is_verified_so_far(reader: SealedReader) -> None:
    assert "all chunks but the last" in reader.info.unverified[0]
    assert SealedReader(io.BytesIO(seal_bytes(b"one")), [ALICE]).info.unverified == ()


def test_empty_plaintext() -> None:
    reader = SealedReader(io.BytesIO(seal_bytes(b"")), [ALICE])
    assert reader.size == 0
    assert reader.read() == b""
    assert reader.readinto(bytearray(4)) == 0


def test_truncation_is_known_before_the_first_byte() -> None:
    data = seal_bytes(PLAIN[: 3 * CHUNK])
    with pytest.raises(Truncated):
        SealedReader(io.BytesIO(data[:-80]), [ALICE])


def test_damage_is_found_when_its_chunk_is_read() -> None:
    data = bytearray(seal_bytes())
    data[CHUNKS + 80] ^= 1
    reader = SealedReader(io.BytesIO(bytes(data)), [ALICE])
    assert reader.read(CHUNK) == PLAIN[:CHUNK]
    with pytest.raises(ChunkTampered) as caught:
        reader.read(1)
    assert caught.value.index == 1


def test_file_that_shrinks_meanwhile_is_refused() -> None:
    file = io.BytesIO(seal_bytes())
    reader = SealedReader(file, [ALICE])
    file.truncate(CHUNKS + 40)
    with pytest.raises(Truncated):
        reader.read_at(0, 10)


def test_closed_reader_reads_no_more(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(seal_bytes())
    reader = open_reader(path, [ALICE])
    assert reader.read(4) == PLAIN[:4]
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(4)
    with pytest.raises(ValueError, match="closed"):
        reader.seek(0)


def test_foreign_file_stays_open() -> None:
    file = io.BytesIO(seal_bytes())
    SealedReader(file, [ALICE]).close()
    assert not file.closed


@pytest.mark.parametrize("real_file", [False, True])
def test_many_threads_read_ranges_of_one_reader(tmp_path: Path, real_file: bool) -> None:
    plain = stretch("concurrent", 40 * CHUNK + 3)
    data = seal_bytes(plain)
    path = tmp_path / "sealed"
    path.write_bytes(data)
    source = path.open("rb") if real_file else io.BytesIO(data)
    with source, SealedReader(source, [ALICE]) as reader, ThreadPoolExecutor(8) as pool:
        ranges = [(i * 37 % len(plain), i % 150) for i in range(2000)]
        parts = list(pool.map(lambda r: reader.read_at(*r), ranges))
    assert parts == [plain[offset : offset + size] for offset, size in ranges]


def test_threads_that_share_the_position_take_each_byte_once() -> None:
    plain = bytes(range(256)) * 20
    reader = SealedReader(io.BytesIO(seal_bytes(plain)), [ALICE])
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: reader.read(10), range(len(plain) // 10)))
    assert sorted(b"".join(parts)) == sorted(plain)
    assert reader.tell() == len(plain)


def test_info_names_a_recipient_by_fingerprint() -> None:
    key = HpkePrivateKey.generate(lambda n: stretch("pair", n))
    reader = SealedReader(io.BytesIO(seal_bytes(recipients=[key.public_key])), [key])
    assert reader.info.recipients[0].kind == "hpke-x25519"
    assert reader.info.recipients[0].key_id == key.public_key.fingerprint
