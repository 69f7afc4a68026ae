"""Counts who was given keys and who was denied: by the events that say so.

So the figures and the events cannot differ. Labels are kinds and reasons: no name of anybody.
"""

from prometheus_client import CollectorRegistry, Counter

from leeward.engine.ports import Recorder
from leeward.plans.shared.model import Event, Manifest
from leeward.plans.shared.verdict import NOT_GRANTED
from leeward.plans.shared.workload import KEYS_DELIVERED


class AccessRecorder:
    """Passes events on; counts deliveries and denials among them (``engine.ports.Recorder``)."""

    def __init__(self, recorder: Recorder, registry: CollectorRegistry) -> None:
        self._recorder = recorder
        self._deliveries = Counter(
            "leeward_key_deliveries",
            "Workloads that were given artefact keys.",
            ("kind",),
            registry=registry,
        )
        self._denials = Counter(
            "leeward_key_denials",
            "Workloads that were denied data or a key.",
            ("kind", "reason"),
            registry=registry,
        )

    def record(self, resource: Manifest, event: Event) -> None:
        """Queue one event about the resource."""
        if event.reason == KEYS_DELIVERED:
            self._deliveries.labels(resource["kind"]).inc()
        elif event.reason in NOT_GRANTED and event.type == "Warning":
            self._denials.labels(resource["kind"], event.reason).inc()
        self._recorder.record(resource, event)
