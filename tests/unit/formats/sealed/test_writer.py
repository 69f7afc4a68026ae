"""The writer: any pieces, any target, and no last chunk unless it was closed on purpose."""

from __future__ import annotations

import gc
import io

import pytest

from golden.lwe1.cases import stretch
from golden.lwe1.decoder import decode
from leeward.formats.sealed import (
    ArtefactKey,
    InvalidKey,
    RecipientsInvalid,
    SealedError,
    SealedWriter,
    TooManyRecipients,
    Truncated,
    core_digest,
    open_stream,
    seal_stream,
)
from leeward.formats.sealed.chunks import ChunkCipher
from leeward.formats.sealed.errors import PlaintextTooLarge
from leeward.formats.sealed.layout import MAX_CHUNKS, CoreFields
from unit.formats.sealed.samples import ALICE, CHUNK, PLAIN, open_bytes


class Pipe(io.RawIOBase):
    """Neither seeks nor takes or gives more than a few bytes at once."""

    def __init__(self, content: bytes = b"", piece: int = 7) -> None:
        self.content = bytearray(content)
        self.piece = piece

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        taken = bytes(memoryview(data)[: self.piece])  # type: ignore[arg-type]
        self.content += taken
        return len(taken)

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = min(self.piece, len(view), len(self.content))
        view[:count] = self.content[:count]
        del self.content[:count]
        return count


class Full(io.RawIOBase):
    """Takes the headers and one chunk, then the volume is full."""

    def __init__(self) -> None:
        self.left = 16512 + CHUNK + 16

    def write(self, data: object, /) -> int:
        size = len(memoryview(data))  # type: ignore[arg-type]
        if size > self.left:
            raise OSError(28, "No space left on device")
        self.left -= size
        return size


def test_sealing_and_opening_through_pipes() -> None:
    pipe = Pipe()
    seal_stream(Pipe(PLAIN), pipe, [ALICE], chunk_size=CHUNK)
    target = Pipe()
    info = open_stream(pipe, target, [ALICE])
    assert target.content == PLAIN
    assert info.plaintext_size == len(PLAIN)
    assert info.unverified == ()


def test_info_digest_and_ids_after_close() -> None:
    target = io.BytesIO()
    manifest = stretch("manifest", 16)
    with SealedWriter(
        target, [ALICE], manifest_id=manifest, chunk_size=CHUNK, with_digest=True
    ) as writer:
        assert writer.write(PLAIN) == len(PLAIN)
    assert writer.digest == core_digest(io.BytesIO(target.getvalue()))
    assert writer.info.digest == writer.digest
    assert writer.info.file_id == writer.file_id == target.getvalue()[16400:16416]
    assert writer.info.manifest_id == manifest
    assert writer.info.plaintext_size == len(PLAIN)
    assert [r.key_id for r in writer.info.recipients] == [ALICE.key_id]


def test_digest_of_many_chunks_hashed_by_several_threads_is_the_documented_one() -> None:
    target = io.BytesIO()
    plain = stretch("many", 300 * CHUNK)
    with SealedWriter(target, [ALICE], chunk_size=CHUNK, with_digest=True) as writer:
        writer.write(plain)
    decoded = decode(target.getvalue(), {ALICE.key_id: ALICE.material})
    assert decoded.digest == writer.digest == core_digest(io.BytesIO(target.getvalue()))


def test_digest_before_close_says_what_to_do() -> None:
    writer = SealedWriter(io.BytesIO(), [ALICE], with_digest=True)
    with pytest.raises(SealedError, match="close the writer first"):
        _ = writer.digest


def test_without_being_asked_no_digest_is_taken() -> None:
    with SealedWriter(io.BytesIO(), [ALICE], chunk_size=CHUNK) as writer:
        writer.write(PLAIN)
    assert writer.info.digest is None
    with pytest.raises(SealedError, match="ask the writer for one"):
        _ = writer.digest


def test_default_chunk_size_is_one_mebibyte() -> None:
    target = io.BytesIO()
    plain = bytes((1 << 20) + 1)
    assert seal_stream(io.BytesIO(plain), target, [ALICE]).chunk_size == 1 << 20
    assert open_bytes(target.getvalue()) == plain


def test_closing_leaves_the_stream_open_and_closing_again_does_nothing() -> None:
    target = io.BytesIO()
    writer = SealedWriter(target, [ALICE])
    writer.close()
    size = len(target.getvalue())
    writer.close()
    assert len(target.getvalue()) == size
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_leaving_a_block_by_an_exception_writes_no_last_chunk() -> None:
    target = io.BytesIO()

    def fail_halfway() -> None:
        with SealedWriter(target, [ALICE], chunk_size=CHUNK) as writer:
            writer.write(PLAIN)
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    with pytest.raises(Truncated):
        open_bytes(target.getvalue())


def test_a_forgotten_writer_writes_no_last_chunk() -> None:
    target = io.BytesIO()
    writer = SealedWriter(target, [ALICE], chunk_size=CHUNK)
    writer.write(PLAIN)
    del writer
    gc.collect()
    with pytest.raises(Truncated):
        open_bytes(target.getvalue())


@pytest.mark.parametrize("with_digest", [True, False])
def test_failing_target_ends_the_writer(with_digest: bool) -> None:
    writer = SealedWriter(Full(), [ALICE], chunk_size=CHUNK, with_digest=with_digest)
    with pytest.raises(OSError, match="No space"):
        writer.write(PLAIN)
    assert writer.closed


def test_failing_target_at_the_last_chunk_is_reported_by_close() -> None:
    writer = SealedWriter(Full(), [ALICE], chunk_size=CHUNK)
    writer.write(PLAIN[: 2 * CHUNK])
    with pytest.raises(OSError, match="No space"):
        writer.close()
    assert writer.closed


@pytest.mark.parametrize("size", [0, 63, 65, 96, 1 << 25])
def test_chunk_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        SealedWriter(io.BytesIO(), [ALICE], chunk_size=size)


def test_manifest_id_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidKey, match="16 bytes"):
        SealedWriter(io.BytesIO(), [ALICE], manifest_id=b"short")


def artefact_keys(count: int) -> list[ArtefactKey]:
    return [ArtefactKey(stretch(f"id {i}", 16), bytes(32)) for i in range(count)]


def test_sixty_four_recipients_fit_and_each_opens() -> None:
    keys = artefact_keys(64)
    target = io.BytesIO()
    seal_stream(io.BytesIO(PLAIN), target, keys)
    assert open_bytes(target.getvalue(), [keys[0]]) == PLAIN
    assert open_bytes(target.getvalue(), [keys[63]]) == PLAIN


def test_one_recipient_more_is_refused_with_a_remedy_and_nothing_written() -> None:
    target = io.BytesIO()
    with pytest.raises(TooManyRecipients, match="remove recipients"):
        SealedWriter(target, artefact_keys(65))
    assert target.getvalue() == b""


@pytest.mark.parametrize("recipients", [[], [ALICE, ALICE]])
def test_no_recipient_and_one_named_twice_are_refused(recipients: list[ArtefactKey]) -> None:
    with pytest.raises(RecipientsInvalid):
        SealedWriter(io.BytesIO(), recipients)


def test_chunk_counter_does_not_wrap() -> None:
    cipher = ChunkCipher(bytes(32), bytes(128), CoreFields(1, CHUNK, bytes(16), bytes(16)))
    with pytest.raises(PlaintextTooLarge):
        cipher.seal(MAX_CHUNKS, False, memoryview(bytes(64)), memoryview(bytearray(80)))
