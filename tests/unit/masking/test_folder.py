"""A source of several files in a folder."""

import gzip
import io
import json
from math import nan
from pathlib import Path

import polars as pl
import pytest

from leeward.formats.jobconfig import (
    InspectConfig,
    MaskingConfig,
    OutputFile,
    RuleConfig,
    SourceFile,
)
from leeward.formats.result import Result, ResultError
from leeward_masking.errors import JobError
from leeward_masking.sources.source import open_source
from leeward_masking.tasks.inspection import inspect_file
from leeward_masking.workers.worker import Worker
from unit.masking.support import MATERIAL, OUTPUT_KEY, Volume, keep, rule

SECRET = "SECRET-Žofie"
FORMS = ["ArrowIPC", "CSV", "JSONL", "Parquet"]
ENDINGS = {"ArrowIPC": "feather", "CSV": "csv", "JSONL": "jsonl", "Parquet": "parquet"}


def encoded(frame: pl.DataFrame, form: str) -> bytes:
    if form == "CSV":
        return frame.write_csv().encode()
    if form == "JSONL":
        return frame.write_ndjson().encode()
    target = io.BytesIO()
    if form == "ArrowIPC":
        frame.write_ipc(target)
        return target.getvalue()
    frame.write_parquet(target)
    return target.getvalue()


def folder(volume: Volume, form: str, *frames: pl.DataFrame) -> SourceFile:
    path = volume.folder / "raw"
    path.mkdir()
    for number, frame in enumerate(frames):
        (path / f"part-{number}.{ENDINGS[form]}").write_bytes(encoded(frame, form))
    return SourceFile.model_validate({"path": f"{path}/", "format": form})


def inspected(volume: Volume, source: SourceFile) -> Result:
    return inspect_file(InspectConfig(source=source, sealed=False), None, volume.progress)


def pinned(volume: Volume, source: SourceFile) -> SourceFile:
    found = inspected(volume, source).source
    assert found is not None
    return source.model_copy(update={"columns": found.columns, "digest": found.digest})


@pytest.mark.parametrize("form", FORMS)
def test_all_files_are_one_table(volume: Volume, form: str) -> None:
    first = pl.DataFrame({"id": [1, 2], "name": ["a", None]})
    second = pl.DataFrame({"id": [3], "name": [SECRET]})
    source = folder(volume, form, second, first)
    Path(source.path, "_SUCCESS").write_text("")
    Path(source.path, ".part-9.csv.tmp").write_text("x")
    found = inspected(volume, source).source
    assert found is not None
    assert (found.rows, found.bytes) == (
        3, sum(len(encoded(frame, form)) for frame in (first, second)),
    )  # fmt: skip
    assert {column.name: column.type for column in found.columns} == {
        "id": "Integer", "name": "String",
    }  # fmt: skip
    source = pinned(volume, source)
    result = volume.mask(source, [keep("id", "name")])
    assert volume.masked()["id"].to_list() == [3, 1, 2]
    assert result.source is not None
    assert result.source.digest == source.digest


def shared(
    volume: Volume, source: SourceFile, rules: list[RuleConfig], output: str = "Parquet"
) -> Result:
    """What one of several pods makes of it."""
    config = MaskingConfig(
        source=source,
        rules=rules,
        output=OutputFile.model_validate({"path": str(volume.output), "format": output}),
        workers=2,
    )
    keys = (None, lambda role: MATERIAL, OUTPUT_KEY, bytes(32))
    return Worker(config, *keys, 0, volume.progress, min_shard=1 << 10).run()


def failure(
    volume: Volume, source: SourceFile, rules: list[RuleConfig], output: str = "Parquet"
) -> ResultError:
    """What one pod says, which is what one of several says."""
    with pytest.raises(JobError) as alone:
        volume.mask(source, rules, form=output)
    with pytest.raises(JobError) as one_of_several:
        shared(volume, source, rules, output)
    told = alone.value.result()
    assert one_of_several.value.result() == told
    assert SECRET not in told.model_dump_json()
    return told


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_a_rule_does_not_take_is_counted_in_its_file(volume: Volume, form: str) -> None:
    first = pl.DataFrame({"ip": ["192.0.2.1"] * 500})
    second = pl.DataFrame({"ip": ["192.0.2.1"] * 400 + [SECRET, "192.0.2.1"]})
    source = pinned(volume, folder(volume, form, first, second))
    told = failure(volume, source, [rule("ip", "generalize", {"ipPrefix": {"v4": 24, "v6": 48}})])
    assert told.row == 401
    assert told.message.startswith("row 401: ")
    assert told.message.endswith(f" (in file part-1.{ENDINGS[form]})")


@pytest.mark.parametrize("form", FORMS)
def test_a_row_that_cannot_be_read_is_counted_in_its_file(volume: Volume, form: str) -> None:
    dates = pl.Series("seen", [0] * 500, pl.Int32).cast(pl.Date).to_frame()
    source = pinned(volume, folder(volume, form, dates, dates))
    path = Path(source.path, f"part-1.{ENDINGS[form]}")
    if form in ("CSV", "JSONL"):
        lines = path.read_bytes().splitlines(keepends=True)
        lines[-100] = f'"{SECRET}"{SECRET}\n'.encode()
        path.write_bytes(b"".join(lines))
    else:
        far = pl.Series("seen", [0] * 400 + [2**31 - 1] + [0] * 99, pl.Int32).cast(pl.Date)
        path.write_bytes(encoded(far.to_frame(), form))
    told = failure(volume, source.model_copy(update={"digest": None}), [keep("seen")])
    assert (told.code, told.row) == ("MalformedData", 401)
    assert told.message.count("row 401") == 1
    assert told.message.endswith(f" (in file part-1.{ENDINGS[form]})")


