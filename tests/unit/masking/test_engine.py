import os

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.report.stats import SKETCH_SIZE
from leeward_masking.storage.volume import temporary_siblings
from unit.masking.support import OUTPUT_KEY, Volume, keep, rule

FRAME = pl.DataFrame(
    {
        "patient": [f"P{number % 40:04}" for number in range(200)],
        "phone": [f"+44 7{number:06}" for number in range(200)],
        "income": list(range(0, 200_000, 1000)),
        "born": pl.Series(range(200), dtype=pl.Int32).cast(pl.Date),
        "note": ["SECRET"] * 200,
        "ward": ["A", None] * 100,
    }
)
RULES = [
    rule("patient", "tokenize", key="AES256_SIV"),
    rule("phone", "partialMask", {"keepLast": 3}),
    rule("income", "generalize", {"bins": ["0", "50000"]}),
    rule("born", "dateShift", {"maxDays": 20}, key="AES256_SIV", subject="patient"),
    rule("note", "redact"),
    keep("ward"),
]


def failure(volume: Volume, *args: object, **kwargs: object) -> JobError:
    with pytest.raises(JobError) as caught:
        volume.mask(*args, **kwargs)  # type: ignore[arg-type]
    assert volume.nothing_written()
    assert "SECRET" not in caught.value.result().model_dump_json()
    return caught.value


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_masks_every_row_in_order(volume: Volume, sealed: bool) -> None:
    path = volume.write_frame(FRAME, sealed=sealed, rows=7)
    result = volume.mask(volume.source(path, FRAME.schema), RULES)
    masked = volume.masked()
    assert masked.columns == FRAME.columns
    assert masked["ward"].equals(FRAME["ward"])
    assert masked["phone"].to_list() == ["*" * 8 + phone[-3:] for phone in FRAME["phone"]]
    assert masked["patient"].n_unique() == 40
    pairs = pl.DataFrame({"before": FRAME["patient"], "after": masked["patient"]})
    assert pairs.unique().height == 40
    assert masked["note"].null_count() == 200
    assert result.output is not None
    assert result.output.rows == 200
    assert result.output.bytes == volume.output.stat().st_size
    assert result.output.key_ids == [OUTPUT_KEY.key_id.hex()]
    assert os.listdir(volume.output.parent) == [volume.output.name]


def test_csv_and_parquet_give_the_same_tokens(volume: Volume) -> None:
    parquet = volume.write_frame(FRAME)
    volume.mask(volume.source(parquet, FRAME.schema), RULES)
    from_parquet = volume.masked()
    csv = volume.write("a.csv", FRAME.write_csv().encode())
    volume.mask(volume.source(csv, FRAME.schema), RULES)
    assert volume.masked().equals(from_parquet)


def test_csv_output(volume: Volume) -> None:
    frame = pl.DataFrame(
        {"text": ["a,b", "", None], "zoned": pl.Series([0, 1, None]).cast(pl.Datetime("us", "UTC"))}
    )
    path = volume.write_frame(frame)
    volume.mask(volume.source(path, frame.schema), [keep(*frame.columns)], form="CSV")
    text = volume.opened().decode()
    zoned = ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z"]
    assert text == f'text,zoned\n"a,b",{zoned[0]}\n"",{zoned[1]}\n,\n'


def test_columns_without_a_rule_are_dropped(volume: Volume) -> None:
    path = volume.write_frame(FRAME)
    rules = [keep("ward"), rule("phone", "drop")]
    result = volume.mask(volume.source(path, FRAME.schema), rules)
    assert volume.masked().columns == ["ward"]
    assert result.report is not None
    assert [c.transform for c in result.report.columns] == ["drop"] * 5 + ["keep"]
    assert [c.rule for c in result.report.columns][:2] == ["", "phone"]


def test_columns_that_are_kept_without_a_rule_have_none_in_the_report(volume: Volume) -> None:
    frame = FRAME.select("ward", defaultAction="note")
    rest = keep("ward").model_copy(update={"by_default": True})
    rules = [rest, rule("defaultAction", "redact")]
    path = volume.write_frame(frame)
    result = volume.mask(volume.source(path, frame.schema), rules)
    assert result.report is not None
    assert [c.rule for c in result.report.columns] == ["", "defaultAction"]


