"""Several pods on one job: shards, parts and a manifest, whoever does what and dies where."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from leeward.api.privacymodel import PrivacyModel
from leeward.formats.jobconfig import (
    MaskingConfig,
    OutputFile,
    PrivacyConfig,
    RuleConfig,
    SourceFile,
)
from leeward.formats.parts import parse_manifest, parts_folder
from leeward.formats.result import Result
from leeward.formats.sealed import open_reader
from leeward_masking.workers import Worker
from leeward_masking.workfolder import work_folder
from unit.masking.support import MATERIAL, OUTPUT_KEY, SOURCE_KEY, Volume, keep, rule

SHARED = b"p" * 32
ROWS = 8_000
FRAME = pl.DataFrame(
    {
        "name": [f"SECRET-{number % 5000}" for number in range(ROWS)],
        "note": [f'said "{number}",\nand left' for number in range(ROWS)],
        "age": [number % 97 if number % 11 else None for number in range(ROWS)],
    }
)
TYPES = {"name": "String", "note": "String", "age": "Integer"}
RULES = [
    rule("name", "tokenize", key="AES256_SIV"),
    rule("note", "hash", {"length": 32}, key="HMAC_SHA256"),
    keep("age"),
]


def worker(
    volume: Volume,
    source: SourceFile,
    index: int = 0,
    *,
    rules: list[RuleConfig] | None = None,
    form: str = "Parquet",
    privacy: PrivacyConfig | None = None,
) -> Worker:
    config = MaskingConfig(
        source=source,
        rules=rules or RULES,
        privacy=privacy,
        output=OutputFile.model_validate({"path": str(volume.output), "format": form}),
        workers=2,
    )
    keys = [SOURCE_KEY] if source.key_role else None
    return Worker(
        config,
        keys,
        lambda role: MATERIAL,
        OUTPUT_KEY,
        SHARED,
        index,
        volume.progress,
        min_shard=1 << 12,
    )


def csv_source(volume: Volume, *, sealed: bool = False, form: str = "CSV") -> SourceFile:
    if form == "CSV":
        path = volume.write("source.csv", FRAME.write_csv().encode(), sealed=sealed)
    else:
        path = volume.write_frame(FRAME, sealed=sealed, rows=512)
    found = volume.inspect(path).source
    assert found is not None
    return volume.source(path, TYPES, digest=found.digest)


def published(volume: Volume) -> SourceFile:
    """The output, as a Dataset of its own."""
    found = Volume(volume.folder)
    del found
    path = volume.output
    return SourceFile(path=str(path), format="Parquet", key_role="output")


def parts_of(volume: Volume) -> list[Path]:
    with open_reader(volume.output, [OUTPUT_KEY]) as reader:
        manifest = parse_manifest(reader.read())
    folder = Path(parts_folder(volume.output))
    assert {part.name for part in manifest.parts} == {path.name for path in folder.iterdir()}
    return [folder / part.name for part in manifest.parts]


def rows_of(volume: Volume) -> pl.DataFrame:
    with open_reader(volume.output, [OUTPUT_KEY]) as reader:
        manifest = parse_manifest(reader.read())
    frames = []
    for part in parts_of(volume):
        with open_reader(part, [manifest.part_key]) as reader:
            frames.append(pl.read_parquet(reader.read()))
    return pl.concat(frames)


def report_of(result: Result) -> list[dict[str, object]]:
    assert result.report is not None
    return [column.model_dump() for column in result.report.columns]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_parts_hold_what_one_file_would(volume: Volume, form: str, sealed: bool) -> None:
    source = csv_source(volume, sealed=sealed, form=form)
    alone = volume.mask(source, RULES)
    whole = volume.masked()
    result = worker(volume, source).run()
    assert len(parts_of(volume)) > 2
    assert rows_of(volume).equals(whole)
    assert report_of(result) == report_of(alone)
    assert result.source == alone.source
    assert result.output is not None
    assert alone.output is not None
    assert result.output.columns == alone.output.columns
    assert result.output.rows == ROWS
    assert not work_folder(volume.output).exists()


def test_a_privacy_model_is_of_all_shards(volume: Volume) -> None:
    """People stand in two shards each, and rows are left out in some."""
    model = {"k": 2, "quasiIdentifiers": ["age", "note"], "maxSuppression": "0.1"}
    asked = PrivacyModel.model_validate({"kAnonymity": model})
    privacy = PrivacyConfig(model=asked, subject="name")
    rules = [keep("age"), rule("note", "generalize", {"prefix": 7})]
    source = csv_source(volume)
    alone = volume.mask(source, rules, privacy=privacy)
    whole = volume.masked()
    result = worker(volume, source, rules=rules, privacy=privacy).run()
    assert len(parts_of(volume)) > 2
    assert rows_of(volume).equals(whole)
    assert result.output is not None
    assert result.output.rows == whole.height < ROWS
    assert result.report is not None
    assert alone.report is not None
    assert result.report.privacy == alone.report.privacy
