"""Several pods on one job: shards, parts and a manifest, whoever does what and dies where."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from leeward.api.privacymodel import PrivacyModel
from leeward.formats.jobconfig import (
    CleanConfig,
    MaskingConfig,
    OutputFile,
    PrivacyConfig,
    RuleConfig,
    SourceFile,
)
from leeward.formats.parts import MAGIC, parse_manifest, parts_folder
from leeward.formats.result import Result
from leeward.formats.sealed import Unwrapper, open_reader
from leeward.formats.sealed import inspect_file as inspect_file_headers
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.tasks.cleaning import clean
from leeward_masking.workers.worker import Worker
from leeward_masking.workers.workfolder import work_folder
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
    keys: Sequence[Unwrapper] = (SOURCE_KEY,),
    progress: Progress | None = None,
) -> Worker:
    config = MaskingConfig(
        source=source,
        rules=rules or RULES,
        privacy=privacy,
        output=OutputFile.model_validate({"path": str(volume.output), "format": form}),
        workers=2,
    )
    return Worker(
        config,
        keys if source.key_role else None,
        lambda role: MATERIAL,
        OUTPUT_KEY,
        SHARED,
        index,
        progress or Progress(),
        # A few shards: each costs the same, however small it is.
        min_shard=1 << (13 if source.format == "Parquet" else 16),
    )


def csv_source(volume: Volume, *, sealed: bool = False, form: str = "CSV") -> SourceFile:
    if form == "CSV":
        path = volume.write("source.csv", FRAME.write_csv().encode(), sealed=sealed)
    elif form == "JSONL":
        path = volume.write("source.jsonl", FRAME.write_ndjson().encode(), sealed=sealed)
    elif form == "gzip":
        path = volume.write("source.csv", gzip.compress(FRAME.write_csv().encode()), sealed=sealed)
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


def frames_of(volume: Volume) -> list[pl.DataFrame]:
    with open_reader(volume.output, [OUTPUT_KEY]) as reader:
        manifest = parse_manifest(reader.read())
    frames = []
    for part in parts_of(volume):
        with open_reader(part, [manifest.part_key]) as reader:
            frames.append(pl.read_parquet(reader.read()))
    return frames


def rows_of(volume: Volume) -> pl.DataFrame:
    return pl.concat(frames_of(volume))


def report_of(result: Result) -> list[dict[str, object]]:
    assert result.report is not None
    return [column.model_dump() for column in result.report.columns]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("form", ["CSV", "JSONL", "Parquet", "gzip"])
def test_parts_hold_what_one_file_would(volume: Volume, form: str, sealed: bool) -> None:
    source = csv_source(volume, sealed=sealed, form=form)
    alone = volume.mask(source, RULES)
    whole = volume.masked()
    result = worker(volume, source).run()
    # What is compressed cannot be divided.
    assert len(parts_of(volume)) == 1 if form == "gzip" else len(parts_of(volume)) > 2
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


def test_levels_are_searched_for_once_for_all_shards(volume: Volume) -> None:
    """Also where rules had to know all rows before."""
    asked = PrivacyModel.model_validate({"kAnonymity": {"k": 2, "quasiIdentifiers": ["age"]}})
    job = worker(
        volume,
        csv_source(volume),
        rules=[rule("age", "generalize", {"quantiles": 4})],
        privacy=PrivacyConfig(model=asked, subject="name"),
    )
    job.run()
    assert job._plan(0).release is job._plan(1).release is not None


class Stopping(Progress):
    """Has the pod stop after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def check(self) -> None:
        self._looks -= 1
        if self._looks < 0:
            self.stop()
        super().check()


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_whoever_stops_whenever_another_one_goes_on(volume: Volume, form: str) -> None:
    source = csv_source(volume, form=form)
    alone = volume.mask(source, RULES)
    whole = volume.masked()
    volume.output.unlink()
    stopped = 0
    for looks in (0, 1, 2, 3, 5, 8):
        with contextlib.suppress(JobError):
            worker(volume, source, index=looks % 2, progress=Stopping(looks)).run()
            continue
        stopped += 1
        assert not volume.output.exists()
    assert stopped > 2
    assert report_of(worker(volume, source).run()) == report_of(alone)
    assert rows_of(volume).equals(whole)


@pytest.mark.parametrize("removed", [True, False])
def test_a_pod_that_comes_late_has_nothing_to_do(volume: Volume, *, removed: bool) -> None:
    """Also where the first one has not removed yet what they worked with."""
    source = csv_source(volume)
    with contextlib.suppress(JobError):
        worker(volume, source, progress=Stopping(0)).run()
    (folder,) = work_folder(volume.output).iterdir()
    worker(volume, source).run()
    files = sorted(path for path in volume.output.parent.rglob("*") if path.is_file())
    if not removed:
        folder.mkdir(parents=True)
        (folder / "survey.lock").touch()
    assert worker(volume, source, index=1).run() == Result(outcome="Succeeded")
    assert sorted(path for path in volume.output.parent.rglob("*") if path.is_file()) == files
    assert not work_folder(volume.output).exists()


