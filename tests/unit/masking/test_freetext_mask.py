"""The transform freeText in a job: what is replaced, what is told, and when it refuses to start."""

import json
from typing import Any

import polars as pl
import pytest

from leeward.api.freetext import FreeText
from leeward.formats.jobconfig import SourceFile
from leeward_masking.errors import JobError
from leeward_masking.freetext import FreeTextMask, check_recall, measure
from leeward_masking.freetext.mask import SLICE_BYTES, SLICE_NOTES, slices
from unit.masking.support import KEY_REF, Volume, keep, rule
from unit.masking.test_workers import ROWS, worker

NOTES = [
    "Seen with Jane Roe, jane.roe@post.example, tel +44 7700 900123.",
    "JANE ROE rang from +44 7700 900 123.",
    None,
    "",
    "No change.",
]
PLANTED = ("Jane", "ROE", "jane.roe", "7700")


def free_text(**given: Any) -> dict[str, Any]:
    return {"languages": ["en"], **given}


def masked(volume: Volume, frame: pl.DataFrame, *rules: Any) -> tuple[pl.DataFrame, Any]:
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    result = volume.mask(source, list(rules))
    assert result.report is not None
    return volume.masked(), result.report


def test_findings_become_labels_and_are_counted(volume: Volume) -> None:
    frame = pl.DataFrame({"id": range(5), "note": NOTES})
    found, report = masked(volume, frame, keep("id"), rule("note", "freeText", free_text()))
    assert found["note"].to_list() == [
        "Seen with [PERSON], [MAIL], tel [PHONE].",
        "[PERSON] rang from [PHONE].",
        None,
        "",
        "No change.",
    ]
    (told,) = report.free_text
    assert (told.column, told.rule) == ("note", "note")
    assert {name: count for name, count in told.found.items() if count} == {
        "Person": 2,
        "Mail": 1,
        "Phone": 2,
    }
    assert "no detection is complete" in told.note
    assert {one.entity for one in told.recall} == set(told.found)
    assert all(one.language == "en" and one.labelled >= 10 for one in told.recall)
    (column,) = [one for one in report.columns if one.name == "note"]
    assert (column.changed, column.note) == (2, told.note)
    assert not any(value in report.model_dump_json() for value in PLANTED)


def test_only_what_the_rule_names_is_searched(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES[:1]})
    found, report = masked(volume, frame, rule("note", "freeText", free_text(entities=["Phone"])))
    assert found["note"][0] == "Seen with Jane Roe, jane.roe@post.example, tel [PHONE]."
    assert list(report.free_text[0].found) == ["Phone"]


def test_tokens_join_notes_with_columns(volume: Volume) -> None:
    frame = pl.DataFrame(
        {
            "name": ["Jane  Roe", "x"],
            "phone": ["+44 (0)7700 900123", "y"],
            "mail": ["Jane.Roe@post.example", "z"],
            "note": NOTES[:2],
        }
    )
    token = free_text(replacement={"tokenize": {"key": KEY_REF}})
    siv = {"key": "AES256_SIV"}
    found, _ = masked(
        volume,
        frame,
        rule("name", "tokenize", {"normalize": "Person"}, **siv),
        rule("phone", "tokenize", {"normalize": "Phone"}, **siv),
        rule("mail", "tokenize", {"normalize": "Mail"}, **siv),
        rule("note", "freeText", token, role="AES256_SIV"),
    )
    name, phone, mail, _ = found.row(0)
    assert found["note"].to_list() == [
        f"Seen with [PERSON:{name}], [MAIL:{mail}], tel [PHONE:{phone}].",
        f"[PERSON:{name}] rang from [PHONE:{phone}].",
    ]


