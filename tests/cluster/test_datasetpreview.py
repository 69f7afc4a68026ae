"""DatasetPreview: rows go sealed to whoever asked, and only for a purpose that was granted."""

import json
from collections.abc import Callable

import pytest

from cluster.clinic import Clinic, dataset, resource

pytestmark = pytest.mark.cluster

# An X25519 public key whose private half nobody has.
SOMEBODYS_KEY = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="


@pytest.fixture(scope="module")
def visits(clinic: Clinic) -> Clinic:
    clinic.put("raw/visits.csv", b"id,name\n1,Zebulon Quackenbush\n2,Ada\n")
    clinic.apply(dataset("visits", "raw/visits.csv"))
    clinic.reason("dataset", "visits", "Inspected")
    return clinic


def preview(name: str, purpose: str, rows: int = 2) -> dict[str, object]:
    return resource(
        "DatasetPreview",
        name,
        {
            "purpose": purpose,
            "dataset": {"name": "visits"},
            "rows": rows,
            "recipientKey": SOMEBODYS_KEY,
        },
    )


def test_rows_reach_only_the_one_who_asked(visits: Clinic, leeward: Callable[..., str]) -> None:
    shown = json.loads(
        leeward(
            *("dataset", "preview", "visits", "-n", visits.namespace),
            *("--purpose", "research", "--rows", "1", "-o", "json"),
        )
    )
    assert shown["rows"] == [{"id": "1", "name": "Zebulon Quackenbush"}]
    assert visits.items("datasetpreviews") == []


def test_what_the_pod_serves_is_sealed(visits: Clinic) -> None:
    visits.apply(preview("sealed", "research"))
    visits.reason("datasetpreview", "sealed", "Serving")
    pod = visits.get("datasetpreview", "sealed")["status"]["pod"]
    fetch = (
        "import urllib.request,base64;"
        "print(base64.b64encode(urllib.request.urlopen('http://127.0.0.1:8080/result').read()).decode())"
    )
    served = visits.run("exec", pod, "--", "python", "-c", fetch)
    assert served.startswith("TFdFMVNMT1")  # LWE1SLOT
    assert "Zebulon" not in visits.run("logs", pod)
    visits.delete("datasetpreview", "sealed")


def test_another_purpose_is_refused(visits: Clinic) -> None:
    visits.apply(preview("curious", "curiosity"))
    condition = visits.reason("datasetpreview", "curious", "NotGranted", "Admitted")
    assert "curiosity" in condition["message"]
    assert visits.items("pods", "leeward.dev/name=curious") == []
    visits.delete("datasetpreview", "curious")
