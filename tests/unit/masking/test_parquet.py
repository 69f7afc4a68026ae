import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.sources.columnar.parquetfooter import read_row_groups
from leeward_masking.sources.columnar.parquetsource import ParquetReader
from leeward_masking.storage.content import PlainContent
from leeward_masking.storage.volume import VolumeFile
from unit.masking.support import Volume, keep

FRAME = pl.DataFrame(
    {
        "text": ["Ana", None, "", "Žofie", "x"] * 3,
        "number": pl.Series([1, None, 3, 4, 5] * 3, dtype=pl.Int32),
        "real": [0.5, None, 1e300, 2.0, -1.0] * 3,
        "flag": [True, None, False, True, False] * 3,
        "day": [dt.date(2026, 1, 31), None] * 7 + [None],
        "moment": [dt.datetime(2026, 1, 31, 9, 30), None] * 7 + [None],
        "clock": [dt.time(9, 30), None] * 7 + [None],
        "price": pl.Series([Decimal("7.50"), None] * 7 + [None], dtype=pl.Decimal(10, 2)),
        "ward": pl.Series(["A", "B", None] * 5, dtype=pl.Categorical),
        "codes": [[1, 2], None, []] * 5,
    }
)
TYPES = ["String", "Integer", "Float", "Boolean", "Date", "Datetime", "Time", "Decimal", "String"]


def raised(volume: Volume, data: bytes) -> JobError:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.parquet", data))
    return caught.value


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_rows_pass_unchanged(volume: Volume, sealed: bool, rows: int) -> None:
    path = volume.write_frame(FRAME, sealed=sealed, rows=rows)
    volume.mask(volume.source(path, FRAME.schema), [keep(*FRAME.columns)])
    assert volume.masked().equals(FRAME)


def test_inspection(volume: Volume) -> None:
    path = volume.write_frame(FRAME, sealed=True)
    result = volume.inspect(path, expected=("text", "lacking"))
    assert result.source is not None
    assert [column.type for column in result.source.columns] == [*TYPES, "Integer"]
    assert result.source.columns[-1].name == "codes[]"
    assert result.source.rows == FRAME.height
    assert result.missing_columns == ["lacking"]


@pytest.mark.parametrize("compression", ["uncompressed", "zstd", "snappy", "lz4", "gzip"])
def test_compressions(volume: Volume, compression: str) -> None:
    path = volume.folder / "a.parquet"
    FRAME.write_parquet(path, compression=compression, row_group_size=4)  # type: ignore[arg-type]
    with VolumeFile(path) as file:
        assert pl.concat(ParquetReader(PlainContent(file, ""), None).blocks()).equals(FRAME)


def test_row_groups_lie_where_the_footer_says(volume: Volume) -> None:
    data = volume.write_frame(FRAME, rows=4).read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    groups = read_row_groups(data[-8 - length : -8], len(data))
    assert [group.rows for group in groups] == [4, 4, 4, 3]
    assert groups[0].start == 4
    assert all(left.end <= right.start for left, right in pairwise(groups))
    assert groups[-1].end <= len(data) - 8 - length


def test_no_parquet(volume: Volume) -> None:
    assert raised(volume, b"id,name\n1,SECRET\n").code == "WrongFormat"
    assert raised(volume, b"PAR1").code == "WrongFormat"
    assert raised(volume, b"").code == "FileEmpty"


def test_two_columns_of_one_name(volume: Volume) -> None:
    data = volume.write_frame(pl.DataFrame({"one": ["SECRET"], "two": ["SECRET"]})).read_bytes()
    error = raised(volume, data.replace(b"two", b"one"))
    assert error.code == "DuplicateColumn"
    assert "SECRET" not in error.result().model_dump_json()


def test_without_rows(volume: Volume) -> None:
    assert raised(volume, volume.write_frame(FRAME.clear()).read_bytes()).code == "FileEmpty"


@pytest.mark.parametrize("cut", [1, 8, 100, 900])
def test_a_file_that_was_cut_short(volume: Volume, cut: int) -> None:
    data = volume.write_frame(FRAME).read_bytes()
    assert raised(volume, data[:-cut]).code == "MalformedData"


def test_damage_is_found_and_tells_no_value(volume: Volume) -> None:
    """Bytes all over the footer, one in turn: refused, or read as the same rows; never a crash."""
    frame = pl.DataFrame({"a": ["SECRET-1", "SECRET-2"], "b": [1, 2]})
    data = bytearray(volume.write_frame(frame).read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    errors: list[JobError] = []
    places = range(len(data) - 8 - length, len(data), 7)
    for place in places:
        damaged = bytes(data[:place]) + bytes([data[place] ^ 0x55]) + bytes(data[place + 1 :])
        with noting(errors):
            volume.inspect(volume.write("a.parquet", damaged))
    assert len(errors) > len(places) // 4
    assert {error.code for error in errors} <= {"MalformedData", "WrongFormat", "FileEmpty"}
    assert not any("SECRET" in error.result().model_dump_json() for error in errors)


@contextmanager
def noting(errors: list[JobError]) -> Iterator[None]:
    try:
        yield
    except JobError as error:
        errors.append(error)


def test_a_row_group_that_does_not_fit_in_memory(
    volume: Volume,
) -> None:
    data = volume.write_frame(FRAME, rows=100).read_bytes()
    with (
        VolumeFile(volume.write("a.parquet", data)) as file,
        pytest.raises(JobError) as caught,
    ):
        list(ParquetReader(PlainContent(file, ""), None, max_row_group=100).blocks())
    assert caught.value.code == "TooLarge"
