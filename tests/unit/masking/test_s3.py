"""Files in a bucket, on a real S3 server."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from leeward.formats.jobconfig import (
    GRACE_SECONDS,
    CleanConfig,
    InspectConfig,
    MaskingConfig,
    OutputFile,
    S3Store,
    SourceFile,
)
from leeward.formats.result import Result
from leeward.formats.sealed import open_reader, seal_file
from leeward_masking.cleaning import clean
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.inspection import inspect_file
from leeward_masking.places import storage_of
from leeward_masking.preview import source_rows
from leeward_masking.progress import Progress
from leeward_masking.s3client import Patience
from leeward_masking.s3file import PIECE
from leeward_masking.s3storage import S3Storage
from leeward_masking.s3upload import PART, S3Upload
from leeward_masking.workers import Worker
from openbao.certificates import Authority
from s3.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, S3Server
from unit.masking.support import MATERIAL, OUTPUT_KEY, SOURCE_KEY, keep, rule
from unit.masking.test_program import Program

OUTPUT = "masked/job-uid.parquet.lwe1"
ROWS = "".join(f"P{n % 7},SECRET{n},{n}\n" for n in range(500))
DATA = f"patient,note,age\n{ROWS}".encode()
RULES = [rule("patient", "tokenize", key="AES256_SIV"), rule("note", "redact"), keep("age")]
QUICK = Patience(connect=0.3, read=0.3, attempts=1)


@dataclass
class Bucket:
    """What a job has of a bucket, and the server behind it."""

    server: S3Server
    folder: Path

    def store(self, **changes: object) -> S3Store:
        credentials = self.folder / "credentials"
        credentials.mkdir(exist_ok=True)
        (credentials / "accessKeyId").write_text(ACCESS_KEY_ID + "\n")
        (credentials / "secretAccessKey").write_text(SECRET_ACCESS_KEY)
        made = S3Store(
            endpoint=self.server.endpoint,
            bucket="clinic",
            region=REGION,
            path_style=True,
            credentials=str(credentials),
            ca=str(self.server.ca),
        )
        return made.model_copy(update=changes)

    def source(
        self, key: str, found: Result | None = None, *, store: S3Store | None = None
    ) -> SourceFile:
        return SourceFile(
            path=key,
            store=store or self.store(),
            format="Parquet" if ".parquet" in key else "CSV",
            key_role="source" if key.endswith(".lwe1") else None,
            digest=found.source.digest if found and found.source else None,
            columns=found.source.columns if found and found.source else [],
        )

    def inspect(self, key: str, **changes: object) -> Result:
        source = self.source(key, store=self.store(**changes))
        config = InspectConfig(source=source, sealed=source.key_role is not None)
        return inspect_file(config, [SOURCE_KEY] if source.key_role else None, Progress())

    def mask(self, source: SourceFile, **changes: object) -> Result:
        output = OutputFile(path=OUTPUT, store=self.store(**changes), format="Parquet")
        config = MaskingConfig(source=source, rules=RULES, output=output)
        keys = [SOURCE_KEY] if source.key_role else None
        return mask_file(config, keys, lambda role: MATERIAL, OUTPUT_KEY, Progress())

    def masked(self) -> pl.DataFrame:
        path = self.folder / "fetched"
        path.write_bytes(self.server.get(OUTPUT))
        with open_reader(path, [OUTPUT_KEY]) as reader:
            return pl.read_parquet(reader.read())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.stop()


@pytest.fixture
def bucket(server: S3Server, tmp_path: Path) -> Bucket:
    server.forget()
    return Bucket(server, tmp_path)


def failure(act: Callable[[], object]) -> JobError:
    with pytest.raises(JobError) as caught:
        act()
    told = caught.value.result().model_dump_json()
    for secret in (ACCESS_KEY_ID, SECRET_ACCESS_KEY, "SECRET"):
        assert secret not in told
    return caught.value


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_a_job_reads_from_a_bucket_and_writes_into_one(bucket: Bucket, sealed: bool) -> None:
    key = "raw/visits.csv"
    data = DATA
    if sealed:
        plain = bucket.folder / "visits.csv"
        plain.write_bytes(DATA)
        seal_file(plain, bucket.folder / "sealed", [SOURCE_KEY])
        key, data = key + ".lwe1", (bucket.folder / "sealed").read_bytes()
    bucket.server.put(key, data)
    found = bucket.inspect(key)
    assert found.source is not None
    assert (found.source.rows, found.source.bytes) == (500, len(data))
    result = bucket.mask(bucket.source(key, found))
    masked = bucket.masked()
    assert masked["age"].to_list() == list(range(500))
    assert masked["note"].null_count() == 500
    assert masked["patient"].n_unique() == 7
    assert result.output is not None
    assert (result.output.path, result.output.bytes) == (OUTPUT, len(bucket.server.get(OUTPUT)))
    assert bucket.server.uploads() == []
    rows = source_rows(bucket.source(key), [SOURCE_KEY] if sealed else None, 3, "receipt")
    assert b"SECRET2" in rows


def test_several_pods_read_from_a_bucket_and_what_they_wrote_is_read_from_one(
    bucket: Bucket,
) -> None:
    bucket.server.put("raw/a.csv", DATA)
    source = bucket.source("raw/a.csv", bucket.inspect("raw/a.csv"))
    output = bucket.folder / "masked" / "job-uid.parquet.lwe1"
    config = MaskingConfig(
        source=source,
        rules=RULES,
        output=OutputFile(path=str(output), format="Parquet"),
        workers=2,
    )
    worker = Worker(
        config, None, lambda role: MATERIAL, OUTPUT_KEY, b"p" * 32, 0, Progress(), min_shard=1 << 10
    )
    assert worker.run().output is not None
    for path in output.parent.rglob("*.lwe1"):
        key = f"copy/{path.relative_to(output.parent)}"
        bucket.server.put(key, path.read_bytes())
    assert len(bucket.server.names()) > 4
    copy = bucket.source(f"copy/{output.name}")
    rows = source_rows(copy, [OUTPUT_KEY], 500, "receipt")
    assert b"SECRET" not in rows
    assert len(json.loads(rows)["rows"]) == 500
    (missing, *_) = [key for key in bucket.server.names() if ".parts/" in key]
    bucket.server.client.delete_object(Bucket="clinic", Key=missing)
    error = failure(lambda: source_rows(copy, [OUTPUT_KEY], 500, "receipt"))
    assert (error.code, "part" in error.message) == ("FileMissing", True)


def test_a_folder_of_a_bucket_is_one_table(bucket: Bucket) -> None:
    lines = DATA.splitlines(keepends=True)
    bucket.server.put("raw/2.csv", lines[0] + b"".join(lines[251:]))
    bucket.server.put("raw/1.csv", b"".join(lines[:251]))
    bucket.server.put("raw/.hidden", b"x")
    bucket.server.put("rawer.csv", b"other\n1\n")
    found = bucket.inspect("raw/")
    assert found.source is not None
    assert (found.source.rows, found.source.bytes) == (500, len(DATA) + len(lines[0]))
    bucket.mask(bucket.source("raw/", found))
    assert bucket.masked()["age"].to_list() == list(range(500))
    bucket.server.put("raw/1.csv", b"".join(lines[:250]))
    assert failure(lambda: bucket.mask(bucket.source("raw/", found))).code == "SourceChanged"
    bucket.server.put("raw/deeper/3.csv", DATA)
    refused = failure(lambda: bucket.inspect("raw/"))
    assert (refused.code, "deeper/" in refused.message) == ("WrongFormat", True)
    assert failure(lambda: bucket.inspect("nothing/")).code == "FileMissing"


def test_an_output_that_is_there_is_replaced_and_a_failed_one_leaves_nothing(
    bucket: Bucket,
) -> None:
    bucket.server.put("raw/a.csv", DATA)
    found = bucket.inspect("raw/a.csv")
    first = bucket.mask(bucket.source("raw/a.csv", found)).output
    second = bucket.mask(bucket.source("raw/a.csv", found)).output
    assert first is not None
    assert second is not None
    assert first.file_id != second.file_id
    bucket.server.client.delete_object(Bucket="clinic", Key=OUTPUT)
    other = bucket.source("raw/a.csv", found).model_copy(update={"digest": "sha256:" + "0" * 64})
    assert failure(lambda: bucket.mask(other)).code == "SourceChanged"
    assert bucket.server.names() == ["raw/a.csv"]
    assert bucket.server.uploads() == []


def test_a_large_file_goes_up_in_parts_and_comes_back(bucket: Bucket) -> None:
    storage = S3Storage(bucket.store())
    data = random.Random(5).randbytes(2 * PART + 12_345)
    with storage.create("big") as file:
        for start in range(0, len(data), 1 << 20):
            assert bucket.server.names() == []
            file.write(memoryview(data)[start : start + (1 << 20)])
        assert file.publish(lambda written: None) == len(data)
    assert bucket.server.get("big") == data
    assert storage.size("big") == len(data)
    with storage.open("big") as reading:
        assert reading.read() == data
        places = random.Random(7)
        for _ in range(40):
            offset = places.choice([0, PIECE - 3, PIECE, places.randrange(len(data) + 10)])
            buffer = bytearray(places.choice([1, 100, 1 << 20]))
            count = reading.read_at(offset, memoryview(buffer))
            assert bytes(buffer[:count]) == data[offset : offset + len(buffer)]


def test_a_file_that_reads_back_differently_is_removed(bucket: Bucket) -> None:
    def refuse(written: object) -> None:
        raise JobError("Tampered", "no", "no")

    def write() -> None:
        with S3Storage(bucket.store()).create("a") as file:
            file.write(b"data")
            file.publish(refuse)

    assert failure(write).code == "Tampered"
    assert bucket.server.names() == []


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_source_that_changes_while_it_is_read(bucket: Bucket, how: str) -> None:
    bucket.server.put("raw/a", os.urandom(3 * PIECE))
    with S3Storage(bucket.store()).open("raw/a") as reading:
        if how == "replaced":
            bucket.server.put("raw/a", os.urandom(3 * PIECE))
        else:
            bucket.server.client.delete_object(Bucket="clinic", Key="raw/a")
        error = failure(reading.read)
    assert error.code == "SourceChanged"
    assert how in error.message


def test_a_killed_try_leaves_parts_that_the_next_one_and_a_clean_up_remove(bucket: Bucket) -> None:
    storage = S3Storage(bucket.store())

    def killed() -> None:
        upload = S3Upload(storage._client, "clinic", OUTPUT)
        upload.write(bytes(PART + 1))
        upload._sending[0].result()
        upload.close()

    killed()
    killed()
    assert bucket.server.uploads() == [OUTPUT, OUTPUT]
    with storage.create(OUTPUT) as file:
        file.write(b"data")
        file.publish(lambda written: None)
    assert bucket.server.uploads() == []
    killed()
    clean(CleanConfig(path=OUTPUT, store=bucket.store()))
    clean(CleanConfig(path=OUTPUT, store=bucket.store()))
    assert bucket.server.uploads() == []
    assert bucket.server.names() == []


def test_another_job_that_uploads_is_left_alone(bucket: Bucket) -> None:
    storage = S3Storage(bucket.store())
    S3Upload(storage._client, "clinic", OUTPUT + ".other").write(b"data")
    storage.remove(OUTPUT)
    assert bucket.server.uploads() == [OUTPUT + ".other"]
    storage.remove(OUTPUT + ".other")
    assert bucket.server.uploads() == []


def test_more_parts_than_an_object_can_have(bucket: Bucket) -> None:
    upload = S3Upload(S3Storage(bucket.store())._client, "clinic", "a", part=4, parts=2)
    error = failure(lambda: upload.write(bytes(12)))
    upload.discard()
    assert error.code == "TooLarge"
    assert bucket.server.uploads() == []


@pytest.mark.parametrize("name", ["accessKeyId", "secretAccessKey"])
def test_wrong_credentials(bucket: Bucket, name: str) -> None:
    bucket.server.put("raw/a.csv", DATA)
    found = bucket.inspect("raw/a.csv")
    source = bucket.source("raw/a.csv", found)
    wrong = bucket.folder / "wrong"
    wrong.mkdir()
    for value in ("accessKeyId", "secretAccessKey"):
        (wrong / value).write_text((bucket.folder / "credentials" / value).read_text())
    (wrong / name).write_text("wrong")
    reading = failure(lambda: bucket.inspect("raw/a.csv", credentials=str(wrong)))
    writing = failure(lambda: bucket.mask(source, credentials=str(wrong)))
    assert (reading.code, writing.code) == ("CredentialsRefused", "CredentialsRefused")
    assert "the source" in reading.message
    assert "the output" in writing.message


@pytest.mark.parametrize("name", ["accessKeyId", "secretAccessKey"])
def test_credentials_that_are_not_there(bucket: Bucket, name: str) -> None:
    store = bucket.store()
    (bucket.folder / "credentials" / name).unlink()
    error = failure(lambda: storage_of(store))
    assert error.code == "CredentialsMissing"
    assert name in error.message


def test_credentials_that_are_replaced_are_used_from_the_next_request_on(bucket: Bucket) -> None:
    store = bucket.store()
    path = bucket.folder / "credentials" / "secretAccessKey"
    path.write_text("wrong")
    storage = storage_of(store)
    assert failure(lambda: storage.size("a")).code == "CredentialsRefused"
    path.write_text(SECRET_ACCESS_KEY)
    assert storage.size("a") is None


def test_a_bucket_or_an_object_that_is_missing(bucket: Bucket) -> None:
    bucket.server.put("raw/a.csv", DATA)
    found = bucket.inspect("raw/a.csv")
    assert failure(lambda: bucket.inspect("raw/b.csv")).code == "FileMissing"
    assert failure(lambda: bucket.inspect("raw")).code == "FileMissing"
    missing = failure(lambda: bucket.inspect("raw/a.csv", bucket="nowhere"))
    assert (missing.code, "the source" in missing.message) == ("BucketMissing", True)
    source = bucket.source("raw/a.csv", found)
    missing = failure(lambda: bucket.mask(source, bucket="nowhere"))
    assert (missing.code, "the output" in missing.message) == ("BucketMissing", True)


def test_an_empty_object(bucket: Bucket) -> None:
    bucket.server.put("raw/a.csv", b"")
    assert failure(lambda: bucket.inspect("raw/a.csv")).code == "FileEmpty"


@pytest.mark.parametrize("ca", ["public", "another", "no certificate"])
def test_an_endpoint_that_is_not_trusted(bucket: Bucket, ca: str) -> None:
    path = bucket.folder / "other.crt"
    path.write_text(Authority("other").pem if ca == "another" else "no certificate")
    storage = S3Storage(bucket.store(ca=None if ca == "public" else str(path)), QUICK)
    assert failure(lambda: storage.size("a")).code == "StoreNotTrusted"


@pytest.mark.parametrize("fault", ["another host", "expired"])
def test_a_certificate_that_does_not_hold(bucket: Bucket, fault: str) -> None:
    authority = Authority("trusted")
    ca = bucket.folder / "ca.crt"
    ca.write_text(authority.pem)
    hosts = ("elsewhere.example",) if fault == "another host" else ("127.0.0.1",)
    files = authority.issue(bucket.folder, *hosts, expired=fault == "expired")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                files.context().wrap_socket(connection, server_side=True).close()

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        endpoint = f"https://127.0.0.1:{listening.getsockname()[1]}"
        storage = S3Storage(bucket.store(endpoint=endpoint, ca=str(ca)), QUICK)
        assert failure(lambda: storage.size("a")).code == "StoreNotTrusted"
        serving.join(5)


def test_an_authority_that_is_not_there(bucket: Bucket) -> None:
    error = failure(lambda: storage_of(bucket.store(ca=str(bucket.folder / "none"))))
    assert error.code == "StoreNotTrusted"
    assert "caRef" in error.message


def test_an_endpoint_that_is_away(bucket: Bucket) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"https://127.0.0.1:{taken.getsockname()[1]}"
        storage = S3Storage(bucket.store(endpoint=endpoint), QUICK)
        error = failure(lambda: storage.size("a"))
        assert error.code == "StoreUnavailable"
        assert failure(lambda: storage.remove("a")).code == "StoreUnavailable"


def test_an_endpoint_whose_name_nobody_knows(bucket: Bucket) -> None:
    storage = S3Storage(bucket.store(endpoint="https://s3.invalid:9000"), QUICK)
    assert failure(lambda: storage.size("a")).code == "StoreUnavailable"


def test_an_endpoint_that_does_not_answer(bucket: Bucket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: held.append(silent.accept()[0]), daemon=True)
        accepting.start()
        endpoint = f"https://127.0.0.1:{silent.getsockname()[1]}"
        storage = S3Storage(bucket.store(endpoint=endpoint), QUICK)
        assert failure(lambda: storage.size("a")).code == "StoreUnavailable"
        accepting.join(5)
        for connection in held:
            connection.close()


def test_a_store_that_hangs_does_not_hold_a_pod_that_is_told_to_stop(bucket: Bucket) -> None:
    bucket.server.put("raw/a.csv", DATA * 2000)
    config = InspectConfig(source=bucket.source("raw/a.csv"), sealed=False)
    program = Program(bucket.folder, json.loads(config.canonical()))
    assert program.process.stdout is not None
    for line in program.process.stdout:
        if "task began" in line:
            break
    bucket.server.freeze()
    try:
        program.process.terminate()
        program.process.wait(GRACE_SECONDS)
    finally:
        bucket.server.thaw()
    assert program.end()[0] == 1
    error = program.result().error
    assert error is not None
    assert error.code == "Interrupted"
