"""leeward report."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.api.dataset import DATASET
from leeward.api.datasetpreview import DatasetPreviewSpec
from leeward.api.maskingjob import MASKINGJOB
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.options import RowsFormat
from leeward.cli.port import Manifest
from leeward.cli.reporting import ReportRequest, show_report
from leeward.cli.session import Session
from leeward.formats.report import (
    ColumnDetail,
    Combination,
    Identifying,
    LargeReport,
    Outliers,
    ReportSection,
    ReportSubject,
    ReportTable,
    Utility,
)
from leeward.formats.result import ColumnReport
from leeward.formats.sealed import HpkePublicKey, seal_stream
from unit.cli.fake_cluster import FakeClock, FakeCluster, condition, leeward, resource

PAGE = "<!doctype html><title>the page</title>"
REPORT = LargeReport(
    about=ReportSubject(job="nightly", source="visits", output="visits-masked"),
    rows_before=100,
    rows_after=98,
    sampled=98,
    columns=[
        ColumnDetail(
            counts=ColumnReport(
                name="mail\x1b[31m",
                transform="keep",
                rule="rest",
                type_before="String",
                changed=0,
                nulls_before=0,
                nulls_after=0,
                distinct_before=100,
                distinct_after=98,
            ),
            outliers=Outliers(rows=2, share="0.020", remedy="topBottomCode with top"),
            utility=Utility(loss="0.250", entropy_before="6.00", entropy_after="4.50"),
            identifying=Identifying(unique="1.000", detected="Mail", detected_share="0.970"),
        )
    ],
    combinations=[Combination(columns=["age", "ward"], smallest=1, unique="0.310")],
    sections=[
        ReportSection(
            name="Privacy",
            title="Privacy model",
            notes=["k = 5"],
            tables=[
                ReportTable(caption="Risks", header=["risk", "after"], rows=[["journalist", "0.2"]])
            ],
        )
    ],
)


def serving(cluster: FakeCluster, **changes: object) -> Callable[[Manifest], list[Manifest]]:
    """What an operator and a pod do with a DatasetPreview of a report."""

    def create(manifest: Manifest) -> list[Manifest]:
        spec = DatasetPreviewSpec.model_validate(manifest["spec"])
        assert (spec.content, spec.dataset.name) == ("Report", "visits-masked")
        document = {
            "report": json.loads(REPORT.canonical()),
            "html": PAGE,
            "receipt": "r",
            **changes,
        }
        key = HpkePublicKey(X25519PublicKey.from_public_bytes(base64.b64decode(spec.recipient_key)))
        sealed = io.BytesIO()
        seal_stream(io.BytesIO(json.dumps(document).encode()), sealed, [key])
        cluster.pod_answers["GET", "/result"] = [sealed.getvalue()]
        cluster.pod_answers["DELETE", "/result"] = [b""]
        name = manifest["metadata"]["name"]
        ready = condition("Ready", "True", "Serving")
        return [manifest, resource("DatasetPreview", name, ready, pod="dp-x")]

    return create


def clinic(**changes: object) -> FakeCluster:
    cluster = FakeCluster()
    cluster.put(resource_of(DATASET), resource("Dataset", "visits-masked"))
    job = resource("MaskingJob", "nightly", spec={"output": {"dataset": "visits-masked"}})
    cluster.put(resource_of(MASKINGJOB), job)
    cluster.on_create = serving(cluster, **changes)
    return cluster


@pytest.mark.parametrize(
    "name", ["visits-masked", "nightly", "mj/nightly", "dataset/visits-masked"]
)
def test_it_tells_what_was_done_and_what_stands_out(name: str) -> None:
    cluster = clinic()
    result = leeward("report", name, "--purpose", "research", cluster=cluster)
    assert result.exit_code == 0, result.stderr
    for words in (
        "98 rows from visits by MaskingJob nightly, 2 rows left out",
        "0.250",
        "97% of its values still look like Mail: mask or drop it",
        "2 rows far from all others: topBottomCode",
        "together: age, ward: smallest class 1 row, alone 0.310",
        "k = 5",
        "journalist",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout
    assert "datasetpreviews" not in str(cluster.states)


def test_the_page_is_written_once(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    args = ("report", "nightly", "--purpose", "research", "--html", str(page), "-o", "json")
    result = leeward(*args, cluster=clinic())
    assert json.loads(result.stdout)["rowsAfter"] == 98
    assert page.read_text() == PAGE
    assert page.stat().st_mode & 0o077 == 0
    cluster = clinic()
    again = leeward(*args, cluster=cluster)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert cluster.names("create") == []
    assert leeward(*args, "--force", cluster=clinic()).exit_code == 0


def test_a_browser_shows_it(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    shown: list[str] = []

    def browse(address: str) -> bool:
        shown.append(address)
        return not shown[1:]

    cluster = clinic()
    request = ReportRequest("clinic", "nightly", "research", 60.0, page=page, show=True)
    show_report(Session(clock=FakeClock()), cluster, request, RowsFormat.JSON, browse)
    assert shown == [page.as_uri()]
    cluster = clinic()
    request = ReportRequest("clinic", "nightly", "research", 60.0, page=page, show=True, force=True)
    with pytest.raises(CliError, match="no browser"):
        show_report(Session(clock=FakeClock()), cluster, request, RowsFormat.JSON, browse)


@pytest.mark.parametrize(
    ("name", "words"),
    [("nobody", "no Dataset and no MaskingJob nobody"), ("kv/clinic", "a KeyVault has no report")],
)
def test_what_has_no_report_is_named(name: str, words: str) -> None:
    result = leeward("report", name, "--purpose", "research", cluster=clinic())
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_report_of_a_later_release_is_told() -> None:
    later = json.loads(REPORT.canonical()) | {"formatVersion": 2}
    result = leeward("report", "nightly", "--purpose", "r", cluster=clinic(report=later))
    assert result.exit_code == 1
    assert "use the leeward of the release that made it" in result.stderr


def test_a_masked_dataset_is_checked_by_its_report() -> None:
    args = ("mask", "check", "mj/nightly", "--purpose", "research", "-o", "json", "--exit-code")
    result = leeward(*args, cluster=clinic())
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["columns"][0]["verdict"] == "identifying"
    assert found["columns"][0]["reason"] == "97% of its values look like Mail"
    assert found["combinations"][0]["columns"] == ["age", "ward"]