def test_report_counts(volume: Volume) -> None:
    result = volume.mask(volume.source(volume.write_frame(FRAME), FRAME.schema), RULES)
    assert result.report is not None
    by_name = {column.name: column for column in result.report.columns}
    assert {name: column.changed for name, column in by_name.items()} == {
        "patient": 200, "phone": 200, "income": 200, "born": 200, "note": 200, "ward": 0,
    }  # fmt: skip
    assert (by_name["note"].nulls_before, by_name["note"].nulls_after) == (0, 200)
    assert (by_name["patient"].distinct_before, by_name["patient"].distinct_after) == (40, 40)
    assert (by_name["income"].type_before, by_name["income"].type_after) == ("Integer", "String")
    assert by_name["income"].distinct_after == 2
    assert not any(column.distinct_estimated for column in by_name.values())
    assert b"distinctEstimated" not in result.canonical()


def test_the_report_says_what_is_linkable(volume: Volume) -> None:
    frame = pl.DataFrame({name: ["123456", None, "12"] for name in "abcdefg"})
    digits: dict[str, object] = {"alphabet": "Digits", "unsuitable": "Redact"}
    rules = [
        rule("a", "tokenize", key="AES256_SIV"),
        rule("b", "hash", key="HMAC_SHA256"),
        rule("c", "formatPreserving", digits, key="FF1_AES256"),
        rule("d", "encrypt", key="AES256_SIV"),
        rule("e", "encrypt", key="AES256_GCM"),
        rule("f", "partialMask"),
        keep("g"),
    ]
    result = volume.mask(volume.source(volume.write_frame(frame), frame.schema), rules)
    assert result.report is not None
    columns = {column.name: column for column in result.report.columns}
    assert [name for name, column in columns.items() if column.linkable] == ["a", "b", "c", "d"]
    assert (columns["c"].nulls_before, columns["c"].nulls_after) == (1, 2)
    assert (columns["c"].distinct_before, columns["c"].distinct_after) == (2, 1)
    assert columns["c"].changed == 2
    assert b'"linkable":false' not in result.canonical()


def test_the_report_of_random_values(volume: Volume) -> None:
    frame = pl.DataFrame(
        {
            "weight": [1.5, None, 2.5],
            "list": [[1, 2], None, [3]],
            "struct": [{"a": 1}, {"a": None}, None],
            "age": [3, 95, None],
        }
    )
    rules = [
        rule("weight", "noise", {"scale": "10"}),
        rule("list", "randomMask", {"range": {"lower": "10", "upper": "9999999999"}}),
        rule("struct", "randomMask", {"suppress": "1"}),
        rule("age", "topBottomCode", {"top": "90"}),
    ]
    result = volume.mask(volume.source(volume.write_frame(frame), frame.schema), rules)
    assert result.report is not None
    found = {column.name: column for column in result.report.columns}
    assert {name: (c.changed, c.nulls_after, c.distinct_after) for name, c in found.items()} == {
        "weight": (2, 1, 2), "list[]": (3, 0, 3), "struct": (2, 3, None), "age": (1, 1, 2),
    }  # fmt: skip
    assert [name for name, column in found.items() if column.note] == ["weight"]
    assert "no differential privacy" in (found["weight"].note or "")
    assert volume.masked().schema["list"] == pl.List(pl.Int64)


@pytest.mark.parametrize(
    ("transform", "parameters"),
    [
        ("topBottomCode", {"bottom": "9007199254740993", "top": "9007199254740992"}),
        ("noise", {"scale": "0.0"}),
    ],
)
def test_parameters_that_only_an_exact_look_refuses(
    volume: Volume, transform: str, parameters: dict[str, object]
) -> None:
    frame = pl.DataFrame({"a": [1]})
    source = volume.source(volume.write_frame(frame), frame.schema)
    error = failure(volume, source, [rule("a", transform, parameters)])
    assert error.code == "InvalidConfig"
    assert error.message.startswith('rule "a": ')


