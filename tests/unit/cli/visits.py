"""Visits to a clinic on this machine, and manifests for them."""

import json
from pathlib import Path
from typing import Any

import yaml

from unit.cli.fake_cluster import leeward

KEY = {"vault": {"name": "clinic"}, "key": "tokens"}
VAULT = {
    "kind": "KeyVault",
    "metadata": {"name": "clinic"},
    "spec": {"keys": [{"name": "tokens", "algorithm": "AES256_SIV"}]},
}
DATASET: dict[str, Any] = {
    "kind": "Dataset",
    "metadata": {"name": "visits"},
    "spec": {
        "location": {"volume": {"claimName": "data", "path": "visits.csv"}},
        "format": "CSV",
        "csv": {"delimiter": ";"},
        "subjectColumn": "patient",
    },
}


def job(rules: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    output = {
        "dataset": "masked",
        "location": DATASET["spec"]["location"],
        "sealedWith": KEY,
    }
    spec = {"purpose": "p", "source": {"name": "visits"}, "columns": rules, "output": output}
    return {"kind": "MaskingJob", "metadata": {"name": "m"}, "spec": spec | changes}


def visits(folder: Path) -> Path:
    """The file that DATASET is about."""
    path = folder / "visits.csv"
    rows = ["P1;Ada Lovelace;2027-01-05;61.5;x", "P2;Grace;2027-01-06;70;y", "P1;Ada;2027-02-05;;z"]
    path.write_text("\n".join(["patient;name;visited;weight;note", *rows, ""]))
    return path


def manifest(folder: Path, *documents: dict[str, Any]) -> str:
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def pairs(data: Path, *documents: dict[str, Any]) -> list[dict[str, dict[str, Any]]]:
    path = manifest(data.parent, *documents)
    result = leeward("mask", "preview", "-f", path, str(data), "-o", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, dict[str, Any]]] = json.loads(result.stdout)
    return found
