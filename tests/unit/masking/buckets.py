"""A bucket on a real S3 server, and jobs that work on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from leeward.formats.jobconfig import (
    InspectConfig,
    MaskingConfig,
    OutputFile,
    ReportFile,
    S3Store,
    SourceFile,
)
from leeward.formats.result import Result
from leeward.formats.sealed import open_reader
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.storage.s3.client import Patience
from leeward_masking.tasks.inspection import inspect_file
from s3.server import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, S3Server
from unit.masking.support import MATERIAL, OUTPUT_KEY, SOURCE_KEY, keep, rule

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

    def mask(
        self, source: SourceFile, *, report: ReportFile | None = None, **changes: object
    ) -> Result:
        store = self.store(**changes)
        output = OutputFile(path=OUTPUT, store=store, format="Parquet", report=report)
        config = MaskingConfig(source=source, rules=RULES, output=output)
        keys = [SOURCE_KEY] if source.key_role else None
        return mask_file(config, keys, lambda role: MATERIAL, OUTPUT_KEY, Progress())

    def masked(self) -> pl.DataFrame:
        path = self.folder / "fetched"
        path.write_bytes(self.server.get(OUTPUT))
        with open_reader(path, [OUTPUT_KEY]) as reader:
            return pl.read_parquet(reader.read())


def failure(act: Callable[[], object]) -> JobError:
    with pytest.raises(JobError) as caught:
        act()
    told = caught.value.result().model_dump_json()
    for secret in (ACCESS_KEY_ID, SECRET_ACCESS_KEY, "SECRET"):
        assert secret not in told
    return caught.value