def test_a_job_whose_result_was_never_taken_is_done_again_by_all(volume: Volume) -> None:
    source = csv_source(volume)
    worker(volume, source).run()
    with contextlib.suppress(JobError):
        worker(volume, source, progress=Stopping(3)).run()
    assert not volume.output.exists()
    assert worker(volume, source, index=1).run() == Result(outcome="Succeeded")
    assert any(work_folder(volume.output).rglob("mask-00000"))
    assert worker(volume, source).run().output is not None


def test_the_output_of_an_earlier_job_is_not_taken_for_this_one(volume: Volume) -> None:
    source = csv_source(volume)
    volume.output.parent.mkdir()
    volume.output.write_bytes(b"of an earlier one")
    worker(volume, source, index=1).run()
    assert any(work_folder(volume.output).rglob("mask-*"))


def test_only_the_first_pod_finishes(volume: Volume) -> None:
    source = csv_source(volume)
    assert worker(volume, source, index=1).run() == Result(outcome="Succeeded")
    assert not volume.output.exists()
    assert worker(volume, source).run().output is not None


def test_a_source_that_changes_between_hashing_and_masking(volume: Volume) -> None:
    source = csv_source(volume)
    path = Path(source.path)
    first = worker(volume, source, index=1, progress=Stopping(3))
    with pytest.raises(JobError, match="stopped"):
        first.run()
    path.write_bytes(path.read_bytes().replace(b"SECRET-4000", b"SECRET-4999"))
    with pytest.raises(JobError) as caught:
        worker(volume, source).run()
    assert caught.value.code == "SourceChanged"
    assert not volume.output.exists()


def test_a_row_is_named_by_its_number_in_the_whole_source(volume: Volume) -> None:
    lines = FRAME.write_csv().encode()
    at = lines.index(b"SECRET-4700")
    path = volume.write("source.csv", lines[:at] + b'"broken' + lines[at:])
    with pytest.raises(JobError) as alone:
        volume.mask(volume.source(path, TYPES), RULES)
    with pytest.raises(JobError) as shared:
        worker(volume, volume.source(path, TYPES)).run()
    assert alone.value.row is not None
    assert shared.value.result() == alone.value.result()


def test_where_locks_do_not_hold_what_was_written_first_or_last_is_whole(volume: Volume) -> None:
    source = csv_source(volume)
    first, second = worker(volume, source, index=1), worker(volume, source)
    first.run()
    for path in work_folder(volume.output).rglob("mask-*"):
        path.unlink()
    second.run()
    assert rows_of(volume).height == ROWS


def test_records_of_another_job_are_not_taken(volume: Volume) -> None:
    source = csv_source(volume)
    worker(volume, source, index=1).run()
    other = [rule("name", "redact"), *RULES[1:]]
    worker(volume, source, rules=other).run()
    assert rows_of(volume)["name"].null_count() == ROWS


def test_nothing_readable_is_in_the_folder_where_pods_meet(volume: Volume) -> None:
    source = csv_source(volume)
    rules = [rule("age", "generalize", {"quantiles": 4}), keep("name", "note")]
    worker(volume, source, index=1, rules=rules).run()
    files = [path for path in work_folder(volume.output).rglob("*") if path.is_file()]
    assert [path for path in files if "gather-0" in path.name]
    assert not any(b"SECRET" in path.read_bytes() for path in files)


def test_rules_that_must_know_all_rows(volume: Volume) -> None:
    source = csv_source(volume, form="Parquet")
    rules = [rule("age", "generalize", {"quantiles": 4}), keep("name", "note")]
    alone = volume.mask(source, rules)
    whole = volume.masked()
    with contextlib.suppress(JobError):
        worker(volume, source, rules=rules, progress=Stopping(12)).run()
    assert report_of(worker(volume, source, rules=rules).run()) == report_of(alone)
    assert rows_of(volume).equals(whole)


def test_values_change_places_between_shards(volume: Volume) -> None:
    source = csv_source(volume)
    rules = [
        rule("note", "shuffle"),
        rule("age", "shuffle", {"within": ["name"], "minGroup": 2, "unsuitable": "Redact"}),
        rule("name", "randomMask", {"distribution": {"minRows": 2}}),
    ]
    with contextlib.suppress(JobError):
        worker(volume, source, rules=rules, progress=Stopping(12)).run()
    worker(volume, source, rules=rules).run()
    found = rows_of(volume)
    assert sorted(found["note"]) == sorted(FRAME["note"])
    assert found["note"].head(500).is_in(FRAME["note"].tail(4000).implode()).any()
    # Of each name that stands in one row only, the one age is gone.
    grouped = FRAME.filter(pl.col("name").is_duplicated())["age"]
    assert found["age"].drop_nulls().sort().equals(grouped.drop_nulls().sort())
    assert found["name"].is_in(FRAME["name"].implode()).all()


def test_what_is_left_is_removed(volume: Volume) -> None:
    source = csv_source(volume)
    worker(volume, source, index=1).run()
    clean(CleanConfig(path=str(volume.output)))
    assert list(volume.output.parent.iterdir()) == []


def test_the_manifest_names_its_parts_and_they_name_it(volume: Volume) -> None:
    worker(volume, csv_source(volume)).run()
    manifest = inspect_file_headers(volume.output)
    for part in parts_of(volume):
        assert inspect_file_headers(part).manifest_id == manifest.file_id
    with open_reader(volume.output, [OUTPUT_KEY]) as reader:
        assert reader.read(len(MAGIC)) == MAGIC
