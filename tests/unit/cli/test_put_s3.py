"""What runs in the pod of ``leeward dataset put`` for a bucket, on a real S3 server."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward.cli import receiver
from leeward.formats.jobconfig import S3Store
from s3.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, S3Server

DATA = b"id,word\n1,SECRET\n" * 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.stop()


def put(
    server: S3Server, folder: Path, mode: str, data: bytes, *, whole: bool = True, **changes: str
) -> dict[str, Any]:
    (folder / "accessKeyId").write_text(ACCESS_KEY_ID)
    (folder / "secretAccessKey").write_text(SECRET_ACCESS_KEY)
    store = S3Store(
        endpoint=server.endpoint,
        bucket="clinic",
        region=REGION,
        path_style=True,
        credentials=str(folder),
        ca=str(server.ca),
    ).model_copy(update=changes)
    source = Path(receiver.__file__).read_text()
    end = hashlib.sha256(data).digest() if whole else bytes(32)
    done = subprocess.run(
        [sys.executable, "-c", source, store.canonical().decode(), "raw/a.csv", mode],
        input=len(data).to_bytes(4, "big") + data + bytes(4) + end,
        capture_output=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_file_comes_whole_or_not_at_all(server: S3Server, tmp_path: Path) -> None:
    server.forget()
    cut = put(server, tmp_path, "keep", DATA, whole=False)
    assert cut == {"error": receiver.INCOMPLETE}
    assert (server.names(), server.uploads()) == ([], [])
    sent = put(server, tmp_path, "keep", DATA)
    assert sent == {"bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
    assert server.get("raw/a.csv") == DATA


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(
    server: S3Server, tmp_path: Path
) -> None:
    server.put("raw/a.csv", b"old")
    assert put(server, tmp_path, "keep", DATA) == {"error": receiver.TAKEN}
    assert server.get("raw/a.csv") == b"old"
    put(server, tmp_path, "replace", DATA)
    assert server.get("raw/a.csv") == DATA


def test_what_is_wrong_comes_with_a_remedy(server: S3Server, tmp_path: Path) -> None:
    answer = put(server, tmp_path, "keep", DATA, bucket="nowhere")
    assert "bucket" in answer["error"]
    assert "location.s3.bucket" in answer["remedy"]
