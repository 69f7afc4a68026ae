"""The parts of the demo that can be tried without a cluster."""

import os
from pathlib import Path

import polars as pl
import pytest

from leeward.api.maskingjob import MaskingJobSpec
from walkthrough.data import STUDY_COLUMNS, make_table
from walkthrough.manifests import cast_of, read_manifests
from walkthrough.proof import needles_of
from walkthrough.scan import scan

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return make_table()


def test_the_data_is_the_study_with_identifiers(table: pl.DataFrame) -> None:
    assert table.height == 20_190
    assert tuple(table.columns[-10:]) == STUDY_COLUMNS
    assert table.null_count().sum_horizontal().item() == 0


def test_the_same_data_comes_out_each_time(table: pl.DataFrame) -> None:
    assert table.equals(make_table())


def test_identifiers_belong_to_one_person(table: pl.DataFrame) -> None:
    people = table["patient_id"].n_unique()
    assert 4_000 < people < 8_000
    for column in ("name", "mail", "phone", "birth_date", "address"):
        assert table.select("patient_id", column).unique().height == people
    assert table["insurance_number"].n_unique() == people


def test_the_rules_of_the_example_cover_the_data(table: pl.DataFrame) -> None:
    documents = read_manifests(ROOT / "examples/masking")
    cast_of(documents)
    (job,) = [document for document in documents if document["kind"] == "MaskingJob"]
    spec = MaskingJobSpec.model_validate(job["spec"])
    named = {name for rule in spec.columns for name in rule.column_names}
    assert named == set(table.columns)


def test_the_search_finds_what_is_readable_and_not_what_is_random(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    needles = needles_of(table)
    (tmp_path / "plain").write_text(f"Dear {table['name'][0]}, {table['mail'][0]}")
    (tmp_path / "random").write_bytes(os.urandom(100_000))
    found = {file["path"]: file for file in scan(str(tmp_path), needles)}
    assert found["plain"]["hits"] == 2
    assert found["random"]["hits"] == 0
    assert found["random"]["entropy"] > 7.99 > 5 > found["plain"]["entropy"]
