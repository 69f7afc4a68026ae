"""What can be wrong with a bucket or the way to it, on a real S3 server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest

from leeward.formats.jobconfig import (
    GRACE_SECONDS,
    InspectConfig,
)
from leeward_masking.storage.places import storage_of
from leeward_masking.storage.s3.storage import S3Storage
from openbao.certificates import Authority
from s3.server import SECRET_ACCESS_KEY
from unit.masking.buckets import DATA, QUICK, Bucket, failure
from unit.masking.test_program import Program


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
