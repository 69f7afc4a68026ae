"""Files in a bucket, on a real S3 server."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from leeward.formats.jobconfig import (
    CleanConfig,
    MaskingConfig,
    OutputFile,
    ReportFile,
)
from leeward.formats.report import LargeReport, ReportSubject, report_path
from leeward.formats.sealed import seal_file
from leeward.formats.sealed.streams import SeekableFile
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.report.archive import archive
from leeward_masking.storage.s3.file import PIECE
from leeward_masking.storage.s3.storage import S3Storage
from leeward_masking.storage.s3.upload import PART, S3Upload
from leeward_masking.tasks.cleaning import clean
from leeward_masking.tasks.preview import source_rows
from leeward_masking.workers.worker import Worker
from s3.proxy import LoopbackProxy
from s3.server import VIRTUAL_DOMAIN
from unit.masking.buckets import DATA, OUTPUT, RULES, Bucket, failure
from unit.masking.support import MATERIAL, OUTPUT_KEY, SOURCE_KEY


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


def test_a_bucket_before_the_name_of_the_host(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.server.put("raw/visits.csv", DATA)
    host = f"{VIRTUAL_DOMAIN}:{bucket.server.port}"
    changes: dict[str, Any] = {"endpoint": f"https://{host}", "path_style": False}
    with LoopbackProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", "")
        store = bucket.store(**changes)
        found = bucket.inspect("raw/visits.csv", **changes)
        source = bucket.source("raw/visits.csv", found, store=store)
        bucket.mask(source, **changes)
    assert set(proxy.asked) == {f"clinic.{host}"}
    assert bucket.masked()["age"].to_list() == list(range(500))


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


def publish_beside(
    bucket: Bucket, *, before: Callable[[], object], after: Callable[[], object]
) -> JobError:
    """The failure of an output of which something is wrong.

    Args:
        before: What somebody does before it gets its name.
        after: And before it is read back.
    """

    def verify(written: SeekableFile) -> None:
        after()
        written.seek(0)
        raise JobError("Tampered", "no", "no")

    def write() -> None:
        with S3Storage(bucket.store()).create(OUTPUT) as file:
            file.write(b"data")
            before()
            file.publish(verify)

    return failure(write)


@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
def test_what_others_write_while_a_job_runs_is_neither_replaced_nor_removed(
    bucket: Bucket, there: bool
) -> None:
    if there:
        bucket.server.put(OUTPUT, b"earlier")
    error = publish_beside(
        bucket, before=lambda: bucket.server.put(OUTPUT, b"other"), after=lambda: None
    )
    assert error.code == "OutputPathTaken"
    assert bucket.server.get(OUTPUT) == b"other"
    assert bucket.server.uploads() == []


def test_what_others_write_before_it_is_read_back_is_not_removed(bucket: Bucket) -> None:
    error = publish_beside(
        bucket, before=lambda: None, after=lambda: bucket.server.put(OUTPUT, b"other")
    )
    assert error.code == "OutputPathTaken"
    assert bucket.server.get(OUTPUT) == b"other"


def test_an_earlier_output_that_is_removed_meanwhile_is_no_hindrance(bucket: Bucket) -> None:
    bucket.server.put(OUTPUT, b"earlier")
    with S3Storage(bucket.store()).create(OUTPUT) as file:
        file.write(b"data")
        bucket.server.client.delete_object(Bucket="clinic", Key=OUTPUT)
        file.publish(lambda written: None)
    assert bucket.server.get(OUTPUT) == b"data"


def test_a_clean_up_leaves_what_others_wrote(bucket: Bucket) -> None:
    with S3Storage(bucket.store()).create(OUTPUT) as file:
        file.write(b"data")
        file.publish(lambda written: None)
    bucket.server.put(report_path(OUTPUT), b"other")
    clean(CleanConfig(path=OUTPUT, store=bucket.store()))
    assert bucket.server.names() == [report_path(OUTPUT)]


def test_no_report_is_left_of_an_output_that_gets_no_name(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.server.put("raw/a.csv", DATA)
    source = bucket.source("raw/a.csv", bucket.inspect("raw/a.csv"))

    def write_beside(report: LargeReport) -> bytes:
        bucket.server.put(OUTPUT, b"other")
        return archive(report)

    monkeypatch.setattr("leeward_masking.engine.archive", write_beside)
    about = ReportSubject(job="j", source="s", output="o")
    report = ReportFile(path=report_path(OUTPUT), about=about)
    assert failure(lambda: bucket.mask(source, report=report)).code == "OutputPathTaken"
    assert bucket.server.names() == [OUTPUT, "raw/a.csv"]
    assert bucket.server.get(OUTPUT) == b"other"


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
