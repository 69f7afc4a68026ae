"""Files in a bucket of an S3-compatible store."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from leeward.formats.jobconfig import S3Store
from leeward_masking.errors import OUTPUT, SOURCE, JobError
from leeward_masking.storage.s3.client import Patience, S3Client, s3_client
from leeward_masking.storage.s3.errors import s3_errors
from leeward_masking.storage.s3.file import S3File
from leeward_masking.storage.s3.objects import remove_object, standing
from leeward_masking.storage.s3.upload import S3Upload, abort_upload


class S3Storage:
    """See ``Storage``; paths are names of objects.

    Args:
        store: The bucket.
        patience: How long it is waited for.

    Raises:
        JobError: Its credentials, or who certified it, are not there.
    """

    def __init__(self, store: S3Store, patience: Patience | None = None) -> None:
        self._client: S3Client = s3_client(store, patience or Patience())
        self._bucket = store.bucket

    def size(self, path: str) -> int | None:
        """See ``Storage``."""
        try:
            with self.open(path) as file:
                return file.size
        except JobError as error:
            if error.code == "FileMissing":
                return None
            raise

    def is_folder(self, path: str) -> bool:
        """See ``Storage``: a bucket has none."""
        return False

    def entries(self, folder: str) -> dict[str, int | None] | None:
        """See ``Storage``; the object that some tools make for the folder itself is left out."""
        found: dict[str, int | None] = {}
        more: dict[str, str] = {}
        while True:
            with s3_errors(SOURCE):
                page = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=folder, Delimiter="/", **more
                )
            found |= {each["Prefix"]: None for each in page.get("CommonPrefixes", ())}
            found |= {each["Key"]: each["Size"] for each in page.get("Contents", ())}
            if not page.get("IsTruncated"):
                break
            more = {"ContinuationToken": page["NextContinuationToken"]}
        found.pop(folder, None)
        return {name.removeprefix(folder): size for name, size in found.items()} or None

    def open(self, path: str) -> S3File:
        """See ``Storage``."""
        return S3File(self._client, self._bucket, path)

    @contextmanager
    def create(self, path: str) -> Iterator[S3Upload]:
        """See ``Storage``: a multipart upload, which is aborted if it is not published."""
        self._abort_uploads(path)
        upload = S3Upload(self._client, self._bucket, path)
        try:
            yield upload
        except BaseException:
            with suppress(JobError):
                upload.discard()
            raise
        finally:
            upload.close()

    def remove(self, path: str) -> None:
        """See ``Storage``; what others put there is left."""
        self._abort_uploads(path)
        found = standing(self._client, self._bucket, path)
        if found is not None and found.is_for(path):
            remove_object(self._client, self._bucket, path, found.etag)

    def _abort_uploads(self, path: str) -> None:
        """What a try that was killed has sent: nobody sees it, and it is paid for."""
        more: dict[str, str] = {}
        while True:
            with s3_errors(OUTPUT):
                found = self._client.list_multipart_uploads(
                    Bucket=self._bucket, Prefix=path, **more
                )
            for upload in found.get("Uploads", ()):
                if upload["Key"] == path:
                    abort_upload(self._client, self._bucket, path, upload["UploadId"])
            if not found.get("IsTruncated"):
                return
            more = {
                "KeyMarker": found["NextKeyMarker"],
                "UploadIdMarker": found["NextUploadIdMarker"],
            }
