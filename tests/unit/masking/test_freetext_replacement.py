"""New text in place of spans, and scores against labels."""

import polars as pl
import pytest

from leeward_masking.errors import JobError
from leeward_masking.freetext import (
    FreeTextDetector,
    evaluate,
    label,
    normalised,
    read_labelled,
    replaced,
)
from leeward_masking.freetext.spans import SPAN_SCHEMA

DETECTOR = FreeTextDetector()


def numbered(entity: str, values: pl.Series) -> pl.Series:
    return pl.Series([f"<{entity}:{value}>" for value in values], dtype=pl.String)


def test_labels_between_what_stays() -> None:
    notes = pl.Series("note", ["😀 a@b.org, c@d.org!\r\n", None, "", "SSN 078-05-1120", "plain"])
    masked = replaced(notes, DETECTOR.find(notes), {})
    assert masked.name == "note"
    assert masked.to_list() == [
        "😀 [MAIL], [MAIL]!\r\n",
        None,
        "",
        "SSN [NATIONAL_ID]",
        "plain",
    ]


def test_one_value_is_mapped_once_however_it_is_written() -> None:
    asked: list[list[str]] = []

    def token(entity: str, values: pl.Series) -> pl.Series:
        asked.append(values.to_list())
        return numbered(entity, values)

    notes = pl.Series(
        ["tel (617) 555-0143", "tel 617.555.0143 or A@B.org", "电话６１７-５５５-０１４３"]
    )
    masked = replaced(notes, DETECTOR.find(notes), {"Phone": token})
    assert asked == [["6175550143"]]
    assert masked.to_list() == [
        "tel <Phone:6175550143>",
        "tel <Phone:6175550143> or [MAIL]",
        "电话<Phone:6175550143>",
    ]


@pytest.mark.parametrize(
    ("entity", "value", "expected"),
    [
        ("Phone", "0044 (0)20 7946-0321 ext 4", "+442079460321"),
        ("Card", "4111-1111 1111 1111", "4111111111111111"),
        ("NationalId", "11010519491231002x", "11010519491231002X"),
        ("Mail", "A.B@C.org", "a.b@c.org"),
        ("Person", "Jane \r\n Roe", "jane roe"),
        ("DateOfBirth", " 1 May 1980", "1 May 1980"),
    ],
)
def test_normal_forms(entity: str, value: str, expected: str) -> None:
    assert normalised(entity, pl.Series([value])).to_list() == [expected]


def test_a_mapping_that_loses_values_is_refused_without_the_value() -> None:
    notes = pl.Series(["a@b.org"])
    for given in (pl.Series([None], dtype=pl.String), pl.Series([], dtype=pl.String)):

        def losing(_entity: str, _values: pl.Series, given: pl.Series = given) -> pl.Series:
            return given

        with pytest.raises(JobError, match="gave no text") as refused:
            replaced(notes, DETECTOR.find(notes), {"Mail": losing})
        assert "a@b" not in str(refused.value)


def test_label_names_the_entity() -> None:
    assert label("DateOfBirth", pl.Series(["x", "y"])).to_list() == ["[DATE_OF_BIRTH]"] * 2


def test_nothing_to_replace() -> None:
    notes = pl.Series("n", ["a", None], dtype=pl.String)
    assert replaced(notes, SPAN_SCHEMA.to_frame(), {}).to_list() == ["a", None]


def test_scores() -> None:
    notes, labelled = read_labelled(
        ["{Mail|a@b.org} and {Person|Jane Roe}\\r\\nend", "none", "{Person|Q}"]
    )
    assert notes.to_list() == ["a@b.org and Jane Roe\r\nend", "none", "Q"]
    spans = [
        (0, 0, 7, "Mail", "d", 1.0),
        (0, 12, 16, "Person", "d", 1.0),
        (1, 0, 4, "Person", "d", 1.0),
    ]
    scores = evaluate(labelled, pl.DataFrame(spans, SPAN_SCHEMA, orient="row"))
    mail, person = scores["Mail"], scores["Person"]
    assert (mail.recall, mail.precision, mail.exact_recall, mail.exact_precision) == (1, 1, 1, 1)
    assert (person.labelled, person.exact, person.touched, person.covered) == (2, 0, 1, 0)
    assert (person.touched_recall, person.precision, person.exact_precision) == (0.5, 0.5, 0)


def test_two_spans_may_cover_one_label() -> None:
    _, labelled = read_labelled(["{Address|12 Elm Row}"])
    spans = [(0, 0, 3, "Phone", "d", 1.0), (0, 3, 10, "Address", "d", 1.0)]
    scores = evaluate(labelled, pl.DataFrame(spans, SPAN_SCHEMA, orient="row"))
    assert scores["Address"].recall == 1
    assert scores["Phone"].labelled == 0


def test_a_sample_with_a_stray_brace_is_refused() -> None:
    with pytest.raises(JobError, match="line 2"):
        read_labelled(["fine", "a {Mail|x"])
