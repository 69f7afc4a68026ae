import json
from typing import Any

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.sources.text.jsonlsource import JsonlReader
from leeward_masking.storage.content import PlainContent
from leeward_masking.storage.volume import VolumeFile
from unit.masking.support import Volume, keep, rule

SECRET = "SECRET-Žofie"
ROWS: list[dict[str, Any]] = [
    {
        "id": 7,
        "name": SECRET,
        "born": "1980-02-29",
        "seen": "2026-01-31T09:30:00.250",
        "weight": 71.5,
        "member": True,
        "address": {"street": "Main 1", "geo": {"lat": 1.5}},
        "visits": [{"note": "fine", "cost": 3}, {"note": None, "cost": 4}],
        "codes": [["A", "B"], []],
    },
    {"id": 8, "weight": 2, "address": None, "visits": [], "http.status": 200},
    {"id": -9, "name": "x", "address": {"street": "Side 2"}, "visits": None},
]
TYPES = {
    "id": "Integer",
    "name": "String",
    "born": "Date",
    "seen": "Datetime",
    "weight": "Float",
    "member": "Boolean",
    "address.street": "String",
    "address.geo.lat": "Float",
    "visits[].note": "String",
    "visits[].cost": "Integer",
    "codes[][]": "String",
    "http\\.status": "Integer",
}


def lines(*rows: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode()


def failure(volume: Volume, data: bytes) -> JobError:
    with pytest.raises(JobError) as caught:
        volume.inspect(volume.write("a.jsonl", data))
    assert SECRET not in caught.value.result().model_dump_json()
    return caught.value


def types(volume: Volume, data: bytes) -> dict[str, str]:
    source = volume.inspect(volume.write("a.jsonl", data)).source
    assert source is not None
    return {column.name: column.type for column in source.columns}


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_inspection_lists_leaves(volume: Volume, sealed: bool) -> None:
    path = volume.write("a.jsonl", lines(*ROWS), sealed=sealed)
    source = volume.inspect(path, expected=("address", "ward")).source
    assert source is not None
    assert source.rows == 3
    assert {column.name: column.type for column in source.columns} == TYPES
    required = [column.name for column in source.columns if not column.nullable]
    assert required == ["id"]


def test_a_struct_whose_leaves_exist_is_not_missing(volume: Volume) -> None:
    path = volume.write("a.jsonl", lines(*ROWS))
    assert volume.inspect(path, expected=("address", "ward")).missing_columns == ["ward"]


def test_what_is_kept_comes_out_as_it_went_in(volume: Volume) -> None:
    path = volume.write("a.jsonl", lines(*ROWS))
    volume.mask(volume.source(path, TYPES), [keep(*TYPES)], form="JSONL")
    written = [json.loads(line) for line in volume.opened().splitlines()]
    for row, found in zip(ROWS, written, strict=True):
        present = {name: value for name, value in found.items() if value is not None}
        expected = {name: value for name, value in row.items() if value is not None}
        if "street" in expected.get("address", {}):
            expected["address"] = {"geo": None} | expected["address"]
        assert present == expected


def test_rules_act_on_leaves(volume: Volume) -> None:
    path = volume.write("a.jsonl", lines(*ROWS))
    rules = [
        rule("note", "partialMask", {"keepFirst": 1}, columns=["visits[].note"]),
        rule("visits", "drop"),
        rule("address", "redact"),
        keep("id"),
    ]
    volume.mask(volume.source(path, TYPES), rules, form="JSONL")
    assert [json.loads(line) for line in volume.opened().splitlines()] == [
        {"id": 7, "address": None, "visits": [{"note": "f***"}, None]},
        {"id": 8, "address": None, "visits": []},
        {"id": -9, "address": None, "visits": None},
    ]


def test_a_rule_for_a_struct_leaves_out_what_has_a_rule_nearer_by(volume: Volume) -> None:
    path = volume.write("a.jsonl", lines(*ROWS))
    rules = [
        rule("address", "redact"),
        keep("address.geo.lat"),
        rule("all", "tokenize", columns=["codes"], key="AES256_SIV"),
        rule("http\\.status", "replace", {"value": "0"}),
    ]
    result = volume.mask(volume.source(path, TYPES), rules)
    masked = volume.masked()
    assert masked["address"].to_list()[0] == {"street": None, "geo": {"lat": 1.5}}
    assert masked["http.status"].to_list() == [None, "0", None]
    assert [len(row or []) for row in masked["codes"].to_list()] == [2, 0, 0]
    assert result.output is not None
    assert {column.name: column.type for column in result.output.columns} == {
        "address.street": "String",
        "address.geo.lat": "Float",
        "codes[][]": "String",
        "http.status": "String",
    }


def test_dates_in_lists_move_with_the_subject_of_their_row(volume: Volume) -> None:
    rows = [
        {"patient": "P1", "visits": [{"day": "2026-01-10"}, {"day": "2026-01-20"}]},
        {"patient": "P1", "visits": [{"day": "2026-03-10"}]},
    ]
    path = volume.write("a.jsonl", lines(*rows))
    kinds = types(volume, lines(*rows))
    shift = rule("visits[].day", "dateShift", {"maxDays": 20}, key="AES256_SIV", subject="patient")
    volume.mask(volume.source(path, kinds), [shift])
    days = [visit["day"] for visits in volume.masked()["visits"].to_list() for visit in visits]
    assert (days[1] - days[0]).days == 10
    assert (days[2] - days[0]).days == 59


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1 2", "Integer"),
        ("1 2.5 1e2", "Float"),
        ("9223372036854775807", "Integer"),
        ("1 9223372036854775808 -99999999999999999999", "String"),
        ('1 "x"', "String"),
        ('"x" 1.5', "String"),
        ("true 1", "String"),
        ("true null", "Boolean"),
        ('"2026-01-31" "0001-01-01" "9999-12-31"', "Date"),
        ('"2026-01-31" "2026-02-30"', "String"),
        ('"2026-01-31" 5', "String"),
        ('"2026-01-31T00:00:00" null', "Datetime"),
        ("null", "String"),
        ("{} null", "String"),
    ],
)
def test_types_are_those_of_all_lines(volume: Volume, values: str, kind: str) -> None:
    data = "".join(f'{{"k":0,"v":{value}}}\n' for value in values.split()).encode()
    assert types(volume, data)["v"] == kind
    volume.mask(volume.source(volume.folder / "a.jsonl", {"k": "Integer", "v": kind}), [keep("v")])
    found = volume.masked()["v"].cast(pl.String).to_list()
    assert found[0] == {'"x"': "x", "null": None}.get(
        values.split()[0],
        values.split()[0].strip('"').replace("T", " ") + {"Float": ".0"}.get(kind, "")
        + (".000000" if kind == "Datetime" else ""),
    )  # fmt: skip


