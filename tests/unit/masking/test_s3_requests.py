"""Faults of a store that a real server does not show when asked: on a client that plays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from leeward.formats.jobconfig import S3Store
from leeward_masking.errors import OUTPUT, SOURCE, JobError
from leeward_masking.storage.s3.client import Got
from leeward_masking.storage.s3.errors import s3_errors
from leeward_masking.storage.s3.file import AHEAD, PIECE, S3File
from leeward_masking.storage.s3.storage import S3Storage
from leeward_masking.storage.s3.upload import S3Upload

DATA = bytes(range(256)) * (PIECE // 64)


class Breaking:
    """The body of an answer that breaks off, so many times."""

    def __init__(self, client: Client, data: bytes) -> None:
        self._client = client
        self._data = data

    def read(self) -> bytes:
        if self._client.breaks:
            self._client.breaks -= 1
            raise ResponseStreamingError(error="SECRET")
        return self._data


class Client:
    """A store with one object."""

    def __init__(self, breaks: int = 0, completed: str = "", conditions: str = "") -> None:
        """Args: ``completed``: what is said of an upload that is ended; ``conditions``: of any."""
        self.breaks = breaks
        self.ranges: list[str] = []
        self.stored = DATA
        self.there: dict[str, Any] | None = None
        self._completed = completed
        self._conditions = conditions
        self._mark: object = None

    def get_object(self, **request: str) -> Got:
        self.ranges.append(request["Range"])
        start, end = map(int, request["Range"].removeprefix("bytes=").split("-"))
        part = self.stored[start : end + 1]
        place = f"bytes {start}-{start + len(part) - 1}/{len(self.stored)}"
        return {"Body": Breaking(self, part), "ContentRange": place, "ETag": '"1"'}

    def head_object(self, **request: str) -> Mapping[str, Any]:
        if self.there is None:
            raise refusal("404", 404)
        return self.there

    def create_multipart_upload(self, **request: object) -> Mapping[str, str]:
        self._mark = request["Metadata"]
        return {"UploadId": "1"}

    def upload_part(self, **request: object) -> Mapping[str, str]:
        self.stored = bytes(request["Body"])  # type: ignore[call-overload]
        return {"ETag": '"1"'}

    def complete_multipart_upload(self, **request: object) -> Mapping[str, str]:
        if self._conditions and ("IfNoneMatch" in request or "IfMatch" in request):
            raise refusal(self._conditions, 501)
        self.there = {"ETag": '"1"', "Metadata": self._mark}
        if self._completed:
            raise refusal(self._completed, 400)
        return {"ETag": '"1"'}

    def abort_multipart_upload(self, **request: str) -> object:
        raise refusal("NoSuchUpload", 404)

    def list_multipart_uploads(self, **request: str) -> Mapping[str, Any]:
        return {}

    def list_objects_v2(self, **request: str) -> Mapping[str, Any]:
        if "ContinuationToken" not in request:
            first = [{"Key": "raw/", "Size": 0}, {"Key": "raw/a.csv", "Size": 1}]
            return {"Contents": first, "IsTruncated": True, "NextContinuationToken": "2"}
        return {"Contents": [{"Key": "raw/b.csv", "Size": 2}]}

    def delete_object(self, **request: str) -> object:
        if self._conditions:
            raise refusal(self._conditions, 501)
        self.there = None
        return {}


def refusal(code: str, status: int) -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": "SECRET"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "SomeOperation")


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    pauses: list[float] = []
    with S3File(Client(breaks=3), "clinic", "a", pause=pauses.append) as file:
        assert file.read() == DATA
    assert len(pauses) == 3
    assert pauses == sorted(pauses)


def test_answers_that_go_on_breaking_off_are_given_up() -> None:
    with pytest.raises(JobError) as caught:
        S3File(Client(breaks=99), "clinic", "a", pause=lambda seconds: None)
    assert caught.value.code == "StoreUnavailable"
    assert "SECRET" not in caught.value.message


def test_what_comes_next_is_fetched_ahead_and_nothing_twice() -> None:
    client = Client()
    with S3File(client, "clinic", "a") as file:
        buffer = bytearray(1 << 20)
        for start in range(0, len(DATA), len(buffer)):
            file.readinto(memoryview(buffer))
            asked = {int(wanted[6:].split("-")[0]) for wanted in client.ranges}
            assert max(asked) <= start + (AHEAD + 1) * PIECE
    assert len(client.ranges) == -(-len(DATA) // PIECE) == len(set(client.ranges))


def test_a_small_read_elsewhere_fetches_no_more_than_that() -> None:
    client = Client()
    with S3File(client, "clinic", "a") as file:
        buffer = bytearray(10)
        assert file.read_at(len(DATA) - 10, memoryview(buffer)) == 10
        assert bytes(buffer) == DATA[-10:]
    assert client.ranges[1:] == [f"bytes={len(DATA) - 10}-{len(DATA) - 1}"]


def publish(client: Client, verify: Callable[[object], None] = lambda written: None) -> int:
    upload = S3Upload(client, "clinic", "a")
    upload.write(b"data")
    try:
        return upload.publish(verify)
    finally:
        upload.discard()
        upload.close()


def refuse(written: object) -> None:
    raise JobError("Tampered", "no", "no")


@pytest.mark.parametrize("code", ["NoSuchUpload", "PreconditionFailed"])
def test_an_upload_that_was_completed_though_the_answer_was_lost_counts(code: str) -> None:
    assert publish(Client(completed=code)) == 4


@pytest.mark.parametrize("code", ["NotImplemented", "InvalidRequest"])
def test_a_store_that_knows_no_conditions(code: str) -> None:
    client = Client(conditions=code)
    assert publish(client) == 4
    with pytest.raises(JobError, match="the object is left in the bucket") as caught:
        publish(client, refuse)
    assert caught.value.code == "Tampered"
    assert client.there is not None


def test_a_store_that_passes_over_conditions_is_asked_what_is_there() -> None:
    client = Client()
    upload = S3Upload(client, "clinic", "a")
    upload.write(b"data")
    client.there = {"ETag": '"2"', "Metadata": {}}
    with pytest.raises(JobError) as caught:
        upload.publish(lambda written: None)
    upload.close()
    assert caught.value.code == "OutputPathTaken"

    def replace(written: object) -> None:
        client.there = {"ETag": '"2"', "Metadata": {}}
        refuse(written)

    with pytest.raises(JobError) as caught:
        publish(client, replace)
    assert caught.value.code == "OutputPathTaken"
    assert client.there is not None


@pytest.mark.parametrize(
    ("code", "status", "what", "expected"),
    [
        ("AccessDenied", 403, OUTPUT, "CredentialsRefused"),
        ("ExpiredToken", 400, SOURCE, "CredentialsRefused"),
        ("403", 403, SOURCE, "CredentialsRefused"),
        ("QuotaExceeded", 403, OUTPUT, "VolumeFull"),
        ("SlowDown", 503, SOURCE, "StoreUnavailable"),
        ("InternalError", 500, OUTPUT, "StoreUnavailable"),
        ("AuthorizationHeaderMalformed", 400, SOURCE, "StoreRefused"),
        ("PreconditionFailed", 412, SOURCE, "SourceChanged"),
        ("no code, SECRET", 400, SOURCE, "StoreRefused"),
    ],
)
def test_what_a_store_says(code: str, status: int, what: str, expected: str) -> None:
    with pytest.raises(JobError) as caught, s3_errors(what):
        raise refusal(code, status)
    assert caught.value.code == expected
    assert "SECRET" not in caught.value.message
    assert what in caught.value.message or expected == "SourceChanged"


def test_long_lists_are_read_to_their_end(tmp_path: Path) -> None:
    for name in ("accessKeyId", "secretAccessKey"):
        (tmp_path / name).write_text("x")
    store = S3Store(
        endpoint="https://s3.example",
        bucket="clinic",
        region="us-east-1",
        path_style=True,
        credentials=str(tmp_path),
    )
    storage = S3Storage(store)
    storage._client = Client()
    assert storage.entries("raw/") == {"a.csv": 1, "b.csv": 2}