def test_pseudonyms_and_constants(volume: Volume) -> None:
    frame = pl.DataFrame({"name": ["jane roe"], "a": NOTES[:1], "b": NOTES[:1]})
    digits = {"hash": {"key": KEY_REF, "length": 16}}
    found, _ = masked(
        volume,
        frame,
        rule("name", "hash", {"length": 16}, key="HMAC_SHA256"),
        rule("a", "freeText", free_text(replacement=digits), role="HMAC_SHA256"),
        rule("b", "freeText", free_text(replacement={"replace": {"value": "---"}})),
    )
    name, a, b = found.row(0)
    assert a.startswith(f"Seen with [PERSON:{name}], [MAIL:")
    assert b == "Seen with ---, ---, tel ---."


def test_own_patterns_and_dictionaries(volume: Volume) -> None:
    own = free_text(
        entities=["Mail"],
        patterns=[{"name": "staff", "entity": "StaffNumber", "pattern": "S-[0-9]{4}"}],
        dictionaries=[{"name": "wards", "entity": "Ward", "terms": ["Elm", "Oak House"]}],
    )
    frame = pl.DataFrame({"note": ["S-1234 moved from elm to Oak House."]})
    found, report = masked(volume, frame, rule("note", "freeText", own))
    assert found["note"][0] == "[STAFF_NUMBER] moved from [WARD] to [WARD]."
    assert report.free_text[0].found == {"Mail": 0, "StaffNumber": 1, "Ward": 2}
    assert {one.entity for one in report.free_text[0].recall} == {"Mail"}


def test_what_the_row_holds_is_found_in_its_note(volume: Volume) -> None:
    known = [
        {"column": "name", "entity": "Person"},
        {"column": "ward", "entity": "Ward"},
        {"column": "bed", "entity": "Bed"},
    ]
    frame = pl.DataFrame(
        {
            "name": ["May Quirkson", "May Quirkson", None, "欧阳岚"],
            "ward": ["Elm", None, "Elm", ""],
            "bed": [17, 17, None, 3],
            "note": [
                "may quirkson: may go home. QUIRKSON and May in ELM, bed 17, not 170 or Elmer.",
                "elm or Elm is not known here.",
                "Nobody knows who this is: May, 17, Elm.",
                "今日见欧阳岚在楼下。",
            ],
        }
    )
    only = free_text(entities=["Mail"], known=known)
    found, report = masked(
        volume, frame, keep("name", "ward", "bed"), rule("note", "freeText", only)
    )
    assert found["note"].to_list() == [
        "[PERSON]: may go home. [PERSON] and [PERSON] in [WARD], bed [BED], not 170 or Elmer.",
        "elm or Elm is not known here.",
        "Nobody knows who this is: May, 17, [WARD].",
        "今日见[PERSON]在楼下。",
    ]
    assert report.free_text[0].found == {"Mail": 0, "Bed": 1, "Person": 4, "Ward": 2}
    assert {one.entity for one in report.free_text[0].recall} == {"Mail"}


def test_what_the_row_holds_is_found_in_every_slice() -> None:
    mask = FreeTextMask(
        FreeText.model_validate(
            free_text(entities=["Mail"], known=[{"column": "c", "entity": "Code"}])
        )
    )
    values = pl.Series([f"c{n}" for n in range(SLICE_NOTES + 2)])
    notes = pl.Series("note", "about " + values)
    assert mask(notes, values).unique().to_list() == ["about [CODE]"]