BAD = {
    "no JSON": ('{"a":1}\n{"a":\n', "MalformedData", 2, None, "line 2: it is no JSON from"),
    "after a blank line": ('{"a":1}\n\n{"a"\n', "MalformedData", 2, None, "line 3"),
    "two objects": ('{"a":1}{"a":2}\n', "MalformedData", 1, None, "line 1"),
    "no object": ("[1]\n", "MalformedData", 1, None, "no JSON object"),
    "NaN": ('{"a":NaN}\n', "MalformedData", 1, None, "line 1: it holds NaN"),
    "too large a float": ('{"a":1}\n{"a":1e400}\n', "MalformedData", 2, None, "too large"),
    "too many digits": ('{"a":' + "9" * 50 + "}\n", "MalformedData", 1, None, "37 digits"),
    "inexact as a float": (
        '{"a":9007199254740993}\n{"a":1.5}\n', "MalformedData", None, "a", "line 1: \"a\" holds",
    ),
    "half a character": ('{"a":"\\ud800"}\n', "MalformedData", 1, None, "half"),
    "name twice": ('{"a":1,"a":2}\n', "DuplicateColumn", 1, None, 'of the name "a"'),
    "name twice inside": ('{"b":[{"a":1,"a":2}]}\n', "DuplicateColumn", 1, None, "two members"),
    "no name": ('{"":1}\n', "UnsuitableColumn", 1, None, "no name"),
    "object and text": (
        f'{{"a":{{"b":"{SECRET}"}}}}\n{{"a":"{SECRET}"}}\n', "MalformedData", 2, "a",
        'line 2: "a" holds a text, and an object in line 1',
    ),
    "list and number": ('{"a":[1]}\n{"a":1}\n', "MalformedData", 2, "a", "in line 1"),
    "inside a list": ('{"a":[1,[2]]}\n', "MalformedData", 1, "a[]", "a list"),
    "too deep": ('{"a":' + "[" * 5000 + "]" * 5000 + "}\n", "MalformedData", 1, None, "deep"),
    "deep": ('{"a":' + "[" * 200 + "]" * 200 + "}\n", "UnsuitableColumn", 1, None, "path"),
    "no member": ("{}\n{}\n", "FileEmpty", None, None, "no columns"),
    "nothing": ("\n \n", "FileEmpty", None, None, "no JSON object"),
    "BOM only": ("\ufeff", "FileEmpty", None, None, "mark"),
    "Parquet": ("PAR1 and more", "WrongFormat", None, None, "Parquet"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_lines_are_named_and_no_value(
    volume: Volume, case: tuple[str, str, int | None, str | None, str]
) -> None:
    data, code, row, column, words = case
    error = failure(volume, data.encode())
    assert (error.code, error.row, error.column) == (code, row, column)
    assert words in error.message
    assert "csv" not in error.remedy


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a":"x"}\n{"a":"\xff"}\n', "line 2: it is not UTF-8"),
        ('{"a":"x"}\n'.encode("utf-16"), "UTF-16"),
    ],
    ids=["invalid UTF-8", "UTF-16"],
)
def test_other_encodings(volume: Volume, data: bytes, words: str) -> None:
    error = failure(volume, data)
    assert error.code == "WrongEncoding"
    assert words in error.message


