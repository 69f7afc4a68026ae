"""Fixed keys, fixed data: what a job makes of them must never change, or joins break."""

import json
import os
from pathlib import Path

import pytest

from leeward_masking.tasks.preview import first_rows, preview_frame
from leeward_masking.values.canonical import canonical_text
from unit.masking.support import keep, rule

FOLDER = Path(__file__).parent
RULES = [
    rule("patient_id", "tokenize", key="AES256_SIV"),
    rule("name", "replace", {"value": "(removed)"}),
    rule("mail", "encrypt", key="AES256_SIV"),
    rule("phone", "partialMask", {"keepLast": 4, "symbol": "#"}),
    rule("insurance_number", "hash", {"length": 32}, key="HMAC_SHA256"),
    rule("born", "generalize", {"dateTo": "Decade"}),
    rule("admitted", "dateShift", {"maxDays": 30}, key="AES256_SIV", subject="patient_id"),
    rule("income", "generalize", {"bins": ["0", "20000", "50000.5"]}),
    rule("postcode", "generalize", {"prefix": 3}),
    keep("ward"),
    rule(
        "policy",
        "formatPreserving",
        {"alphabet": "Digits", "keepFirst": 2, "unsuitable": "Redact"},
        key="FF1_AES256",
    ),
    rule(
        "card", "formatPreserving", {"alphabet": "Digits", "checkDigit": "Luhn"}, key="FF1_AES256"
    ),
]


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_golden_output(tmp_path: Path, form: str) -> None:
    source = FOLDER / "people.csv"
    frame = first_rows(source, "CSV", 10)
    if form == "Parquet":
        source = tmp_path / "people.parquet"
        frame.write_parquet(source)
        frame = first_rows(source, "Parquet", 10)
    masked = preview_frame(frame, RULES, lambda role: bytes(range(64))).frame
    found = {column.name: canonical_text(column).to_list() for column in masked.iter_columns()}
    golden = FOLDER / "people.masked.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    assert found == json.loads(golden.read_text())
