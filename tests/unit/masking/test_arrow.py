"""Arrow IPC files: those of Polars, and those in ``arrow``, which pyarrow 26 wrote."""

import io
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.sources.columnar.arrowfooter import TAIL, ArrowFooter, batch_size
from leeward_masking.sources.columnar.arrowsource import ArrowReader
from leeward_masking.storage.content import PlainContent
from leeward_masking.storage.volume import VolumeFile
from unit.masking import test_workers
from unit.masking.support import Volume, keep, rule
from unit.masking.test_parquet import FRAME, TYPES

IpcCompression = Literal["uncompressed", "zstd"]
FILES = Path(__file__).with_name("arrow")
ROWS = [(1, "A", [{"day": "2026-01-10"}]), (2, "B", []), (3, "A", None)]


def encoded(frame: pl.DataFrame, *, rows: int = 4, compression: IpcCompression = "zstd") -> bytes:
    target = io.BytesIO()
    frame.lazy().sink_ipc(target, record_batch_size=rows, compression=compression)
    return target.getvalue()


def footer_of(data: bytes) -> ArrowFooter:
    length = int.from_bytes(data[-TAIL:-6], "little") + TAIL
    return ArrowFooter(data[-length:], len(data))


def read(volume: Volume, data: bytes, **options: int) -> pl.DataFrame:
    with VolumeFile(volume.write("a.arrow", data)) as file:
        return pl.concat(ArrowReader(PlainContent(file, ""), None, **options).blocks())


def raised(volume: Volume, data: bytes) -> JobError:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.arrow", data))
    return caught.value


@pytest.mark.parametrize("rows", [1, 4, 100])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_rows_pass_unchanged(volume: Volume, sealed: bool, rows: int) -> None:
    path = volume.write("source.arrow", encoded(FRAME, rows=rows), sealed=sealed)
    columns = {"codes[]" if name == "codes" else name: kind for name, kind in FRAME.schema.items()}
    volume.mask(volume.source(path, columns), [keep(*columns)], form="ArrowIPC")
    masked = pl.read_ipc(volume.opened())
    assert masked.equals(FRAME)
    assert masked.schema == FRAME.schema


def test_inspection(volume: Volume) -> None:
    source = volume.inspect(volume.write("source.arrow", encoded(FRAME), sealed=True)).source
    assert source is not None
    assert [column.type for column in source.columns] == [*TYPES, "Integer"]
    assert source.columns[-1].name == "codes[]"
    assert source.rows == FRAME.height


@pytest.mark.parametrize("name", ["plain", "zstd", "lz4"])
def test_files_of_other_programs(volume: Volume, name: str) -> None:
    """Dictionaries stand before the record batches, and lists of structs in them."""
    data = FILES.joinpath(f"{name}.arrow").read_bytes()
    assert len(footer_of(data).batches) == 2
    assert read(volume, data).rows() == ROWS
    path = volume.write("a.arrow", data)
    types = {"id": "Integer", "ward": "String", "visits[].day": "String"}
    rules = [keep("id", "ward"), rule("visits[].day", "redact")]
    volume.mask(volume.source(path, types), rules, form="JSONL")
    assert b"2026" not in volume.opened()


def test_files_of_before_version_0_15(volume: Volume) -> None:
    assert read(volume, FILES.joinpath("legacy.arrow").read_bytes())["id"].to_list() == [1, 2, 3]


def test_batches_lie_where_the_footer_says() -> None:
    data = encoded(FRAME, compression="uncompressed")
    footer = footer_of(data)
    sizes = [batch_size(data[batch.start : batch.body]) for batch in footer.batches]
    assert [size.rows for size in sizes] == [4, 4, 4, 3]
    some = footer.of(range(1, 3))
    assert footer_of(data[: -len(some)] + some).batches == footer.batches[1:3]


def test_what_is_in_memory_at_once_is_bounded(volume: Volume) -> None:
    frame = pl.DataFrame({"a": ["x" * 1000] * 64, "n": list(range(64))})
    data = encoded(frame, rows=16)
    assert read(volume, data, max_batch=20_000, block_bytes=8000).equals(frame)
    # As stored a batch takes less than a hundredth.
    with pytest.raises(JobError) as caught:
        read(volume, data, max_batch=10_000)
    assert caught.value.code == "TooLarge"
    assert "rows per record batch" in caught.value.remedy