def test_an_unsuitable_value_is_named_by_its_row_in_the_file(volume: Volume) -> None:
    frame = pl.DataFrame({"card": [f"{number:06}" for number in range(20)] + ["SECRET"]})
    path = volume.write_frame(frame, rows=4)
    cards = rule("card", "formatPreserving", {"alphabet": "Digits"}, key="FF1_AES256")
    error = failure(volume, volume.source(path, frame.schema), [cards])
    assert (error.code, error.row, error.column) == ("UnsuitableColumn", 21, "card")
    assert error.message.startswith('row 21: the value in column "card" has ')


def test_the_report_says_which_counts_are_estimates(volume: Volume) -> None:
    few = SKETCH_SIZE
    frame = pl.DataFrame({"many": range(few + 1), "few": [*range(few), 0]})
    result = volume.mask(
        volume.source(volume.write_frame(frame), frame.schema), [keep("many", "few")]
    )
    assert result.report is not None
    many, exact = result.report.columns
    assert (many.name, many.distinct_estimated) == ("many", True)
    assert (exact.distinct_before, exact.distinct_estimated) == (few, None)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([keep("lacking")], "ColumnMissing"),
        ([rule("born", "dateShift", {"maxDays": 2}, key="AES256_SIV", subject="lacking")],
         "ColumnMissing"),
        ([rule("born", "dateShift", {"maxDays": 2}, key="AES256_SIV")], "ColumnMissing"),
        ([rule("phone", "generalize", {"bins": ["0"]})], "UnsuitableColumn"),
        ([rule("phone", "generalize", {"dateTo": "Year"})], "UnsuitableColumn"),
        ([keep("ward"), rule("ward", "redact")], "InvalidConfig"),
        ([rule("ward", "drop")], "InvalidConfig"),
        ([], "InvalidConfig"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit(volume: Volume, rules: list[object], code: str) -> None:
    source = volume.source(volume.write_frame(FRAME), FRAME.schema)
    assert failure(volume, source, rules).code == code


def test_lists_cannot_be_written_as_csv(volume: Volume) -> None:
    frame = pl.DataFrame({"codes": [[1]]})
    source = volume.source(volume.write_frame(frame), frame.schema)
    assert failure(volume, source, [keep("codes")], form="CSV").code == "UnsuitableColumn"


def test_a_schema_is_needed(volume: Volume) -> None:
    source = volume.source(volume.write_frame(FRAME))
    assert failure(volume, source, RULES).code == "InvalidConfig"


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_another_source_than_was_admitted(volume: Volume, sealed: bool, name: str) -> None:
    if name == "a.csv":
        path = volume.write(name, FRAME.write_csv().encode(), sealed=sealed)
    else:
        path = volume.write_frame(FRAME, sealed=sealed)
    inspected = volume.inspect(path).source
    assert inspected is not None
    good = volume.source(path, FRAME.schema, digest=inspected.digest)
    volume.mask(good, RULES)
    volume.output.unlink()
    other = volume.source(path, FRAME.schema, digest="sha256:" + "0" * 64)
    assert failure(volume, other, RULES).code == "SourceChanged"


def test_missing_source(volume: Volume) -> None:
    source = volume.source(volume.folder / "a.csv", {"a": "Integer"})
    assert failure(volume, source, [keep("a")]).code == "FileMissing"


@pytest.mark.parametrize("where", ["file", "folder"])
@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_links_on_the_volume_are_not_followed(volume: Volume, where: str, sealed: bool) -> None:
    """Else whoever writes to the volume could have a pod read its own keys."""
    (volume.folder / "real").mkdir()
    there = volume.write("a.csv", b"a\n1\n", sealed=sealed)
    path = there.rename(there.parent / "real" / there.name)
    linked = volume.folder / f"link{path.suffix}"
    if where == "file":
        linked.symlink_to(path)
    else:
        linked.symlink_to(path.parent)
        linked = linked / path.name
    error = failure(volume, volume.source(linked, {"a": "Integer"}), [keep("a")])
    assert error.code == "WrongFormat"
    assert "link" in error.message
    with pytest.raises(JobError, match="symbolic link"):
        volume.inspect(linked)


@pytest.mark.parametrize(
    ("header", "code", "told"),
    [
        (",".join(f"c{number}" for number in range(1001)), "TooLarge", "1001 columns"),
        (f"a,{'b' * 257}", "UnsuitableColumn", "column 2 has 257 characters"),
        (f"{'b' * 9999},{'b' * 9999}", "DuplicateColumn", "twice"),
    ],
)
def test_columns_that_no_status_can_hold(volume: Volume, header: str, code: str, told: str) -> None:
    path = volume.write("a.csv", f"{header}\n{header}\n".encode())
    with pytest.raises(JobError, match=told) as caught:
        volume.inspect(path)
    result = caught.value.result()
    assert result.code == code
    assert len(result.model_dump_json()) < 4096


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_pipe_in_place_of_the_source_is_not_waited_for(volume: Volume, sealed: bool) -> None:
    path = volume.folder / ("a.csv.lwe1" if sealed else "a.csv")
    os.mkfifo(path)
    error = failure(volume, volume.source(path, {"a": "Integer"}), [keep("a")])
    assert error.code == "WrongFormat"


def test_what_a_killed_try_left_is_removed(volume: Volume) -> None:
    volume.output.parent.mkdir()
    left = volume.output.with_name(f".{volume.output.name}.0123456789abcdef.part")
    left.write_bytes(b"half")
    path = volume.write("a.csv", b"a\n1\n")
    volume.mask(volume.source(path, {"a": "Integer"}), [keep("a")])
    assert list(volume.output.parent.iterdir()) == [volume.output]


def test_folder_in_place_of_the_source(volume: Volume) -> None:
    with pytest.raises(JobError, match="folder"):
        volume.inspect(volume.folder, wait=600)


def test_plain_file_where_a_sealed_one_is_expected(volume: Volume) -> None:
    path = volume.write("a.csv", b"a\nSECRET\n").rename(volume.folder / "a.csv.lwe1")
    assert failure(volume, volume.source(path, {"a": "String"}), [keep("a")]).code == "NotSealed"


def test_sealed_file_where_a_plain_one_is_expected(volume: Volume) -> None:
    path = volume.write("a.csv", b"a\n1\n", sealed=True).rename(volume.folder / "b.csv")
    assert failure(volume, volume.source(path, {"a": "String"}), [keep("a")]).code == "WrongFormat"


@pytest.mark.parametrize("place", [3, 16_384 + 70, 16_384 + 128 + 5, -1])
def test_a_flipped_byte_is_refused(volume: Volume, place: int) -> None:
    path = volume.write("a.csv", FRAME.write_csv().encode(), sealed=True)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    error = failure(volume, volume.source(path, FRAME.schema), RULES)
    assert error.code in ("Tampered", "NotSealed")
    assert "intact" not in error.message
    assert error.code == "NotSealed" or error.remedy.startswith("use an intact copy")


def test_a_bad_row_late_in_the_file_leaves_nothing(volume: Volume) -> None:
    path = volume.write("a.csv", FRAME.write_csv().encode() + b"SECRET,1\n")
    error = failure(volume, volume.source(path, FRAME.schema), RULES)
    assert (error.code, error.row) == ("MalformedData", 201)


def test_a_later_try_replaces_the_output_and_keeps_no_sibling(volume: Volume) -> None:
    source = volume.source(volume.write_frame(FRAME), FRAME.schema)
    first = volume.mask(source, RULES).output
    second = volume.mask(source, RULES).output
    assert first is not None
    assert second is not None
    assert first.file_id != second.file_id
    assert os.listdir(volume.output.parent) == [volume.output.name]
    assert temporary_siblings(volume.output) == []


def test_stopping_removes_what_was_written(volume: Volume) -> None:
    source = volume.source(volume.write_frame(FRAME), FRAME.schema)
    volume.progress.stop()
    assert failure(volume, source, RULES).code == "Interrupted"


def test_progress_counts_bytes(volume: Volume) -> None:
    path = volume.write_frame(FRAME)
    volume.mask(volume.source(path, FRAME.schema), RULES)
    report = volume.progress.report()
    assert report.unit == "bytes"
    assert report.total == path.stat().st_size
    assert 0 < report.done <= path.stat().st_size
