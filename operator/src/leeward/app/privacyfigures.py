"""What became of privacy models, for Prometheus, as the watch of MaskingJobs shows.

No label names anybody.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeward.plans.shared.model import Manifest


class PrivacyFigures(Collector):
    """Remembers of every MaskingJob with a privacy model what it measured."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[int, float]] = {}

    def saw(self, job: Manifest) -> None:
        """A MaskingJob was listed, made or changed."""
        privacy = (job.get("status") or {}).get("privacy")
        if privacy is None:
            self.gone(job)
        else:
            found = privacy["suppressedRows"], float(privacy["linkageRate"])
            self._found[_place(job)] = found

    def gone(self, job: Manifest) -> None:
        """A MaskingJob was deleted."""
        self._found.pop(_place(job), None)

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


def _place(job: Manifest) -> tuple[str, str]:
    return job["metadata"]["namespace"], job["metadata"]["name"]
