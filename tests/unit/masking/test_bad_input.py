"""What files hold that programs trip over: the right result, or an error with its place."""

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.sources.source import Source, open_source
from unit.masking.support import Volume, keep, rule

ENDS = b"who,day,at\nA,0001-01-01,0001-01-01T00:00:00\nB,9999-12-31,9999-12-31T23:59:59.999999\n"


@pytest.mark.parametrize("form", ["ArrowIPC", "CSV", "JSONL", "Parquet"])
def test_first_and_last_dates_come_out_as_they_went_in(volume: Volume, form: str) -> None:
    path = volume.write("a.csv", ENDS)
    source = volume.inspect(path).source
    assert source is not None
    types = {column.name: column.type for column in source.columns}
    assert types == {"who": "String", "day": "Date", "at": "Datetime"}
    volume.mask(volume.source(path, types), [keep(*types)], form=form)
    if form == "CSV":
        assert volume.opened() == ENDS
    elif form == "JSONL":
        assert b'"day":"9999-12-31","at":"9999-12-31T23:59:59.999999"' in volume.opened()
    else:
        masked = pl.read_ipc(volume.opened()) if form == "ArrowIPC" else volume.masked()
        assert masked["day"].cast(pl.String).to_list() == ["0001-01-01", "9999-12-31"]


@pytest.mark.parametrize("column", ["day", "at"])
def test_dates_are_not_moved_beyond_what_can_be_written(volume: Volume, column: str) -> None:
    rows = b"".join(b"P%d,9999-12-31,9999-12-31T00:00:00\n" % number for number in range(40))
    path = volume.write("a.csv", b"who,day,at\n" + rows)
    types = {"who": "String", "day": "Date", "at": "Datetime"}
    shift = rule(column, "dateShift", {"maxDays": 300}, key="AES256_SIV", subject="who")
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, types), [shift])
    assert (caught.value.code, caught.value.column) == ("UnsuitableColumn", column)
    assert caught.value.row is not None
    assert volume.nothing_written()


FAR = pl.Series([0, None, 2**31 - 1], dtype=pl.Int32).cast(pl.Date)
MOMENTS = pl.Series([0, None, -(2**63) + 1], dtype=pl.Int64)


@pytest.mark.parametrize("form", ["arrow", "parquet"])
@pytest.mark.parametrize(
    ("column", "name"),
    [
        (FAR, "day"),
        (MOMENTS.cast(pl.Datetime("ms", "UTC")), "day"),
        (MOMENTS.cast(pl.Datetime("us")), "day"),
        (pl.DataFrame({"at": FAR}).to_struct(), "day.at"),
        (FAR.reshape((3, 1)).arr.to_list(), "day[]"),
    ],
    ids=["date", "milliseconds", "microseconds", "struct", "list"],
)
def test_dates_that_no_calendar_shows(
    volume: Volume, column: pl.Series, name: str, form: str
) -> None:
    target = io.BytesIO()
    frame = pl.DataFrame({"day": column})
    if form == "arrow":
        frame.write_ipc(target)
    else:
        frame.write_parquet(target, row_group_size=1)
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write(f"a.{form}", target.getvalue()))
    assert (caught.value.code, caught.value.row) == ("MalformedData", 3)
    assert caught.value.column == name
    assert "5881580" not in caught.value.message  # the year of 2**31 - 1


def test_dates_of_other_calendars_pass(volume: Volume) -> None:
    days = pl.Series([-1_000_000, 70_000_000], dtype=pl.Int32).cast(pl.Date)
    frame = pl.DataFrame({"day": days, "ns": pl.Series([2**63 - 1, 0]).cast(pl.Datetime("ns"))})
    volume.mask(volume.source(volume.write_frame(frame), frame.schema), [keep("day", "ns")])
    assert volume.masked().equals(frame)


def test_one_row(volume: Volume) -> None:
    path = volume.write("a.jsonl", b'{"a":1}')
    volume.mask(volume.source(path, {"a": "Integer"}), [keep("a")], form="CSV")
    assert volume.opened() == b"a\n1\n"


def test_numbers_beyond_64_bits_of_parquet(volume: Volume) -> None:
    frame = pl.DataFrame(
        {
            "large": pl.Series([2**64 - 1], dtype=pl.UInt64),
            "exact": pl.Series([Decimal("12345678901234567890123456789.5")]),
        }
    )
    source = volume.source(volume.write_frame(frame), frame.schema)
    result = volume.mask(source, [keep("large", "exact")], form="JSONL")
    assert volume.opened() == (
        b'{"large":18446744073709551615,"exact":"12345678901234567890123456789.5"}\n'
    )
    assert result.output is not None
    assert [column.type for column in result.output.columns] == ["String", "String"]


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_infinities_pass(volume: Volume, form: str) -> None:
    frame = pl.DataFrame({"a": [float("inf"), float("-inf"), None]})
    volume.mask(volume.source(volume.write_frame(frame), frame.schema), [keep("a")], form=form)
    if form == "CSV":
        assert volume.opened() == b"a\ninf\n-inf\n\n"
    else:
        assert volume.masked().equals(frame)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_hundred_thousand_columns_are_refused(volume: Volume, form: str) -> None:
    count = 100_000 if form == "csv" else 1001
    names = [f"c{number}" for number in range(count)]
    if form == "csv":
        data = f"{','.join(names)}\n{','.join('1' * count)}\n".encode()
    else:
        target = io.BytesIO()
        pl.DataFrame({name: [1] for name in names}).write_parquet(target)
        data = target.getvalue()
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write(f"a.{form}", data))
    assert caught.value.code == "TooLarge"
    assert f"{count} columns" in caught.value.message


@pytest.mark.parametrize("how", ["shorter", "other", "replaced"])
def test_a_source_that_changes_while_it_is_read(volume: Volume, how: str) -> None:
    # Longer than two blocks; lines of blanks cost little.
    rows = b'{%s"a":3000000}\n' % (b" " * 20_000) * 1050 + b'{"a":4499999}\n'
    path = volume.write("a.jsonl", rows)
    digest = volume.inspect(path).source
    assert digest is not None
    source = volume.source(path, {"a": "Integer"}, digest=digest.digest)
    with open_source(source, None, typed=True) as opened:
        blocks = opened.reader.blocks()
        next(blocks)
        _change(path, how, len(rows))
        with pytest.raises(JobError) as caught:
            _read_on(blocks, opened)
    assert caught.value.code == "SourceChanged"


def _change(path: Path, how: str, size: int) -> None:
    if how == "shorter":
        with path.open("r+b") as file:
            file.truncate(size - 5)
    elif how == "other":
        with path.open("r+b") as file:
            file.seek(size - 5)
            file.write(b"8")
    else:
        with path.open("r+b") as file:
            file.seek(size - 14)
            file.write(b'{"b":"LATE"} \n')


def _read_on(blocks: Iterator[pl.DataFrame], opened: Source) -> None:
    for _ in blocks:
        pass
    opened.verify()