def test_a_row_that_cannot_be_written_is_counted_in_its_file(volume: Volume) -> None:
    weights = pl.Series("kg", [n / 7 for n in range(1000)]).to_frame()
    wrong = pl.Series("kg", [n / 7 if n != 700 else nan for n in range(1000)]).to_frame()
    source = folder(volume, "Parquet", weights, wrong)
    wrong.write_parquet(Path(source.path, "part-1.parquet"), row_group_size=200)
    told = failure(volume, pinned(volume, source), [keep("kg")], "JSONL")
    assert told.row == 701
    assert told.message.startswith("row 701: ")
    assert told.message.endswith(" (in file part-1.parquet)")


def test_a_file_that_cannot_be_opened_is_named(volume: Volume) -> None:
    frame = pl.DataFrame({"a": [1]})
    source = pinned(volume, folder(volume, "CSV", frame, frame))
    Path(source.path, "part-1.csv").write_text("")
    told = failure(volume, source, [keep("a")])
    assert told.message == "the source is empty (0 bytes) (in file part-1.csv)"


@pytest.mark.parametrize("form", FORMS)
def test_several_pods_divide_the_files(volume: Volume, form: str) -> None:
    frames = [pl.DataFrame({"a": range(n, n + 900)}) for n in range(0, 2700, 900)]
    source = pinned(volume, folder(volume, form, *frames))
    result = shared(volume, source, [keep("a")])
    assert result.output is not None
    assert result.output.rows == 2700
    assert result.source is not None
    assert result.source.digest == source.digest


def test_types_are_those_of_all_files(volume: Volume) -> None:
    source = folder(volume, "CSV", pl.DataFrame({"a": ["1"]}), pl.DataFrame({"a": ["x"]}))
    found = inspected(volume, source).source
    assert found is not None
    assert [column.type for column in found.columns] == ["String"]


def test_members_of_json_lines_may_differ(volume: Volume) -> None:
    source = folder(volume, "JSONL", pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [2]}))
    volume.mask(pinned(volume, source), [keep("a", "b")])
    assert volume.masked().rows() == [(1, None), (None, 2)]


@pytest.mark.parametrize(
    ("form", "other", "words"),
    [
        ("CSV", {"a": ["1"], "c": [SECRET]}, '"c" is a column that the first file does not have'),
        ("CSV", {"b": ["1"], "a": [SECRET]}, '"b" stands at another place'),
        ("CSV", {"a": ["1"]}, '"b" is lacking'),
        ("Parquet", {"a": ["1"], "b": [5]}, '"b" is of type Int64, and String in the first file'),
    ],
)
def test_files_of_another_schema_are_named(
    volume: Volume, form: str, other: dict[str, list[object]], words: str
) -> None:
    source = folder(volume, form, pl.DataFrame({"a": ["1"], "b": ["x"]}), pl.DataFrame(other))
    with pytest.raises(JobError) as caught:
        inspected(volume, source)
    assert caught.value.code == "SchemaDiffers"
    assert words in caught.value.message
    assert f"in file part-1.{ENDINGS[form]}" in caught.value.message
    assert SECRET not in caught.value.result().model_dump_json()


def test_lines_are_counted_in_each_file(volume: Volume) -> None:
    source = folder(volume, "JSONL", pl.DataFrame({"a": [1, 2, 3]}))
    Path(source.path, "part-1.jsonl").write_text(json.dumps({"a": 1}) + "\n{SECRET\n")
    with pytest.raises(JobError) as caught:
        inspected(volume, source)
    assert (
        "line 2: it is no JSON from character 2 on (in file part-1.jsonl)" in caught.value.message
    )


@pytest.mark.parametrize("what", ["changed", "added", "removed", "renamed"])
def test_a_folder_that_changes_after_its_inspection(volume: Volume, what: str) -> None:
    frames = [pl.DataFrame({"a": [number]}) for number in range(3)]
    source = pinned(volume, folder(volume, "CSV", *frames))
    last = Path(source.path, "part-2.csv")
    match what:
        case "changed":
            last.write_text("a\n9\n")
        case "added":
            Path(source.path, "part-3.csv").write_text("a\n9\n")
        case "removed":
            last.unlink()
        case _:
            last.rename(Path(source.path, "part-7.csv"))
    with pytest.raises(JobError) as caught:
        volume.mask(source, [keep("a")])
    assert caught.value.code == "SourceChanged"
    assert volume.nothing_written()


@pytest.mark.parametrize(
    ("name", "code"), [("README.md", "WrongFormat"), ("sub/x.csv", "WrongFormat")]
)
def test_nothing_in_a_folder_is_left_out_in_silence(volume: Volume, name: str, code: str) -> None:
    source = folder(volume, "CSV", pl.DataFrame({"a": [1]}))
    path = Path(source.path, name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    with pytest.raises(JobError) as caught:
        inspected(volume, source)
    assert caught.value.code == code
    assert name.split("/")[0] in caught.value.message


def test_an_empty_folder_waits_for_files(volume: Volume) -> None:
    with pytest.raises(JobError) as caught:
        inspected(volume, folder(volume, "CSV"))
    assert caught.value.code == "FileMissing"


def test_compressed_files_and_previews(volume: Volume) -> None:
    source = folder(volume, "CSV", pl.DataFrame({"a": ["x"]}))
    Path(source.path, "part-1.csv.gz").write_bytes(gzip.compress(b"a\ny\n"))
    with open_source(source, None, typed=False) as opened:
        assert pl.concat(opened.reader.blocks())["a"].to_list() == ["x", "y"]
