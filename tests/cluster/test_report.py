"""The report on a masking job: sealed beside the output, and shown to who may preview that."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.clinic import Clinic, Manifest, dataset, key_ref, masking_job

pytestmark = pytest.mark.cluster

ROWS = [
    f"P{number},Zebulon{number},{'ABBB'[number % 4]},{20 + number % 50},p{number}@clinic.example"
    for number in range(200)
]
PATIENTS = "\n".join(["patient,name,ward,age,contact", *ROWS]) + "\n"
RULES: list[Manifest] = [
    {"name": "patient", "tokenize": {"key": key_ref("tokens")}},
    {"name": "name", "redact": {}},
    {"name": "age", "generalize": {"bins": ["0", "40", "60"]}},
    {"name": "rest", "match": {"names": ["ward", "contact"]}, "keep": {}},
]


@pytest.fixture(scope="module")
def masked(clinic: Clinic) -> Clinic:
    clinic.put("raw/patients.csv", PATIENTS.encode())
    clinic.apply(dataset("patients", "raw/patients.csv"))
    clinic.reason("dataset", "patients", "Inspected")
    clinic.apply(masking_job("told", "patients", RULES))
    clinic.reason("maskingjob", "told", "Published")
    return clinic


def test_a_masked_dataset_carries_its_report(
    masked: Clinic, leeward: Callable[..., str], tmp_path: Path
) -> None:
    stored = masked.get("dataset", "told-out")["status"]["report"]
    assert stored == masked.get("maskingjob", "told")["status"]["output"]["report"]
    assert f"/data/{stored['path']}" in masked.files()
    page = tmp_path / "report.html"
    arguments = ("-n", masked.namespace, "--purpose", "research")
    shown = leeward("report", "told", *arguments, "-o", "json", "--html", str(page))
    report = json.loads(shown)
    assert report["about"] == {"job": "told", "source": "patients", "output": "told-out"}
    columns = {column["counts"]["name"]: column for column in report["columns"]}
    assert {bar["label"]: bar["rows"] for bar in columns["ward"]["after"]["bars"]} == {
        "A": 50,
        "B": 150,
    }
    assert columns["contact"]["identifying"]["detected"] == "Mail"
    told = page.read_text()
    assert told.startswith("<!doctype html>")
    assert not any(value in shown + told for value in ("Zebulon", "p7@clinic", "P17"))
    assert masked.items("datasetpreviews") == []
    assert "mask or drop it" in leeward("report", "told-out", *arguments)


def test_only_a_masked_dataset_has_one(masked: Clinic) -> None:
    asked = {
        "apiVersion": "leeward.dev/v1alpha1",
        "kind": "DatasetPreview",
        "metadata": {"name": "no-report", "namespace": masked.namespace},
        "spec": {
            "purpose": "research",
            "dataset": {"name": "patients"},
            "content": "Report",
            "recipientKey": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
        },
    }
    masked.apply(asked)
    condition = masked.reason("datasetpreview", "no-report", "NoReport", "Admitted")
    assert "MaskingJob" in condition["message"]
    masked.delete("datasetpreview", "no-report")


@pytest.mark.parametrize("how", [(), ("--reencrypt",)], ids=["rewrapped", "reencrypted"])
def test_the_report_opens_after_the_keys_of_the_data_were_replaced(
    masked: Clinic, leeward: Callable[..., str], how: tuple[str, ...]
) -> None:
    before = masked.get("dataset", "told-out")["status"]
    leeward("dataset", "rewrap", "told-out", "-n", masked.namespace, "--timeout", "4m", *how)
    after = masked.get("dataset", "told-out")["status"]
    assert after["keyId"] != before["keyId"]
    assert (after["report"]["digest"] == before["report"]["digest"]) is not bool(how)
    told = leeward("report", "told-out", "-n", masked.namespace, "--purpose", "research")
    assert "MaskingJob told" in told


def test_what_mask_init_proposes_is_taken_by_the_api_server(
    masked: Clinic, leeward: Callable[..., str], tmp_path: Path
) -> None:
    data, manifest = tmp_path / "intake.csv", tmp_path / "job.yaml"
    data.write_text(PATIENTS)
    leeward("mask", "init", str(data), "-o", str(manifest), "--claim", "clinic-data")
    masked.run("apply", "--dry-run=server", "-f", str(manifest))
    checked = leeward(
        *("mask", "check", "dataset/told-out", "-n", masked.namespace, "--purpose", "research"),
        *("-o", "json"),
    )
    verdicts = {column["name"]: column["verdict"] for column in json.loads(checked)["columns"]}
    assert verdicts["contact"] == "identifying"
    assert verdicts["ward"] is None
