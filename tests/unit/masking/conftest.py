from collections.abc import Iterator
from pathlib import Path

import pytest

from s3.server import S3Server
from unit.masking.buckets import Bucket
from unit.masking.support import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.stop()


@pytest.fixture
def bucket(s3_server: S3Server, tmp_path: Path) -> Bucket:
    s3_server.forget()
    return Bucket(s3_server, tmp_path)
