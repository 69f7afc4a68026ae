"""A volume with a source, keys, and a job on it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import DataFormat, SchemaColumn
from leeward.formats.jobconfig import (
    InspectConfig,
    MaskingConfig,
    OutputFile,
    PrivacyConfig,
    RuleConfig,
    SourceFile,
)
from leeward.formats.result import Result
from leeward.formats.sealed import ArtefactKey, open_reader, seal_file
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.tasks.inspection import inspect_file
from leeward_masking.values.canonical import column_type

SOURCE_KEY = ArtefactKey(b"s" * 16, b"S" * 32)
OUTPUT_KEY = ArtefactKey(b"o" * 16, b"O" * 32)
MATERIAL = b"m" * 64
KEY_REF = {"vault": {"name": "clinic"}, "key": "tokens"}


FORMATS: dict[str, DataFormat] = {
    ".arrow": "ArrowIPC", ".jsonl": "JSONL", ".parquet": "Parquet",
}  # fmt: skip


def rule(
    name: str,
    transform: str,
    parameters: dict[str, object] | None = None,
    *,
    columns: Sequence[str] | None = None,
    key: str | None = None,
    role: str | None = None,
    subject: str | None = None,
) -> RuleConfig:
    """A rule; ``role``: the algorithm of a key that stands deeper in the parameters."""
    given: dict[str, object] = dict(parameters or {})
    if key:
        given["key"] = KEY_REF
    return RuleConfig.model_validate(
        {
            "rule": {"name": name, transform: given},
            "columns": list(columns or [name]),
            "keyRole": f"rule:{name}" if key or role else None,
            "keyAlgorithm": key or role,
            "subject": subject,
        }
    )


def rule_with(
    name: str, transform: dict[str, Any], *, key: str | None = None, **members: Any
) -> RuleConfig:
    """A rule that has other members beside its transform."""
    return RuleConfig.model_validate(
        {
            "rule": {"name": name, **transform, **members},
            "columns": [name],
            "keyRole": f"rule:{name}" if key else None,
            "keyAlgorithm": key,
        }
    )


def keep(*columns: str) -> RuleConfig:
    return rule("rest", "keep", columns=columns)


@dataclass
class Volume:
    """A folder that stands for the mounted volumes."""

    folder: Path
    progress: Progress = field(default_factory=Progress)

    @property
    def output(self) -> Path:
        return self.folder / "masked" / "job-uid.parquet.lwe1"

    def write(self, name: str, data: bytes, *, sealed: bool = False) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        if not sealed:
            return path
        target = path.with_name(name + ".lwe1")
        seal_file(path, target, [SOURCE_KEY], overwrite=True)
        return target

    def write_frame(
        self, frame: pl.DataFrame, *, sealed: bool = False, rows: int | None = None
    ) -> Path:
        """In row groups of so many rows: of few, and of many rows about eight groups."""
        path = self.folder / "source.parquet"
        frame.write_parquet(path, row_group_size=rows or max(3, frame.height // 8))
        return self.write(path.name, path.read_bytes(), sealed=sealed)

    def source(
        self,
        path: Path,
        columns: Mapping[str, str | pl.DataType] | None = None,
        *,
        digest: str | None = None,
        csv: CsvOptions | None = None,
    ) -> SourceFile:
        types = {
            name: kind if isinstance(kind, str) else column_type(kind)
            for name, kind in (columns or {}).items()
        }
        return SourceFile(
            path=str(path),
            format=next((form for name, form in FORMATS.items() if name in path.name), "CSV"),
            csv=csv,
            key_role="source" if path.suffix == ".lwe1" else None,
            digest=digest,
            columns=[
                SchemaColumn.model_validate({"name": name, "type": kind})
                for name, kind in types.items()
            ],
        )

    def inspect(
        self,
        path: Path,
        *,
        wait: int = 0,
        csv: CsvOptions | None = None,
        expected: tuple[str, ...] = (),
    ) -> Result:
        source = self.source(path, csv=csv)
        config = InspectConfig(
            source=source,
            sealed=path.suffix == ".lwe1",
            wait_seconds=wait,
            expected_columns=list(expected),
        )
        return inspect_file(config, [SOURCE_KEY] if source.key_role else None, self.progress)

    def mask(
        self,
        source: SourceFile,
        rules: list[RuleConfig],
        *,
        form: str = "Parquet",
        privacy: PrivacyConfig | None = None,
        sample: SourceFile | None = None,
    ) -> Result:
        config = MaskingConfig(
            source=source,
            rules=rules,
            privacy=privacy,
            sample=sample,
            output=OutputFile.model_validate({"path": str(self.output), "format": form}),
        )
        return mask_file(
            config,
            [SOURCE_KEY] if source.key_role else None,
            lambda role: MATERIAL,
            OUTPUT_KEY,
            self.progress,
            [SOURCE_KEY] if sample is not None and sample.key_role else None,
        )

    def opened(self) -> bytes:
        with open_reader(self.output, [OUTPUT_KEY]) as reader:
            return reader.read()

    def masked(self) -> pl.DataFrame:
        return pl.read_parquet(self.opened())

    def nothing_written(self) -> bool:
        folder = self.output.parent
        return not folder.exists() or not list(folder.iterdir())


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def column(values: Sequence[Any], dtype: Any = None) -> pl.Series:
    return pl.Series("c", values, dtype)


def refused(transform: Callable[[pl.Series], object], values: pl.Series) -> JobError:
    with pytest.raises(JobError) as caught:
        transform(values)
    assert caught.value.code == "UnsuitableColumn"
    assert caught.value.column == "c"
    return caught.value


NUMBERS = {
    "integers": column([5, -7, None]),
    "short integers": column([0, 255, None], pl.UInt8),
    "long integers": column([0, 2**64 - 1, None], pl.UInt64),
    "decimals": column([Decimal("0.50"), Decimal("-7.25"), None], pl.Decimal(6, 2)),
    "floats": column([0.5, -7.25, None]),
    "short floats": column([0.5, -7.25, None], pl.Float32),
    "no value": column([None, None], pl.Int64),
    "nothing": column([], pl.Float64),
    "one": column([1.5]),
    "all equal": column([3] * 50),
}
