"""What pods answer, which may be anybody's: keys that they loaded, progress, results."""

from __future__ import annotations

import contextlib
import json

from fuzz.harness import Harness
from fuzz.mutating import change_json, seeded
from leeward.formats.document import UnreadableDocumentError, canonical_json, read_json
from leeward.formats.keysreport import KeysReport
from leeward.formats.result import parse_result
from leeward.plans.shared.progress import parse_progress, progress_status


def read_answer(data: bytes) -> None:
    """The body of an answer, as each of the three, and what comes of it in a status."""
    with contextlib.suppress(ValueError):
        canonical_json(parse_result(data).model_dump(mode="json"))
    document = read_json(data)
    if isinstance(document, dict):
        with contextlib.suppress(ValueError):
            KeysReport.model_validate(document).loaded()
        report = parse_progress(document)
        if report is not None:
            assert len(canonical_json(progress_status(report))) < 300


def answers() -> list[bytes]:
    file = {"path": "a.csv", "digest": f"sha256:{'1' * 64}", "bytes": 10, "rows": 3}
    documents = [
        {"formatVersion": 1, "keys": [{"id": "11" * 16, "role": "source", "version": 1}]},
        {"done": 3, "total": 10, "unit": "rows", "etaSeconds": 7},
        {"formatVersion": 1, "outcome": "Succeeded", "source": file},
        {"formatVersion": 1, "outcome": "Detached", "digest": f"sha256:{'2' * 64}", "size": 9},
    ]
    return [json.dumps(document).encode() for document in documents]


HARNESSES = (
    Harness("pod-answer", read_answer, (UnreadableDocumentError,), answers, seeded(change_json)),
)
