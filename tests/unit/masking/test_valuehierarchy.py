"""generalize.hierarchy."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from leeward.api.hierarchies import ValueHierarchy
from leeward.formats.jobconfig import RuleConfig
from leeward_masking.errors import JobError
from leeward_masking.transforms.valuehierarchy import HierarchyMask
from unit.masking.support import Volume, column, keep, rule

ICD = "J45.0;J45;Respiratory\nJ18;J18;Respiratory\nE11.9;E11;Endocrine\n;none;Nothing\n"


def given(level: int = 2, **changes: Any) -> ValueHierarchy:
    place = {"configMap": {"name": "icd", "key": "icd.csv"}, "level": level}
    return ValueHierarchy.model_validate(place | changes)


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_values_become_what_the_table_says(dtype: Any) -> None:
    before = column(["E11.9", None, "J18", "J18", ""], dtype)
    found = HierarchyMask(given(), ICD)(before)
    assert found.to_list() == ["Endocrine", None, "Respiratory", "Respiratory", "Nothing"]
    assert found.dtype == pl.String
    assert found.name == "c"
    assert HierarchyMask(given(1), ICD)(before).to_list() == ["E11", None, "J18", "J18", "none"]


def test_values_of_other_types_are_looked_for_by_their_text() -> None:
    table = "1;one\n2026-01-31;a day\ntrue;yes\n0.5;half\n"
    for values, text in (([1], "one"), ([0.5], "half"), ([True], "yes")):
        assert HierarchyMask(given(1), table)(column(values)).to_list() == [text]
    assert HierarchyMask(given(1), table)(column([dt.date(2026, 1, 31)])).to_list() == ["a day"]


def test_a_value_that_the_table_lacks(volume: Volume) -> None:
    frame = pl.DataFrame({"icd": ["J18"] * 5 + ["SECRET", "J18"], "ward": range(7)})
    path = volume.write_frame(frame, rows=3)
    place = {"configMap": {"name": "icd", "key": "icd.csv"}, "level": 2}

    def mask(**changes: str) -> None:
        made = rule("icd", "generalize", {"hierarchy": place | changes})
        table = RuleConfig.model_validate(made.model_dump(by_alias=True) | {"hierarchy": ICD})
        volume.mask(volume.source(path, frame.schema), [table, keep("ward")])

    with pytest.raises(JobError) as caught:
        mask()
    error = caught.value
    assert (error.code, error.row, error.column) == ("UnsuitableColumn", 6, "icd")
    assert "SECRET" not in error.message
    assert volume.nothing_written()
    mask(unsuitable="Redact")
    assert volume.masked()["icd"].to_list() == ["Respiratory"] * 5 + [None, "Respiratory"]


@pytest.mark.parametrize(
    ("level", "text", "message"),
    [
        (3, ICD, "has 2 levels, and level 3 is asked for"),
        (1, "SECRET", "icd.csv of ConfigMap icd: line 1 has one column"),
        (1, None, "icd.csv of ConfigMap icd is not there"),
    ],
)
def test_tables_that_are_none(level: int, text: str | None, message: str) -> None:
    with pytest.raises(JobError) as caught:
        HierarchyMask(given(level), text)
    assert caught.value.code == "InvalidConfig"
    assert message in caught.value.message
    assert "SECRET" not in caught.value.message
