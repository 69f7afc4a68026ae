"""Metrics of the pod, prefix ``leeward_masking_``; labels hold no names of columns or data."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from leeward_masking.progress import Progress

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _ProgressCollector(Collector):
    def __init__(self, progress: Progress, task: str) -> None:
        self._progress = progress
        self._task = task

    def collect(self) -> Iterator[Metric]:
        """One sample per number of /progress."""
        report = self._progress.report()
        for name, amount, text in (
            ("done", report.done, "Work done in the present phase, in its unit."),
            ("total", report.total, "Work of the present phase, in its unit."),
        ):
            family = GaugeMetricFamily(
                f"leeward_masking_progress_{name}", text, labels=["task", "unit"]
            )
            family.add_metric([self._task, report.unit], amount)
            yield family


def exposition(progress: Progress, task: str) -> Callable[[], bytes]:
    """What GET /metrics answers."""
    registry = CollectorRegistry()
    registry.register(_ProgressCollector(progress, task))
    ProcessCollector(namespace="leeward_masking", registry=registry)
    return lambda: generate_latest(registry)