def test_known_column_that_is_not_there_is_named(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    given = free_text(known=[{"column": "who", "entity": "Person"}])
    with pytest.raises(JobError, match='no column "who"'):
        volume.mask(source, [rule("note", "freeText", given)])


def test_recall_that_is_too_low_stops_the_job_before_anything_is_written(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    wanted = free_text(entities=["Person", "Mail"], minRecall="1")
    with pytest.raises(JobError) as caught:
        volume.mask(source, [rule("note", "freeText", wanted)])
    assert (caught.value.code, caught.value.column) == ("RecallTooLow", "note")
    assert "Person (en)" in caught.value.message
    assert "Mail" not in caught.value.message
    assert not any(value in caught.value.message for value in PLANTED)
    assert volume.nothing_written()


def test_recall_that_is_enough_is_told(volume: Volume) -> None:
    wanted = free_text(languages=["en", "zh"], entities=["Mail", "Card"], minRecall="0.9")
    _, report = masked(volume, pl.DataFrame({"note": NOTES}), rule("note", "freeText", wanted))
    (told,) = report.free_text
    assert told.min_recall == "0.9"
    assert {(one.entity, one.language) for one in told.recall} == {
        (entity, language) for entity in ("Mail", "Card") for language in ("en", "zh")
    }


def test_recall_of_own_notes_counts_each_kind_and_needs_enough_of_them() -> None:
    mask = FreeTextMask(
        FreeText.model_validate(
            free_text(
                entities=["Mail"],
                patterns=[{"name": "s", "entity": "Staff", "pattern": "S-[0-9]{4}"}],
                minRecall="0.9",
            )
        )
    )
    lines = [f"{{Mail|a{n}@b.example}} and {{Staff|S-{n}000}}" for n in range(9)]
    few = measure(mask, pl.Series(lines))
    assert {(one.entity, one.score.labelled) for one in few} == {("Mail", 9), ("Staff", 9)}
    with pytest.raises(JobError, match="Mail 9, Staff 9"):
        check_recall("note", mask, few)
    check_recall("note", mask, measure(mask, pl.Series([*lines, lines[0], None])))
    missed = [*lines, "{Mail|a@b.example} and {Staff|S-12}", "{Staff|S-13}"]
    with pytest.raises(JobError, match="Staff 9 of 11"):
        check_recall("note", mask, measure(mask, pl.Series(missed)))


def test_strings_in_structs_and_lists_are_searched_and_measured_once(volume: Volume) -> None:
    rows = [
        {"id": 1, "doc": {"text": NOTES[0], "visits": [{"note": NOTES[1]}, {"note": None}]}},
        {"id": 2, "doc": {"text": None, "visits": []}},
    ]
    leaves = ["doc.text", "doc.visits[].note"]
    kinds = {"id": "Integer", **dict.fromkeys(leaves, "String")}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    source = volume.source(volume.write("documents.jsonl", text.encode()), kinds)
    rules = [keep("id"), rule("texts", "freeText", free_text(minRecall="0.5"), columns=leaves)]
    report = volume.mask(source, rules, form="JSONL").report
    assert report is not None
    first, second = (json.loads(line) for line in volume.opened().splitlines())
    assert first["doc"]["text"] == "Seen with [PERSON], [MAIL], tel [PHONE]."
    assert first["doc"]["visits"] == [{"note": "[PERSON] rang from [PHONE]."}, None]
    assert (second["id"], second["doc"]["visits"]) == (2, [])
    counts = {one.column: one.found["Person"] for one in report.free_text}
    assert counts == dict.fromkeys(leaves, 1)
    assert [bool(one.recall) for one in report.free_text] == [True, False]


def labelled(volume: Volume, lines: list[str]) -> SourceFile:
    frame = pl.DataFrame({"text": lines})
    path = volume.folder / "labelled.parquet"
    frame.write_parquet(path)
    sealed = volume.write(path.name, path.read_bytes(), sealed=True)
    return volume.source(sealed, dict(frame.schema))


OWN = {"dataset": {"name": "labelled"}, "column": "text"}


@pytest.mark.parametrize(("found", "missed", "code"), [(11, 0, None), (9, 2, "RecallTooLow")])
def test_own_sealed_notes_decide(volume: Volume, found: int, missed: int, code: str | None) -> None:
    lines = ["{Mail|a@b.example}"] * found + ["{Mail|a at b}"] * missed
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    wanted = rule("note", "freeText", free_text(entities=["Mail"], minRecall="0.9", sample=OWN))
    if code is not None:
        with pytest.raises(JobError, match="Mail 9 of 11") as caught:
            volume.mask(source, [wanted], sample=labelled(volume, lines))
        assert caught.value.code == code
        assert volume.nothing_written()
        return
    report = volume.mask(source, [wanted], sample=labelled(volume, lines)).report
    assert report is not None
    (told,) = report.free_text[0].recall
    assert (told.entity, told.language, told.labelled, told.recall) == ("Mail", None, 11, "1.000")


def test_own_notes_that_are_not_there_stop_the_job(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    with pytest.raises(JobError, match="was given no labelled notes"):
        volume.mask(source, [rule("note", "freeText", free_text(sample=OWN))])
    assert volume.nothing_written()


def test_own_notes_that_changed_since_admission_stop_the_job(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    notes = labelled(volume, ["{Mail|a@b.example}"] * 10).model_copy(
        update={"digest": "sha256:" + "0" * 64}
    )
    with pytest.raises(JobError) as caught:
        volume.mask(source, [rule("note", "freeText", free_text(sample=OWN))], sample=notes)
    assert caught.value.code == "SourceChanged"
    assert volume.nothing_written()


def test_a_label_that_is_not_closed_is_named_by_its_line_alone(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    notes = labelled(volume, ["{Mail|a@b.example}", "{Person|Jane Roe"])
    with pytest.raises(JobError, match="line 2 of the labelled sample") as caught:
        volume.mask(source, [rule("note", "freeText", free_text(sample=OWN))], sample=notes)
    assert caught.value.code == "MalformedData"
    assert "Jane" not in caught.value.message


def test_text_is_needed(volume: Volume) -> None:
    frame = pl.DataFrame({"note": [1, 2]})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    with pytest.raises(JobError, match="holds no text"):
        volume.mask(source, [rule("note", "freeText", free_text())])
    assert volume.nothing_written()


def test_pattern_that_does_not_compile_is_refused(volume: Volume) -> None:
    frame = pl.DataFrame({"note": NOTES})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    bad = free_text(patterns=[{"name": "odd", "entity": "X", "pattern": "(a"}])
    with pytest.raises(JobError, match=r"freeText\.patterns .* \(in rule \"note\"\)") as caught:
        volume.mask(source, [rule("note", "freeText", bad)])
    assert caught.value.code == "InvalidConfig"


def test_slices_are_bounded_in_notes_and_bytes() -> None:
    short = pl.Series(["a"] * (SLICE_NOTES + 1))
    assert [len(part) for part in slices(short)] == [SLICE_NOTES, 1]
    long = pl.Series(["a" * (SLICE_BYTES // 2), None, "b" * (SLICE_BYTES // 2 + 1), "c"])
    assert [len(part) for part in slices(long)] == [2, 2]
    huge = pl.Series(["a" * (SLICE_BYTES + 1), "b"])
    assert [len(part) for part in slices(huge)] == [1, 1]


def test_a_note_is_masked_alike_in_whatever_slice() -> None:
    mask = FreeTextMask(FreeText.model_validate(free_text()))
    notes = pl.Series("note", [NOTES[0]] * (SLICE_NOTES + 3))
    assert mask(notes).unique().to_list() == ["Seen with [PERSON], [MAIL], tel [PHONE]."]
    assert mask.found()["Person"] == SLICE_NOTES + 3


def test_findings_in_notes_are_counted_once_whoever_finds_them(volume: Volume) -> None:
    known = [{"column": "name", "entity": "Person"}]
    note = free_text(entities=["Mail"], minRecall="0.9", known=known)
    rows = {
        "name": [f"Qx{number}" for number in range(ROWS)],
        "note": [f"Qx{number} or Qx0: a{number}@b.example" for number in range(ROWS)],
    }
    source = volume.source(
        volume.write_frame(pl.DataFrame(rows), rows=512), {"name": "String", "note": "String"}
    )
    rules = [rule("name", "redact"), rule("note", "freeText", note)]
    result = worker(volume, source, rules=rules).run()
    assert result.report is not None
    (told,) = result.report.free_text
    assert told.found == {"Mail": ROWS, "Person": ROWS + 1}
    assert [one.entity for one in told.recall] == ["Mail"]