@pytest.mark.parametrize("wide", [False, True], ids=["one line", "a member a person"])
def test_too_many_members_are_refused_without_reading_on(volume: Volume, wide: bool) -> None:
    rows = [{f"{SECRET}{number}": 1 for number in range(100_000)}]
    if wide:
        rows = [{f"{SECRET}{number}": 1} for number in range(100_000)]
    error = failure(volume, lines(*rows))
    assert error.code == "TooLarge"
    assert "1000 different members" in error.message


def test_byte_order_mark_and_line_ends(volume: Volume) -> None:
    data = b"\xef\xbb\xbf" + lines({"a": 1}, {"a": 2}, end="\r\n") + b'\n  \n{"a":3}'
    source = volume.inspect(volume.write("a.jsonl", data)).source
    assert source is not None
    assert source.rows == 3
    volume.mask(volume.source(volume.folder / "a.jsonl", {"a": "Integer"}), [keep("a")])
    assert volume.masked()["a"].to_list() == [1, 2, 3]


def test_lines_that_changed_since_the_inspection_are_named(volume: Volume) -> None:
    rows: list[object] = [{"k": 1, "a": {"b": number}} for number in range(300)]
    rows[211] = {"k": 1, "a": {"b": SECRET}}
    path = volume.write("a.jsonl", b"\n" + lines(*rows))
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, {"k": "Integer", "a.b": "Integer"}), [keep("k", "a.b")])
    error = caught.value
    assert (error.code, error.row, error.column) == ("SourceChanged", 212, "a")
    assert "row 212" in error.message
    assert SECRET not in error.result().model_dump_json()
    assert volume.nothing_written()


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same_rows(volume: Volume, size: int) -> None:
    path = volume.write("a.jsonl", lines(*ROWS, end="\r\n"))
    columns = volume.source(path, TYPES).columns
    with VolumeFile(path) as file:
        reader = JsonlReader(PlainContent(file, ""), columns, block_bytes=size)
        assert pl.concat(reader.blocks()).height == 3


def test_numbers_that_json_lacks_are_not_written(volume: Volume) -> None:
    frame = pl.DataFrame({"name": [SECRET] * 3, "a": [1.5, None, float("inf")]})
    source = volume.source(volume.write_frame(frame), frame.schema)
    with pytest.raises(JobError) as caught:
        volume.mask(source, [keep("name", "a")], form="JSONL")
    error = caught.value
    assert (error.code, error.row, error.column) == ("UnsuitableColumn", 3, "a")
    assert volume.nothing_written()
