"""What is held in memory while a file is written is bounded, however long its rows are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from leeward.api.dataset import DataFormat
from leeward_masking.errors import JobError
from leeward_masking.output.encoding import Encoder
from leeward_masking.output.rowgroups import GROWTH, MAX_BYTES, MAX_ROWS, rows_of_group
from leeward_masking.sources.columnar.parquetfooter import TAIL, read_row_groups
from leeward_masking.values.nesting import Layout

SCHEMA = pl.Schema({"note": pl.String})


def block(rows: int, length: int) -> pl.DataFrame:
    return pl.Series("note", ["x" * length], pl.String).new_from_index(0, rows).to_frame()


def encoded(form: DataFormat, *blocks: pl.DataFrame) -> bytes:
    encoder, target = Encoder(form, Layout(SCHEMA)), io.BytesIO()
    rows, frames = encoder.written(iter(blocks))
    encoder.write(frames, rows, SCHEMA, target)
    return target.getvalue()


def groups_of(data: bytes) -> list[int]:
    length = int.from_bytes(data[-TAIL : -TAIL + 4], "little")
    return [group.rows for group in read_row_groups(data[-TAIL - length : -TAIL], len(data))]


def test_row_groups_of_long_rows_are_small() -> None:
    groups = groups_of(encoded("Parquet", *[block(160, 100_000)] * 2))
    assert sum(groups) == 320
    assert max(groups) * 100_000 * GROWTH <= MAX_BYTES


def test_small_blocks_of_short_rows_are_one_row_group() -> None:
    assert groups_of(encoded("Parquet", *[block(100, 10)] * 20)) == [2000]


def test_record_batches_of_long_rows_are_small(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(encoded("ArrowIPC", *[block(160, 100_000)] * 2))
    chunks = pl.read_ipc(tmp_path / "a.arrow")
    sizes = [len(chunk) for chunk in chunks.get_column("note").get_chunks()]
    assert sum(sizes) == 320
    assert max(sizes) * 100_000 * GROWTH <= MAX_BYTES


@pytest.mark.parametrize("form", ["Parquet", "ArrowIPC"])
def test_rows_that_grow_too_long_are_refused_before_memory_is_full(form: DataFormat) -> None:
    asked: list[int] = []

    def blocks() -> Iterator[pl.DataFrame]:
        yield from [block(1000, 10)] * 4
        for number in range(99):
            asked.append(number)
            yield block(16, 1 << 20)

    with pytest.raises(JobError, match="16 times as long") as refused:
        read_through(form, blocks())
    assert refused.value.code == "TooLarge"
    assert "CSV or JSONL" in refused.value.remedy
    assert len(asked) == MAX_BYTES >> 24


def read_through(form: DataFormat, blocks: Iterator[pl.DataFrame]) -> None:
    """Read what would be written, without a writer."""
    for _ in Encoder(form, Layout(SCHEMA)).written(blocks)[1]:
        pass


@pytest.mark.parametrize("form", ["CSV", "JSONL"])
def test_text_is_written_before_more_is_read(form: DataFormat) -> None:
    target = io.BytesIO()
    held: list[int] = []

    def blocks() -> Iterator[pl.DataFrame]:
        for number in range(8):
            held.append(number * 10_000 - target.tell())
            yield block(10, 1000)

    encoder = Encoder(form, Layout(SCHEMA))
    rows, frames = encoder.written(blocks())
    encoder.write(frames, rows, SCHEMA, target)
    assert max(held) <= 0


def test_one_long_row_is_no_reason_to_stop() -> None:
    read_through("Parquet", iter([block(1, 1000), block(1, MAX_BYTES + 1)]))


@pytest.mark.parametrize(
    ("frames", "rows"),
    [
        ([], MAX_ROWS),
        ([pl.DataFrame({"a": [1, 2]})], MAX_ROWS),
        ([pl.DataFrame({str(n): [1.5] for n in range(1000)})], (48 << 20) // 8000),
        ([block(1, 48 << 20)], 1),
    ],
)
def test_rows_of_a_group(frames: list[pl.DataFrame], rows: int) -> None:
    assert rows_of_group(frames, MAX_ROWS) == rows
