"""Writing blocks as one sealed file, which appears complete and verified, or not at all."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import polars as pl

from leeward.formats.result import ResultFile
from leeward.formats.sealed import ChunkAlgorithm, Recipient, SealedError, SealedWriter
from leeward.formats.sealed.streams import SeekableFile
from leeward_masking.errors import OUTPUT, from_sealed_error, volume
from leeward_masking.output.encoding import Encoder
from leeward_masking.storage.port import Storage


class SealedOutput:
    """A sealed file on its way to its name; ``result`` is there once it has arrived."""

    def __init__(self, writer: SealedWriter) -> None:
        self._writer = writer
        self._failure: BaseException | None = None
        self.result: ResultFile | None = None

    def write_frames(
        self, frames: Iterator[pl.DataFrame], schema: pl.Schema, encoder: Encoder
    ) -> None:
        """Encode the frames in order.

        Args:
            frames: As ``Encoder.ready`` gives them.
            schema: Of flat ones.
            encoder: Of the format.

        Raises:
            JobError: The volume is full or read-only, or whatever ``frames`` raises.
        """
        target = cast(BinaryIO, _Target(self._write))
        rows, encoded = encoder.written(frames)
        try:
            encoder.write(self._watched(encoded), rows, encoder.written_schema(schema), target)
        except Exception:
            # Polars turns exceptions of ours into texts inside of its own: the first one counts.
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are.

        Raises:
            JobError: The volume is full or read-only.
        """
        self._write(memoryview(data))

    def _watched(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        with self._noted():
            yield from frames

    def _write(self, data: memoryview) -> int:
        with self._noted(), volume(OUTPUT):
            return self._writer.write(data)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._failure = self._failure or error
            raise


class _Target(io.RawIOBase):
    """The file object that Polars writes to."""

    def __init__(self, write: Callable[[memoryview], int]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        return self._write(data)


@contextmanager
def sealed_output(
    storage: Storage,
    path: str,
    recipient: Recipient,
    *,
    file_id: bytes | None = None,
    manifest_id: bytes | None = None,
    algorithm: ChunkAlgorithm | None = None,
) -> Iterator[SealedOutput]:
    """A new sealed file that takes the name ``path`` when the block ends well.

    Nothing is left of it on any failure.

    Args:
        storage: Where it lies.
        path: The file.
        recipient: Who may open it.
        file_id: 16 bytes that name it; None: random ones.
        manifest_id: 16 bytes that name the manifest of which it is a part.
        algorithm: Of the chunks; None: that of the recipient.

    Raises:
        JobError: It cannot be written, or reads back other bytes than were written.
    """
    with storage.create(path) as file:
        with SealedWriter(
            file,
            [recipient],
            with_digest=True,
            file_id=file_id,
            manifest_id=manifest_id,
            algorithm=algorithm,
        ) as writer:
            output = SealedOutput(writer)
            yield output
        size = file.publish(lambda written: _verify(writer, written))
    info = writer.info
    output.result = ResultFile(
        path=path,
        digest=f"sha256:{writer.digest.hex()}",
        bytes=size,
        file_id=info.file_id.hex(),
        key_ids=[recipient.key_id.hex() for recipient in info.recipients],
    )


def _verify(writer: SealedWriter, file: SeekableFile) -> None:
    try:
        writer.verify_written(file)
    except SealedError as error:
        raise from_sealed_error(error, OUTPUT, []) from None
