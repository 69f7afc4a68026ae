"""An object of a bucket, open for reading: ranges of one version of it, whoever replaces it."""

import io
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from leeward_masking.errors import SOURCE, JobError
from leeward_masking.storage.content import changed
from leeward_masking.storage.s3.client import Got, S3Client
from leeward_masking.storage.s3.errors import s3_errors, status_of

PIECE: Final = 8 << 20
"""Bytes of one request where it is read from front to back."""
AHEAD: Final = 2
"""Pieces that are fetched while one is worked on."""
_TRIES: Final = 5
_FIRST_PAUSE: Final = 0.2
_BROKEN: Final = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError)
"""The answer began and broke off: the client itself does not ask again then."""
_RANGE_BEYOND: Final = 416


class S3File(io.RawIOBase):
    """See ``StoredFile``. Every range is asked for with the ETag that the first one had.

    Args:
        client: Of the store.
        bucket: Name of the bucket.
        key: Name of the object.
        what: What it is called in messages.
        etag: The version that is meant; None: whichever is there now.
        pause: Waits so many seconds.

    Raises:
        JobError: It is not there, or cannot be read.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        *,
        what: str = SOURCE,
        etag: str | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__()
        self._client = client
        self._what = what
        self._pause = pause
        self._request = {"Bucket": bucket, "Key": key}
        if etag is not None:
            self._request["IfMatch"] = etag
        self._size = 0
        self._position = 0
        self._straight_on = 0
        self._pool = ThreadPoolExecutor(AHEAD, "fetch")
        self._pieces: dict[int, Future[bytes]] = {0: Future()}
        self._pieces[0].set_result(self._first())

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._size

    def readable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """As of any file."""
        count = self.read_at(self._position, memoryview(buffer))
        self._position += count
        return count

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """See ``StoredFile``; who goes on where the last call ended finds it fetched already."""
        wanted = max(0, min(len(buffer), self._size - offset))
        done = 0
        while done < wanted:
            number, start = divmod(offset + done, PIECE)
            if number in self._pieces or offset + done == self._straight_on:
                data = self._piece(number)[start : start + wanted - done]
            else:
                data = self._range(offset + done, wanted - done)
            buffer[done : done + len(data)] = data
            done += len(data)
            self._straight_on = offset + done
        return done

    def close(self) -> None:
        """End what is being fetched."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pieces.clear()
        super().close()

    def _piece(self, number: int) -> bytes:
        last = (self._size - 1) // PIECE
        wanted = range(number, min(number + AHEAD, last) + 1)
        self._pieces = {n: piece for n, piece in self._pieces.items() if n in wanted}
        for n in wanted:
            if n not in self._pieces:
                self._pieces[n] = self._pool.submit(self._range, n * PIECE, PIECE)
        return self._pieces[number].result()

    def _first(self) -> bytes:
        """The first piece, which also tells size and version."""
        with s3_errors(self._what):
            try:
                data, got = self._get(0, PIECE)
            except ClientError as error:
                if status_of(error) == _RANGE_BEYOND:
                    return b""  # an empty object has no first byte
                raise
        self._request.setdefault("IfMatch", got["ETag"])
        self._size = int(got["ContentRange"].rpartition("/")[2])
        return data

    def _range(self, offset: int, size: int) -> bytes:
        size = min(size, self._size - offset)
        try:
            with s3_errors(self._what):
                data, _ = self._get(offset, size)
        except JobError as error:
            if error.code == "FileMissing":
                raise changed("was removed while it was read") from None
            raise
        if len(data) != size:
            raise changed("became shorter while it was read")
        return data

    def _get(self, offset: int, size: int) -> tuple[bytes, Got]:
        wanted = f"bytes={offset}-{offset + size - 1}"
        for left in reversed(range(_TRIES)):
            got = self._client.get_object(**self._request, Range=wanted)
            try:
                return got["Body"].read(), got
            except _BROKEN:
                if not left:
                    raise
                self._pause(_FIRST_PAUSE * 2 ** (_TRIES - left))
        raise AssertionError
