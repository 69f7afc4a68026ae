"""Figures of the operator for Prometheus. docs/metrics.md explains each.

What is counted is counted when it happens; what is a state is read when it is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from leeward.keystore.providers.metered import ProviderOperation
from leeward.keystore.providers.port import ProviderKind, ProviderReason

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class States:
    """Where the states are read.

    Attributes:
        leads: Whether this process leads.
        queue_depth: Keys that wait for a worker.
        queue_age: Seconds that the oldest of them has waited.
        running: Keys being worked on.
        loop_lag: Seconds by which the event loop was last late.
        watch_ages: Watched path -> seconds since it was last heard.
        damaged: Records of keys that the last sweep could make nothing of.
        resources: (kind, condition, status) -> how many.
    """

    leads: Callable[[], bool]
    queue_depth: Callable[[], int]
    queue_age: Callable[[], float]
    running: Callable[[], int]
    loop_lag: Callable[[], float]
    watch_ages: Callable[[], Mapping[str, float]]
    damaged: Callable[[], int]
    resources: Callable[[], Mapping[tuple[str, str, str], int]]


class OperatorMetrics:
    """Counts what is done.

    It is ``engine.ports.Meter``, ``kube.client.CallMeter`` and
    ``keystore.providers.metered.ProviderMeter``.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._reconciles = Histogram(
            "leeward_reconcile_seconds",
            "Duration of reconciles.",
            ("kind", "outcome"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter(
            "leeward_api_calls",
            "Calls to the Kubernetes API by verb and HTTP status.",
            ("verb", "code"),
            registry=self.registry,
        )

        self._provider_requests = Histogram(
            "leeward_provider_request_seconds",
            "How long the wrapping and unwrapping of vault keys took.",
            ("provider", "operation"),
            buckets=(0.0001, 0.001, *_BUCKETS),
            registry=self.registry,
        )
        self._provider_errors = Counter(
            "leeward_provider_errors",
            "Wrapping and unwrapping of vault keys that did not succeed.",
            ("provider", "reason"),
            registry=self.registry,
        )

    def reconciled(self, kind: str, outcome: str, seconds: float) -> None:
        """One reconcile ended."""
        self._reconciles.labels(kind, outcome).observe(seconds)

    def called(self, verb: str, code: str) -> None:
        """One call to the API server ended."""
        self._calls.labels(verb, code).inc()

    def provider_asked(
        self, provider: ProviderKind, operation: ProviderOperation, seconds: float
    ) -> None:
        """One operation of a provider ended, well or not."""
        self._provider_requests.labels(provider, operation).observe(seconds)

    def provider_failed(
        self, provider: ProviderKind, reason: ProviderReason | Literal["DoesNotOpen"]
    ) -> None:
        """One operation of a provider failed."""
        self._provider_errors.labels(provider, reason).inc()

    def show(self, states: States) -> None:
        """Serve these states, too."""
        self.registry.register(_StateCollector(states))


class _StateCollector(Collector):
    def __init__(self, states: States) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """The states as they are now."""
        states = self._states
        simple = (
            ("leeward_leader", "1 in the process that leads, else 0.", float(states.leads())),
            ("leeward_queue_depth", "Resources that wait for a worker.", states.queue_depth()),
            (
                "leeward_queue_oldest_seconds",
                "For how long the oldest of them has waited.",
                states.queue_age(),
            ),
            ("leeward_reconciles_running", "Reconciles that are running.", states.running()),
            (
                "leeward_loop_lag_seconds",
                "By how much the event loop was last late.",
                states.loop_lag(),
            ),
            (
                "leeward_damaged_key_records",
                "Records of unpublished artefact keys that the last sweep could not use.",
                states.damaged(),
            ),
        )
        for name, text, value in simple:
            yield GaugeMetricFamily(name, text, value=value)
        watches = GaugeMetricFamily(
            "leeward_watch_age_seconds",
            "Time since the watch was last heard; of several, the longest.",
            labels=("resource",),
        )
        ages: dict[str, float] = {}
        for path, age in states.watch_ages().items():
            plural = path.rsplit("/", 1)[-1]
            ages[plural] = max(age, ages.get(plural, 0.0))
        for plural, age in sorted(ages.items()):
            watches.add_metric((plural,), age)
        yield watches
        resources = GaugeMetricFamily(
            "leeward_resources",
            "Resources by kind and condition.",
            labels=("kind", "condition", "status"),
        )
        for labels, count in sorted(states.resources().items()):
            resources.add_metric(labels, count)
        yield resources
