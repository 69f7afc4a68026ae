import datetime as dt
import os

import polars as pl
import pytest

from leeward.api.csvoptions import CsvOptions
from leeward_masking.errors import JobError
from leeward_masking.sources.text.csvsource import CsvReader
from leeward_masking.storage.content import PlainContent
from leeward_masking.storage.volume import VolumeFile
from unit.masking.support import Volume, keep

SECRET = "SECRET-Žofie"

GOOD = (
    "id,name,born,seen,income,rate,member\r\n"
    '0012,"Novák, Jan",1980-02-29,2026-01-31T09:30:00,52000,0.5,true\r\n'
    '0013,"said ""hi""\nand left",1999-12-31,2026-01-31 09:30:00.25,-1,2,false\r\n'
    ",,,,,,\r\n"
).encode()
TYPES = {
    "id": "String",
    "name": "String",
    "born": "Date",
    "seen": "Datetime",
    "income": "Integer",
    "rate": "Float",
    "member": "Boolean",
}


def found_types(volume: Volume, text: str) -> list[str]:
    source = volume.inspect(volume.write("a.csv", text.encode())).source
    assert source is not None
    return [column.type for column in source.columns]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_inspection_finds_schema_and_rows(volume: Volume, sealed: bool, bom: bytes) -> None:
    path = volume.write("a.csv", bom + GOOD, sealed=sealed)
    result = volume.inspect(path, expected=("id", "ward"))
    assert result.source is not None
    assert {c.name: c.type for c in result.source.columns} == TYPES
    assert result.source.rows == 3
    assert result.missing_columns == ["ward"]
    assert (result.source.file_id is not None) is sealed


def test_values_come_out_in_their_types(volume: Volume) -> None:
    path = volume.write("a.csv", GOOD)
    volume.mask(volume.source(path, TYPES), [keep(*TYPES)])
    first, second, third = volume.masked().rows()
    seen = dt.datetime(2026, 1, 31, 9, 30)
    assert first == ("0012", "Novák, Jan", dt.date(1980, 2, 29), seen, 52000, 0.5, True)
    assert second[1] == 'said "hi"\nand left'
    assert second[3] == seen.replace(microsecond=250_000)
    assert third == (None,) * 7


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "0"], "Integer"),
        (["1", "007"], "String"),
        (["1", "+7"], "String"),
        (["9223372036854775808"], "String"),
        (["1", "2.5", "1e-3"], "Float"),
        (["1", "1234567890123456.5"], "String"),
        (["1.5", "1e308", "-2E-300", "0e400", "-0.0e1"], "Float"),
        (["1.5", "1e309"], "String"),
        (["1.5", "-2E-400"], "String"),
        (["true", "false"], "Boolean"),
        (["True"], "String"),
        (["2026-01-31", "2026-02-30"], "String"),
        (["2026-1-31"], "String"),
        (["2026-01-31T00:00:00Z"], "String"),
        (["", ""], "String"),
        (["", "5"], "Integer"),
    ],
)
def test_types_give_the_text_back(volume: Volume, values: list[str], kind: str) -> None:
    assert found_types(volume, "a,b\n" + "".join(f"{value},x\n" for value in values))[0] == kind


def test_the_whole_file_decides_the_type(volume: Volume) -> None:
    rows = "1\n" * 100_000
    assert found_types(volume, f"a\n{rows}x\n") == ["String"]


BAD = {
    "short row": (b"a,b\n1,2\n3\n", "MalformedData", 2, "b"),
    "long row": (b"a,b\n1,2\n3,4,5\n", "MalformedData", 2, None),
    "blank line": (b"a,b\n1,2\n\n3,4\n", "MalformedData", 2, "b"),
    "quote inside": (b'a,b\n1,2\n3,x"y"\n', "MalformedData", 2, "b"),
    "text after quote": (b'a,b\n"1"x,2\n', "MalformedData", 1, "a"),
    "open quote": (b'a,b\n1,2\n3,"4\n5,6\n', "MalformedData", 2, "b"),
    "lines of another system": (b"a,b\r1,2\r3,4\r", "MalformedData", None, None),
    "some of another system": (b"a,b\r1,2\r3,4\n5,6,7,8\n", "MalformedData", None, None),
    "not UTF-8": (b"a,b\n1,2\n3,\xff\xfe\n", "WrongEncoding", 2, "b"),
    "not UTF-8 in quotes": (b'a,b\n"x,\ny",2\n3,"\xe9"\n', "WrongEncoding", 2, "b"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "WrongEncoding", None, None),
    "Parquet": (b"PAR1...", "WrongFormat", None, None),
    "Arrow": (b"ARROW1..", "WrongFormat", None, None),
    "nothing": (b"", "FileEmpty", None, None),
    "BOM only": (b"\xef\xbb\xbf", "FileEmpty", None, None),
    "header only": (b"a,b\n", "FileEmpty", None, None),
    "name twice": (b"a,b,a\n1,2,3\n", "DuplicateColumn", None, "a"),
    "no name": (b"a,\n1,2\n", "MalformedData", None, None),
    "bad header": (b'a,x"b\n1,2\n', "MalformedData", None, None),
    "header not UTF-8": (b"a,\xffb\n1,2\n", "WrongEncoding", None, None),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_files_name_row_and_column_and_no_value(
    volume: Volume, case: tuple[bytes, str, int | None, str | None]
) -> None:
    data, code, row, column = case
    data = data.replace(b"1,2", SECRET.encode() + b",2") if row != 1 else data
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.csv", data))
    error = caught.value.result()
    assert (error.code, error.row, error.column) == (code, row, column)
    assert SECRET not in error.model_dump_json()


@pytest.mark.parametrize(
    ("data", "header", "words"),
    [
        (b"a,\xff\n1,2\n", True, "the header (line 1), column 2 is not UTF-8"),
        (b'a,x"b\n1,2\n', True, "the header (line 1), column 2: a quote"),
        (b"a,b\n3\n", True, "row 1 has 1 field, the file has 2 columns (rows are counted without"),
        (b"a,b\n3\n", False, "row 2 has 1 field, the file has 2 columns"),
        (b'1,"2\n', False, "row 1, column 2: a quote is not closed"),
    ],
)
def test_messages_say_how_rows_are_counted(
    volume: Volume, data: bytes, header: bool, words: str
) -> None:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.csv", data), csv=CsvOptions(header=header))
    assert caught.value.message.startswith(words)
    assert header or "header" not in caught.value.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"a,b\n", "has a header and no rows"),
        (b"\xef\xbb\xbf", "mark"),
    ],
)
def test_a_file_without_data_says_what_it_holds(volume: Volume, data: bytes, words: str) -> None:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.csv", data))
    assert words in caught.value.message


