"""What several pods wrote, parts and a manifest, as the source of another job."""

from __future__ import annotations

import dataclasses
import itertools
import json

import polars as pl
import pytest

from leeward.formats.jobconfig import InspectConfig, MaskingConfig, OutputFile, SourceFile
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.progress import Progress
from leeward_masking.sources.source import open_source
from leeward_masking.tasks.inspection import inspect_file
from leeward_masking.tasks.preview import source_rows
from unit.masking.support import MATERIAL, OUTPUT_KEY, Volume, keep, rule
from unit.masking.test_workers import FRAME, ROWS, csv_source, frames_of, parts_of, rows_of, worker


def test_the_output_is_a_source_like_any_other(volume: Volume) -> None:
    source = csv_source(volume)
    result = worker(volume, source).run()
    assert result.output is not None
    path = str(volume.output)
    plain = SourceFile(path=path, format="Parquet", key_role="output")
    inspected = inspect_file(
        InspectConfig(source=plain, sealed=True), [OUTPUT_KEY], Progress()
    ).source
    assert inspected is not None
    assert (inspected.digest, inspected.rows) == (result.output.digest, ROWS)
    assert inspected.bytes == result.output.bytes
    assert inspected.columns == result.output.columns
    rows = json.loads(source_rows(plain, [OUTPUT_KEY], 3, "receipt"))["rows"]
    assert [row[2] for row in rows] == [None, "1", "2"]

    further = plain.model_copy(
        update={"digest": result.output.digest, "columns": result.output.columns}
    )
    next_volume = dataclasses.replace(volume, folder=volume.folder / "next")
    again = worker(next_volume, further, rules=[keep("age")], keys=[OUTPUT_KEY]).run()
    assert again.output is not None
    assert again.output.rows == ROWS
    assert again.source is not None
    assert again.source.digest == result.output.digest
    assert rows_of(next_volume)["age"].equals(rows_of(volume)["age"])


def test_a_row_of_parts_is_counted_in_its_part(volume: Volume) -> None:
    addresses = pl.Series("ip", ["192.0.2.1" if n != 4700 else "SECRET" for n in range(ROWS)])
    frame = FRAME.with_columns(addresses)
    path = volume.write_frame(frame, rows=512)
    first = worker(volume, volume.source(path, frame.schema), rules=[keep(*frame.columns)]).run()
    assert first.output is not None
    ends = list(itertools.accumulate(frame.height for frame in frames_of(volume)))
    number = next(number for number, end in enumerate(ends) if end > 4700)
    further = SourceFile(
        path=str(volume.output), format="Parquet", key_role="output", columns=first.output.columns
    )
    rules = [rule("ip", "generalize", {"ipPrefix": {"v4": 24, "v6": 48}})]
    next_volume = dataclasses.replace(volume, folder=volume.folder / "next")
    output = OutputFile(path=str(next_volume.output), format="Parquet")
    config = MaskingConfig(source=further, rules=rules, output=output)
    with pytest.raises(JobError) as alone:
        mask_file(config, [OUTPUT_KEY], lambda role: MATERIAL, OUTPUT_KEY, Progress())
    with pytest.raises(JobError) as shared:
        worker(next_volume, further, rules=rules, keys=[OUTPUT_KEY]).run()
    told = alone.value.result()
    assert shared.value.result() == told
    assert number > 0
    assert told.row == 4701 - ends[number - 1]
    assert f"in file {parts_of(volume)[number].name}" in told.message


@pytest.mark.parametrize("how", ["missing", "swapped", "tampered"])
def test_parts_that_are_not_as_their_manifest_says(volume: Volume, how: str) -> None:
    result = worker(volume, csv_source(volume)).run()
    assert result.output is not None
    first, second = parts_of(volume)[:2]
    if how == "missing":
        first.unlink()
    elif how == "swapped":
        first.write_bytes(second.read_bytes())
    else:
        data = bytearray(first.read_bytes())
        data[-40] ^= 1
        first.write_bytes(data)
    source = SourceFile(
        path=str(volume.output),
        format="Parquet",
        key_role="output",
        columns=result.output.columns,
    )
    with (
        pytest.raises(JobError) as caught,
        open_source(source, [OUTPUT_KEY], typed=True) as opened,
    ):
        list(opened.reader.blocks())
    expected = {"missing": "FileMissing", "swapped": "SourceChanged", "tampered": "Tampered"}
    assert caught.value.code == expected[how]
