"""mask preview: privacy models, hierarchies and notes."""

from pathlib import Path
from typing import Any

import pytest

from unit.cli.fake_cluster import leeward
from unit.cli.visits import DATASET, VAULT, job, manifest, pairs, visits


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return visits(tmp_path)


ALIKE: dict[str, Any] = {
    "kAnonymity": {"k": 2, "quasiIdentifiers": ["visited"], "maxSuppression": "0.4"}
}
VISITS: list[dict[str, Any]] = [{"name": "visited", "generalize": {"dateTo": "Month"}}]


def test_rows_that_a_privacy_model_leaves_out(data: Path) -> None:
    asked = job(VISITS, defaultAction="Drop", privacyModel=ALIKE)
    found = pairs(data, DATASET, asked)
    assert [pair["after"] for pair in found] == [{"visited": "2027-01-01"}] * 2 + [{}]
    shown = leeward("mask", "preview", "-f", manifest(data.parent, DATASET, asked), str(data))
    assert "row left out" in shown.stdout


@pytest.mark.parametrize(
    ("rules", "changes", "words"),
    [
        (VISITS, {"quasiIdentifiers": ["born"]}, 'no column "born", which spec.privacyModel names'),
        (VISITS, {"quasiIdentifiers": ["note"]}, 'column "note", which has no rule'),
        (VISITS, {"k": 4}, "kAnonymity.k = 4, but the data has 2 people"),
        (VISITS, {"quasiIdentifiers": ["visited"] * 2}, "a quasi-identifier is named twice"),
    ],
)
def test_a_privacy_model_that_cannot_be_kept(
    data: Path, rules: list[dict[str, Any]], changes: dict[str, Any], words: str
) -> None:
    asked = {"kAnonymity": ALIKE["kAnonymity"] | changes}
    path = manifest(data.parent, DATASET, job(rules, defaultAction="Drop", privacyModel=asked))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code != 0
    assert words in " ".join(result.stderr.split())


def test_a_privacy_model_needs_to_know_whose_row_each_is(data: Path) -> None:
    bare = {**DATASET, "spec": {k: v for k, v in DATASET["spec"].items() if k != "subjectColumn"}}
    path = manifest(data.parent, bare, job(VISITS, defaultAction="Drop", privacyModel=ALIKE))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert "set its spec.subjectColumn" in " ".join(result.stderr.split())


def test_a_hierarchy_stands_beside_the_job(data: Path) -> None:
    place = {"configMap": {"name": "people", "key": "people.csv"}, "level": 1}
    rules = [{"name": "patient", "generalize": {"hierarchy": place}}]
    documents = [VAULT, DATASET, job(rules, defaultAction="Drop")]
    result = leeward("mask", "preview", "-f", manifest(data.parent, *documents), str(data))
    assert result.exit_code != 0
    assert "does not define people.csv of ConfigMap people" in result.stderr
    table = {"people.csv": "P1;Group 1\nP2;Group 2\n"}
    documents.append({"kind": "ConfigMap", "metadata": {"name": "people"}, "data": table})
    after = [pair["after"]["patient"] for pair in pairs(data, *documents)]
    assert after == ["Group 1", "Group 2", "Group 1"]


NOTE: dict[str, Any] = {
    "name": "note",
    "freeText": {"languages": ["en"], "known": [{"column": "name", "entity": "Person"}]},
}


def noted(folder: Path) -> Path:
    path = folder / "notes.csv"
    path.write_text("name,note\nXo Li,Xo Li rang from +44 7700 900123.\n")
    return path


def test_notes_before_and_after(tmp_path: Path) -> None:
    rules = [{"name": "name", "redact": {}}, NOTE]
    (row,) = pairs(noted(tmp_path), job(rules))
    assert row["after"] == {"name": None, "note": "[PERSON] rang from [PHONE]."}


def test_recall_that_is_too_low_is_told_before_any_row(tmp_path: Path) -> None:
    strict = {"name": "note", "freeText": {**NOTE["freeText"], "minRecall": "1"}}
    path = manifest(tmp_path, job([{"name": "name", "redact": {}}, strict]))
    result = leeward("mask", "preview", "-f", path, str(noted(tmp_path)))
    assert result.exit_code == 1
    assert "is below minRecall 1" in result.stderr
    assert "Person (en)" in result.stderr
    assert "rang" not in result.stdout + result.stderr
