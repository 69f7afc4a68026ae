"""What pods say at /progress, as far as it makes sense."""

from pydantic import ValidationError

from leeward.formats.progress import ProgressReport
from leeward.plans.shared.model import Manifest


def parse_progress(document: Manifest | None) -> ProgressReport | None:
    """The report of a pod; None: it gave none, or one that makes no sense."""
    try:
        return None if document is None else ProgressReport.model_validate(document)
    except ValidationError:
        return None


def progress_status(report: ProgressReport) -> Manifest:
    """status.progress for what a pod reported."""
    shown: Manifest = {"done": report.done, "unit": report.unit, "percent": "?"}
    if report.total > 0:
        shown["total"] = report.total
        # 100 % is said when the result is published, not when the last row was read.
        shown["percent"] = f"{min(99, 100 * report.done // report.total)}%"
    if report.eta_seconds is not None:
        shown["etaSeconds"] = report.eta_seconds
    return shown
