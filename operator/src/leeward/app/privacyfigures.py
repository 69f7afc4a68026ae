"""What became of privacy models and free text, for Prometheus, as the watch of MaskingJobs shows.

No label names anybody.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeward.plans.shared.model import Manifest


class PrivacyFigures(Collector):
    """Remembers what MaskingJobs with a privacy model, or with notes, measured."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, float]] = {}
        self._notes: dict[tuple[str, str], tuple[int, float | None]] = {}

    def saw(self, job: Manifest) -> None:
        """A MaskingJob was listed, made or changed."""
        self.gone(job)
        status = job.get("status") or {}
        if (privacy := status.get("privacy")) is not None:
            found = privacy["suppressedRows"], float(privacy["linkageRate"])
            self._found[_place(job)] = found
        if (notes := status.get("freeText")) is not None:
            recall = notes.get("lowestRecall")
            self._notes[_place(job)] = notes["findings"], None if recall is None else float(recall)

    def gone(self, job: Manifest) -> None:
        """A MaskingJob was deleted."""
        self._found.pop(_place(job), None)
        self._notes.pop(_place(job), None)

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        known = list(self._found.values())
        yield GaugeMetricFamily(
            "leeward_suppressed_rows",
            "Rows that MaskingJobs left out for their privacy models.",
            value=sum(rows for rows, _ in known),
        )
        highest = GaugeMetricFamily(
            "leeward_linkage_rate_max",
            "Highest share of people whom a linkage attack finds in the output of a MaskingJob.",
        )
        if known:
            highest.add_metric((), max(rate for _, rate in known))
        yield highest
        notes = list(self._notes.values())
        yield GaugeMetricFamily(
            "leeward_free_text_findings",
            "Values that MaskingJobs replaced in free text.",
            value=sum(findings for findings, _ in notes),
        )
        lowest = GaugeMetricFamily(
            "leeward_free_text_recall_min",
            "Lowest share of any kind of value that a MaskingJob finds in labelled notes.",
        )
        if recall := [figure for _, figure in notes if figure is not None]:
            lowest.add_metric((), min(recall))
        yield lowest


def _place(job: Manifest) -> tuple[str, str]:
    return job["metadata"]["namespace"], job["metadata"]["name"]
