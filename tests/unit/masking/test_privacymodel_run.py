"""A masking job with spec.privacyModel: what stands in the file and in the report."""

from collections.abc import Mapping
from datetime import date, timedelta
from math import nan
from typing import Any

import polars as pl
import pytest

from leeward.api.privacymodel import PrivacyModel
from leeward.formats.jobconfig import PrivacyConfig
from leeward.formats.result import PrivacyReport
from leeward_masking.errors import JobError
from unit.masking.support import KEY_REF, Volume, keep, rule

DAY = date(1950, 1, 1)
PEOPLE = pl.DataFrame(
    {
        "who": [f"p{row // 2}" for row in range(400)],
        "born": [DAY + timedelta(days=37 * (row // 2)) for row in range(400)],
        "post": [f"1{row // 2 % 5}{row // 2 % 7}15" for row in range(400)],
        "sex": ["f" if row // 2 % 2 else "m" for row in range(400)],
        "ill": [["flu", "cold", "gout"][row % 3] for row in range(400)],
        "row": range(400),
    }
)
"""200 people with two rows each; nobody else has their date of birth."""
QUASI = ("born", "post", "sex")
RULES = [
    rule("born", "generalize", {"dateTo": "Month"}),
    rule("post", "generalize", {"prefix": 3}),
    keep("sex", "ill", "row"),
]


def privacy(*, subject: str | None = "who", k: int = 5, **changes: Any) -> PrivacyConfig:
    anonymity = {"k": k, "quasiIdentifiers": QUASI, "maxSuppression": "0.05"}
    anonymity |= {"count": "Subjects" if subject else "Rows"} | changes.pop("kAnonymity", {})
    model = PrivacyModel.model_validate({"kAnonymity": anonymity, **changes})
    return PrivacyConfig(model=model, subject=subject)


def masked(
    volume: Volume, asked: PrivacyConfig, frame: pl.DataFrame = PEOPLE, **options: Any
) -> tuple[pl.DataFrame, PrivacyReport, Any]:
    path = volume.write_frame(frame, rows=50)
    result = volume.mask(volume.source(path, frame.schema), RULES, privacy=asked, **options)
    assert result.report is not None
    assert result.report.privacy is not None
    return volume.masked(), result.report.privacy, result


def people_per_class(written: pl.DataFrame) -> pl.DataFrame:
    """Distinct people of each combination, found by the row numbers that were kept."""
    joined = written.join(PEOPLE.select("row", "who"), on="row")
    return joined.group_by(QUASI).agg(pl.col("who").n_unique().alias("people"))


def test_a_row_is_named_by_its_number_in_the_source_where_others_are_left_out(
    volume: Volume,
) -> None:
    frame = pl.DataFrame({"ward": ["a", "b", "b"], "kg": [60.0, 70.0, nan]})
    model = {"k": 2, "quasiIdentifiers": ["ward"], "maxSuppression": "0.5"}
    asked = PrivacyConfig(model=PrivacyModel.model_validate({"kAnonymity": model}))
    source = volume.source(volume.write_frame(frame), frame.schema)
    with pytest.raises(JobError) as caught:
        volume.mask(source, [keep("ward", "kg")], privacy=asked, form="JSONL")
    assert caught.value.row == 3


def test_every_combination_is_shared_by_k_people(volume: Volume) -> None:
    written, report, result = masked(volume, privacy())
    classes = people_per_class(written)
    assert classes["people"].min() == report.after.smallest >= 5
    assert classes.height == report.after.classes
    assert classes["people"].max() == report.after.largest
    assert result.output.rows == written.height == 400 - report.suppressed_rows
    assert result.report.rows == 400
    assert 0 < float(report.loss) < 1


def test_what_the_report_says_of_the_source(volume: Volume) -> None:
    _, report, _ = masked(volume, privacy())
    assert report.before.classes == PEOPLE.select(QUASI).n_unique() == 200
    assert (report.before.smallest, report.before.unique) == (1, "1.000000")
    assert report.before.prosecutor_highest == report.before.marketer == "1.000000"


def test_the_linkage_rate_is_that_of_an_attack(volume: Volume) -> None:
    """Who knows all people of the source, and how values were made coarser, guesses each one."""
    written, report, _ = masked(volume, privacy())
    classes = people_per_class(written)
    targets = written.join(PEOPLE.select("row", "who"), on="row").unique(["who", *QUASI])
    found = targets.join(classes, on=QUASI, nulls_equal=True)
    hits = found.select((1 / pl.col("people")).sum()).item()
    assert float(report.linkage_rate) == pytest.approx(hits / 200, abs=1e-6)
    assert float(report.after.marketer) == pytest.approx(hits / targets.height, abs=1e-6)


def test_columns_say_how_much_coarser_they_got(volume: Volume) -> None:
    written, report, _ = masked(volume, privacy())
    levels = {column.name: column.generalized_to for column in report.columns}
    assert levels["sex"] == "as masked"
    assert levels["born"] in ("Year", "Decade")
    assert written.schema["born"] == pl.Date
    assert all(0 <= column.level < column.levels for column in report.columns)


def test_counts_per_column_are_of_the_rows_that_were_written(volume: Volume) -> None:
    written, report, result = masked(volume, privacy(kAnonymity={"maxSuppression": "0.5"}, k=8))
    assert report.suppressed_rows > 0
    columns = {column.name: column for column in result.report.columns}
    assert columns["sex"].changed == 0
    assert columns["row"].distinct_before == 400
    assert columns["row"].distinct_after == written.height == result.report.written


def test_rows_are_counted_where_each_is_of_another_person(volume: Volume) -> None:
    _, by_row, _ = masked(volume, privacy(subject=None, k=10))
    _, by_person, _ = masked(volume, privacy(k=5))
    assert by_row.counted == "Rows"
    assert by_row.after.smallest >= 10
    assert [c.level for c in by_row.columns] == [c.level for c in by_person.columns]


@pytest.mark.parametrize(
    "changes",
    [
        {"lDiversity": {"l": 3, "column": "ill"}},
        {"lDiversity": {"l": 2, "column": "ill", "measure": "Entropy"}},
        {"tCloseness": {"t": "0.2", "column": "ill"}},
    ],
)
def test_sensitive_values_are_mixed_in_every_combination(
    volume: Volume, changes: Mapping[str, Any]
) -> None:
    written, _, _ = masked(volume, privacy(**changes))
    kinds = written.group_by(QUASI).agg(pl.col("ill").n_unique())
    assert kinds["ill"].min() == 3


def test_what_is_found_in_notes_is_counted_once(volume: Volume) -> None:
    """Notes that are a sensitive column are searched for the classes, too."""
    notes = pl.Series("note", [f"write to p{row % 8 // 4}@b.org" for row in range(400)])
    frame = PEOPLE.select("who", "sex").with_columns(notes)
    diverse = {"l": 2, "column": "note"}
    asked = privacy(kAnonymity={"quasiIdentifiers": ["sex"]}, lDiversity=diverse)
    tokens = {"tokenize": {"key": KEY_REF}}
    found: dict[str, object] = {"languages": ["en"], "entities": ["Mail"], "replacement": tokens}
    rules = [keep("sex"), rule("note", "freeText", found, role="AES256_SIV")]
    path = volume.write_frame(frame)
    result = volume.mask(volume.source(path, frame.schema), rules, privacy=asked)
    assert result.report is not None
    assert [report.found for report in result.report.free_text] == [{"Mail": 400}]


def test_nothing_is_written_where_no_levels_keep_to_it(volume: Volume) -> None:
    with pytest.raises(JobError) as refused:
        masked(volume, privacy(k=201))
    assert refused.value.code == "PrivacyModelUnmet"
    assert volume.nothing_written()


def test_a_csv_has_the_coarser_values_as_text(volume: Volume) -> None:
    path = volume.write_frame(PEOPLE, rows=50)
    volume.mask(volume.source(path, PEOPLE.schema), RULES, privacy=privacy(), form="CSV")
    text = volume.opened()
    assert text.startswith(b"born,post,sex,ill,row\n19")


def test_classes_are_of_what_quantiles_make_of_the_values(volume: Volume) -> None:
    rules = [rule("row", "generalize", {"quantiles": 20}), keep("sex")]
    model = {"k": 15, "quasiIdentifiers": ["row", "sex"], "count": "Rows"}
    asked = PrivacyConfig(model=PrivacyModel.model_validate({"kAnonymity": model}))
    path = volume.write_frame(PEOPLE, rows=50)
    result = volume.mask(volume.source(path, PEOPLE.schema), rules, privacy=asked)
    assert result.report is not None
    assert result.report.privacy is not None
    assert result.report.privacy.after.smallest >= 15


def test_classes_are_of_what_a_table_makes_of_the_values(volume: Volume) -> None:
    wards = "".join(f"1{a}{b}15;1{a};1;*\n" for a in range(5) for b in range(7))
    table = {"configMap": {"name": "posts", "key": "posts.csv"}}
    own = rule("post", "generalize", {"hierarchy": {**table, "level": 1}})
    model = {"k": 50, "quasiIdentifiers": ["post"]}
    asked = PrivacyConfig(
        model=PrivacyModel.model_validate({"kAnonymity": model}), subject="who", tables={}
    )
    path = volume.write_frame(PEOPLE, rows=50)
    rules = [own.model_copy(update={"hierarchy": wards}), keep("row")]
    result = volume.mask(volume.source(path, PEOPLE.schema), rules, privacy=asked)
    assert result.report is not None
    assert result.report.privacy is not None
    assert [c.generalized_to for c in result.report.privacy.columns] == ["level 2"]
    assert volume.masked()["post"].unique().to_list() == ["1"]
