"""A new object of a bucket: parts that nobody sees, until all of them are one object at once."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from botocore.exceptions import ClientError

from leeward.formats.sealed.streams import SeekableFile
from leeward_masking.errors import OUTPUT, JobError
from leeward_masking.storage.s3.client import S3Client
from leeward_masking.storage.s3.errors import code_of, s3_errors
from leeward_masking.storage.s3.file import S3File
from leeward_masking.storage.s3.objects import (
    MARK,
    knows_no_conditions,
    new_mark,
    refuses_for_another,
    remove_object,
    standing,
    taken,
)

PART: Final = 16 << 20
"""Bytes of a part. All but the last have one size, as some stores want it."""
MAX_PARTS: Final = 10_000
"""Limit of the S3 API."""
_IN_FLIGHT: Final = 2
_GONE: Final = frozenset({"NoSuchUpload", "NoSuchKey"})
"""The upload has ended, or the object that it was to replace is not there any more."""


class S3Upload:
    """See ``NewFile``."""

    def __init__(
        self, client: S3Client, bucket: str, key: str, *, part: int = PART, parts: int = MAX_PARTS
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._part_size = part
        self._most = parts
        self._mark = new_mark(key)
        # Of what others write under that name, only what stands there now is replaced.
        self._before = standing(client, bucket, key)
        with s3_errors(OUTPUT):
            made = client.create_multipart_upload(
                Bucket=bucket, Key=key, Metadata={MARK: self._mark}
            )
        self._id = made["UploadId"]
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, "upload")
        self._sending: deque[Future[str]] = deque()
        self._etags: list[str] = []
        self._part = bytearray()
        self._numbers = 0

    def write(self, data: memoryview | bytes, /) -> int:
        """See ``NewFile``."""
        view = memoryview(data).cast("B")
        while len(view):
            room = self._part_size - len(self._part)
            self._part += view[:room]
            view = view[room:]
            if len(self._part) == self._part_size:
                self._send()
        return len(data)

    def publish(self, verify: Callable[[SeekableFile], None]) -> int:
        """See ``NewFile``: its headers and its end are read back once it has its name.

        Raises:
            JobError: ``OutputPathTaken``: somebody else has written under the name meanwhile.
        """
        if self._part:
            self._send()
        while self._sending:
            self._etags.append(self._sending.popleft().result())
        with s3_errors(OUTPUT):
            etag = self._complete()
        try:
            with S3File(self._client, self._bucket, self._key, what=OUTPUT, etag=etag) as file:
                verify(file)
                return file.size
        except JobError as error:
            raise self._unverified(error, etag) from None
        except BaseException:
            with suppress(JobError):
                remove_object(self._client, self._bucket, self._key, etag)
            raise

    def _unverified(self, error: JobError, etag: str) -> JobError:
        """What is wrong with the object that was made, which goes, if it still is that one."""
        try:
            removal = remove_object(self._client, self._bucket, self._key, etag)
        except JobError:
            removal = "Left"
        if removal in ("Other", "Gone"):
            return taken()
        return error.with_note("the object is left in the bucket") if removal == "Left" else error

    def discard(self) -> None:
        """Have the store forget the parts that it has."""
        for sending in self._sending:
            sending.cancel()
        self._pool.shutdown(wait=True)
        abort_upload(self._client, self._bucket, self._key, self._id)

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send(self) -> None:
        """Send the part that is full, once an earlier one has arrived."""
        if self._numbers == self._most:
            raise JobError(
                "TooLarge",
                f"the output is larger than {self._most} parts of {self._part_size >> 20} MiB, the"
                " most that an object is made of",
                "write it in several parts, or split the source",
            )
        if len(self._sending) == _IN_FLIGHT:
            self._etags.append(self._sending.popleft().result())
        self._numbers += 1
        self._sending.append(self._pool.submit(self._upload, self._numbers, bytes(self._part)))
        self._part.clear()

    def _upload(self, number: int, data: bytes) -> str:
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        with s3_errors(OUTPUT):
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=data,
                ContentMD5=base64.b64encode(digest).decode(),
            )
        return sent["ETag"]

    def _complete(self) -> str:
        """Make one object of the parts; its ETag."""
        found = standing(self._client, self._bucket, self._key)
        if found is not None and found != self._before:
            raise taken()
        condition = {"IfNoneMatch": "*"} if found is None else {"IfMatch": found.etag}
        try:
            return self._completed(condition)
        except ClientError as error:
            if not knows_no_conditions(error):
                raise
        return self._completed({})

    def _completed(self, condition: dict[str, str]) -> str:
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(self._etags, 1)]
        try:
            done = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                MultipartUpload={"Parts": parts},
                **condition,
            )
        except ClientError as error:
            if code_of(error) not in _GONE and not refuses_for_another(error):
                raise
            # It may have been done: asked for a second time, since the first answer was lost.
            found = standing(self._client, self._bucket, self._key)
            if found is None or found.mark != self._mark:
                raise taken() from None
            return found.etag
        return done["ETag"]


def abort_upload(client: S3Client, bucket: str, key: str, upload: str) -> None:
    """Have the store forget an upload; one that is gone is no error.

    Raises:
        JobError: The store refuses, or is away.
    """
    with s3_errors(OUTPUT):
        try:
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise
