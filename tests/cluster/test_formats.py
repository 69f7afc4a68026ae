"""Datasets that are no plain table, from the file to the masked copy."""

import gzip
import io
import json
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

ENCOUNTERS: list[Manifest] = [
    {
        "patient": {"id": "P1", "name": "Zebulon Quackenbush"},
        "visits": [{"day": "2026-01-10", "cost": 3}, {"day": "2026-01-20", "cost": 4.5}],
    },
    {"patient": {"id": "P2", "name": "Ottoline Featherstone"}, "visits": []},
    {"patient": {"id": "P1", "name": None}, "visits": [{"day": "2026-02-10", "cost": 1}]},
]
RULES: list[Manifest] = [
    {"name": "patient", "redact": {}},
    {"name": "patient.id", "tokenize": {"key": key_ref("tokens")}},
    {
        "name": "visits[].day",
        "dateShift": {"subject": "patient.id", "maxDays": 30, "key": key_ref("tokens")},
    },
    {"name": "visits[].cost", "keep": {}},
]


def lines(rows: list[Manifest]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def previewed(clinic: Clinic, leeward: Callable[..., str], name: str) -> list[Manifest]:
    arguments = ("-n", clinic.namespace, "--purpose", "research", "--rows", "5", "-o", "json")
    rows: list[Manifest] = json.loads(leeward("dataset", "preview", name, *arguments))["rows"]
    return rows


def test_objects_and_lists_of_json_lines_are_masked_by_path(
    clinic: Clinic, leeward: Callable[..., str]
) -> None:
    clinic.put("raw/encounters.jsonl", lines(ENCOUNTERS))
    tags = [{"name": "patient", "tags": ["DirectIdentifier"]}]
    clinic.apply(dataset("encounters", "raw/encounters.jsonl", format="JSONL", columns=tags))
    clinic.reason("dataset", "encounters", "Inspected")
    columns = clinic.get("dataset", "encounters")["status"]["columns"]
    assert {column["name"]: column["type"] for column in columns} == {
        "patient.id": "String",
        "patient.name": "String",
        "visits[].day": "Date",
        "visits[].cost": "Float",
    }
    job = masking_job("encounters", "encounters", RULES)
    job["spec"]["output"]["format"] = "JSONL"
    clinic.apply(job)
    clinic.reason("maskingjob", "encounters", "Published")
    first, second, third = previewed(clinic, leeward, "encounters-out")
    assert first["patient.id"] == third["patient.id"] != second["patient.id"]
    assert first["patient.id"] != "P1"
    assert json.loads(first["visits[].cost"]) == ["3", "4.5"]
    assert len(json.loads(first["visits[].day"])) == 2
    assert "Quackenbush" not in json.dumps(first)


def test_a_leaf_without_a_rule_is_named(clinic: Clinic) -> None:
    rules = [rule for rule in RULES if rule["name"] != "patient"]
    clinic.apply(masking_job("bare", "encounters", rules))
    condition = clinic.reason("maskingjob", "bare", "ColumnWithoutRule", "Admitted")
    assert '"patient.name"' in condition["message"]
    clinic.delete("maskingjob", "bare")


def test_a_folder_of_compressed_files_is_one_table(
    clinic: Clinic, leeward: Callable[..., str]
) -> None:
    clinic.put("parts/one.csv", "id;name\n1;Zoë\n".encode("cp1252"))
    clinic.put("parts/two.csv.gz", gzip.compress("# more\nid;name\n2;Žofie\n".encode("cp1252")))
    options = {"delimiter": ";", "encoding": "Windows-1252", "comment": "#"}
    clinic.apply(dataset("parts", "parts/", csv=options))
    condition = clinic.reason("dataset", "parts", "Inspected")
    assert condition["message"] == "2 rows, 2 columns"
    rules: list[Manifest] = [{"name": "id", "keep": {}}, {"name": "name", "keep": {}}]
    clinic.apply(masking_job("parts", "parts", rules))
    clinic.reason("maskingjob", "parts", "Published")
    rows = previewed(clinic, leeward, "parts-out")
    assert [(row["id"], row["name"]) for row in rows] == [("1", "Zoë"), ("2", "Žofie")]


@pytest.mark.parametrize("form", ["ArrowIPC", "Parquet"])
def test_an_arrow_file_is_masked(clinic: Clinic, leeward: Callable[..., str], form: str) -> None:
    stays = pl.DataFrame(
        {
            "patient": ["Zebulon", "Ottoline", None, "Zebulon"],
            "ward": pl.Series(["A", "B", "A", "B"], dtype=pl.Categorical),
            "born": [date(1950, 2, 3), None, date(1961, 4, 5), date(1950, 2, 3)],
            "cost": [2**53 + 1, -1, None, 7],
        }
    )
    written = io.BytesIO()
    stays.write_ipc(written, compression="zstd")
    name = f"stays-{form.lower()}"
    clinic.put(f"raw/{name}.arrow", written.getvalue())
    clinic.apply(dataset(name, f"raw/{name}.arrow", format="ArrowIPC"))
    clinic.reason("dataset", name, "Inspected")
    columns = clinic.get("dataset", name)["status"]["columns"]
    assert {column["name"]: column["type"] for column in columns} == {
        "patient": "String",
        "ward": "String",
        "born": "Date",
        "cost": "Integer",
    }
    rules: list[Manifest] = [
        {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
        {"name": "born", "generalize": {"dateTo": "Year"}},
        {"name": "rest", "match": {"names": ["ward", "cost"]}, "keep": {}},
    ]
    job = masking_job(name, name, rules)
    job["spec"]["output"]["format"] = form
    clinic.apply(job)
    clinic.reason("maskingjob", name, "Published")
    output = clinic.get("dataset", f"{name}-out")
    assert (output["spec"]["format"], output["status"]["rows"]) == (form, 4)
    rows = previewed(clinic, leeward, f"{name}-out")
    first, second, third, fourth = (row["patient"] for row in rows)
    assert first == fourth != second
    assert third is None
    assert "Zebulon" not in json.dumps(rows)
    assert [row["born"] and row["born"][:4] for row in rows] == ["1950", None, "1961", "1950"]
    assert [(row["ward"], row["cost"]) for row in rows] == [
        ("A", str(2**53 + 1)),
        ("B", "-1"),
        ("A", None),
        ("B", "7"),
    ]


def test_a_bad_line_is_named_by_its_number(clinic: Clinic) -> None:
    clinic.put("raw/bad.jsonl", lines(ENCOUNTERS) + b'{"patient": {"id": "SECRET"\n')
    clinic.apply(dataset("bad", "raw/bad.jsonl", format="JSONL"))
    condition = clinic.reason("dataset", "bad", "MalformedData")
    assert "line 4" in condition["message"]
    assert "SECRET" not in json.dumps(clinic.get("dataset", "bad"))