def test_dictionaries_are_bounded(volume: Volume) -> None:
    column = pl.Series(["x" * 1000 + str(n) for n in range(40)], dtype=pl.Categorical)
    data = encoded(pl.DataFrame({"a": column}))
    with pytest.raises(JobError) as caught:
        read(volume, data, max_batch=20_000)
    assert caught.value.code == "TooLarge"
    assert "dictionaries" in caught.value.message


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"id,name\n1,SECRET\n", "WrongFormat", "not an Arrow IPC file"),
        (b"ARROW1\0\0", "WrongFormat", "not an Arrow IPC file"),
        (b"FEA1" + bytes(40), "WrongFormat", "version 1 of Feather"),
        (b"ARROW1\0\0" + bytes(40), "MalformedData", "its end is missing"),
        (b"", "FileEmpty", "0 bytes"),
        ("stream", "WrongFormat", "stream"),
        ("delta", "WrongFormat", "one dictionary for each column"),
        ("duplicate", "DuplicateColumn", "same name"),
    ],
)
def test_what_is_refused(volume: Volume, data: bytes | str, code: str, says: str) -> None:
    content = data if isinstance(data, bytes) else FILES.joinpath(f"{data}.arrow").read_bytes()
    error = raised(volume, content)
    assert error.code == code
    assert says in f"{error.message} {error.remedy}"


def test_without_rows(volume: Volume) -> None:
    assert raised(volume, encoded(FRAME.clear())).code == "FileEmpty"


def test_batches_without_rows_are_passed_over(volume: Volume) -> None:
    parts = [FRAME.head(2), FRAME.clear(), FRAME.tail(2)]
    target = io.BytesIO()
    pl.concat(parts, rechunk=False).write_ipc(target)
    assert read(volume, target.getvalue()).equals(pl.concat(parts))


@pytest.mark.parametrize("cut", [1, 10, 200, 900])
def test_a_file_that_was_cut_short(volume: Volume, cut: int) -> None:
    assert raised(volume, encoded(FRAME)[:-cut]).code == "MalformedData"


def test_record_batches_of_another_schema(volume: Volume) -> None:
    """The footer's place of a batch leads to one of the same length with other columns."""
    numbers = encoded(pl.DataFrame({"a": [1, 2]}), compression="uncompressed")
    texts = encoded(pl.DataFrame({"a": ["SECRET", "x"]}), compression="uncompressed")
    batch, other = footer_of(numbers).batches[0], footer_of(texts).batches[0]
    foreign = texts[other.start : other.body].ljust(batch.body - batch.start, b"\0")
    mixed = numbers[: batch.start] + foreign[: batch.body - batch.start] + numbers[batch.body :]
    error = raised(volume, mixed)
    assert error.code == "MalformedData"
    assert "SECRET" not in error.message


@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_damage_is_found_and_tells_no_value(volume: Volume, compression: IpcCompression) -> None:
    """Bytes of the whole file in turn: refused, or read; never a crash."""
    frame = pl.DataFrame({"a": ["SECRET-1", "SECRET-2"], "b": [1, 2]})
    data = encoded(frame, compression=compression)
    errors: list[JobError] = []
    places = range(0, len(data), 17)
    for place in places:
        damaged = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        try:
            volume.inspect(volume.write("a.arrow", damaged))
        except JobError as error:
            errors.append(error)
    assert len(errors) > len(places) // 4
    assert {error.code for error in errors} <= {
        "MalformedData", "WrongFormat", "FileEmpty", "TooLarge", "UnsuitableColumn",
        "DuplicateColumn",
    }  # fmt: skip
    assert not any("SECRET" in error.result().model_dump_json() for error in errors)


def test_a_dictionary_that_changes_while_it_is_read(volume: Volume) -> None:
    """It was looked at before; what is masked must be what the digest is of."""
    column = pl.Series(["first", "second"] * 8, dtype=pl.Categorical)
    data = encoded(pl.DataFrame({"a": column}), compression="uncompressed")
    path = volume.write("a.arrow", data)
    with VolumeFile(path) as file:
        blocks = ArrowReader(PlainContent(file, ""), None).blocks()
        with path.open("r+b") as same:
            same.seek(data.rindex(b"first"))
            same.write(b"FIRST")
        with pytest.raises(JobError) as caught:
            list(blocks)
    assert caught.value.code == "SourceChanged"


def test_other_columns_than_when_it_was_inspected(volume: Volume) -> None:
    path = volume.write("a.arrow", encoded(pl.DataFrame({"a": [1]})))
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, {"b": "Integer"}), [keep("b")])
    assert caught.value.code == "SourceChanged"


@pytest.mark.parametrize("sealed", [False, True])
def test_one_of_several_workers_reads_it(volume: Volume, sealed: bool) -> None:
    data = encoded(test_workers.FRAME, rows=512)
    path = volume.write("source.arrow", data, sealed=sealed)
    found = volume.inspect(path).source
    assert found is not None
    source = volume.source(path, test_workers.TYPES, digest=found.digest)
    alone = volume.mask(source, test_workers.RULES)
    whole = volume.masked()
    result = test_workers.worker(volume, source).run()
    assert len(test_workers.parts_of(volume)) == 1
    assert test_workers.rows_of(volume).equals(whole)
    assert result.source == alone.source