@pytest.mark.parametrize("rows_after", [0, 1, 2, 7, 300])
@pytest.mark.parametrize(
    "row", ['"Doe, Ann",x,"1 Main St, York"', '"A ""B"" C",y,""', '"a",b,"c"', 'a,"b\n1, b",c']
)
def test_a_quote_that_is_not_closed_is_named_where_it_opens(
    volume: Volume, row: str, rows_after: int
) -> None:
    rows = [row] * 77 + ['"a ""b""",' + f'"{SECRET},c'] + [row] * rows_after
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.csv", "\n".join(["name,note,street", *rows, ""]).encode()))
    assert caught.value.message.startswith("row 78, column 2: a quote is not closed")
    assert caught.value.column == "note"


@pytest.mark.parametrize(
    "column", ["born", "seen", "income", "rate", "member"]
)  # fmt: skip
def test_a_value_that_does_not_fit_the_schema(volume: Volume, column: str) -> None:
    place = list(TYPES).index(column)
    fields = [b"0012", b"x", b"1980-02-29", b"2026-01-31T09:30:00", b"5", b"0.5", b"true"]
    bad = [SECRET.encode() if at == place else value for at, value in enumerate(fields)]
    header = ",".join(TYPES).encode()
    data = b"\n".join([header, b",".join(fields), b",".join(bad), b""])
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(volume.write("a.csv", data), TYPES), [keep(*TYPES)])
    assert (caught.value.code, caught.value.row, caught.value.column) == (
        "MalformedData",
        2,
        column,
    )
    assert SECRET not in str(caught.value)
    assert volume.nothing_written()


@pytest.mark.parametrize(("said", "real"), [(",", ";"), (",", "\t"), (",", "|"), (";", ",")])
def test_a_file_read_with_another_delimiter_is_noticed(
    volume: Volume, said: str, real: str
) -> None:
    """It reads as one column, whose name is the whole header."""
    path = volume.write("a.csv", real.join([SECRET, "born", "w" * 300]).encode() + b"\n1\n")
    with pytest.raises(JobError) as caught:
        volume.inspect(path, csv=CsvOptions(delimiter=said))
    error = caught.value.result()
    assert error.code == "MalformedData"
    written = real.replace("\t", "\\t")
    assert f'set spec.csv.delimiter of the Dataset to "{written}"' in error.remedy
    assert SECRET not in error.model_dump_json()


@pytest.mark.parametrize("header", [b"name", b'"name, first"'], ids=str)
def test_a_file_of_one_column_is_one(volume: Volume, header: bytes) -> None:
    result = volume.inspect(volume.write("a.csv", header + b"\nsmith; jane\n"))
    assert result.source is not None
    assert result.source.rows == 1


def test_options(volume: Volume) -> None:
    options = CsvOptions(delimiter=";", quote="'", header=False, null_values=["NA", "-"])
    path = volume.write("a.csv", b"1;'x;y'\nNA;-\n3;\n")
    result = volume.inspect(path, csv=options)
    assert result.source is not None
    types = {c.name: c.type for c in result.source.columns}
    assert types == {"column_1": "Integer", "column_2": "String"}
    volume.mask(volume.source(path, types, csv=options), [keep(*types)])
    assert volume.masked().rows() == [(1, "x;y"), (None, None), (3, "")]


def test_one_column_with_blank_lines_has_nulls(volume: Volume) -> None:
    result = volume.inspect(volume.write("a.csv", b"a\n\n1\n\n"))
    assert result.source is not None
    assert result.source.rows == 3


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_blocks_of_any_size_give_the_same_rows(volume: Volume, size: int) -> None:
    path = volume.write("a.csv", GOOD)

    def rows(block_bytes: int) -> pl.DataFrame:
        with VolumeFile(path) as file:
            reader = CsvReader(PlainContent(file, ""), None, None, block_bytes=block_bytes)
            return pl.concat(reader.blocks())

    assert rows(size).equals(rows(1 << 20))


def test_the_last_row_needs_no_line_end(volume: Volume) -> None:
    result = volume.inspect(volume.write("a.csv", b"a,b\n1,2"))
    assert result.source is not None
    assert result.source.rows == 1


def test_a_changed_header_is_noticed(volume: Volume) -> None:
    path = volume.write("a.csv", b"a,c\n1,2\n")
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, {"a": "Integer", "b": "Integer"}), [keep("a")])
    assert caught.value.code == "SourceChanged"
    assert os.listdir(volume.folder) == ["a.csv"]
