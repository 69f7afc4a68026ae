"""Long-lived consumers and their certificates for Prometheus, as the watch of KeyDeliveries shows.

No label names anybody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeward.plans.shared.conditions import parse_timestamp
from leeward.plans.shared.model import Manifest


@dataclass(frozen=True, slots=True)
class _Delivery:
    consumers: int
    acknowledged: int
    ends: tuple[float, ...]


class DeliveryFigures(Collector):
    """Remembers of every KeyDelivery its pods, and when its certificates end."""

    def __init__(self) -> None:
        self._deliveries: dict[tuple[str, str], _Delivery] = {}

    def saw(self, delivery: Manifest) -> None:
        """A KeyDelivery was listed, made or changed."""
        status = delivery.get("status") or {}
        certificates = (item.get("certificate") for item in status.get("items") or ())
        self._deliveries[_place(delivery)] = _Delivery(
            consumers=status.get("consumerCount") or 0,
            acknowledged=status.get("acknowledgedCount") or 0,
            ends=tuple(parse_timestamp(c["notAfter"]).timestamp() for c in certificates if c),
        )

    def gone(self, delivery: Manifest) -> None:
        """A KeyDelivery was deleted."""
        self._deliveries.pop(_place(delivery), None)

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        known = self._deliveries.values()
        loaded = sum(delivery.acknowledged for delivery in known)
        consumers = GaugeMetricFamily(
            "leeward_key_consumers",
            "Pods of KeyDeliveries, by whether they have loaded every key.",
            labels=("acknowledged",),
        )
        consumers.add_metric(("true",), loaded)
        consumers.add_metric(("false",), sum(d.consumers for d in known) - loaded)
        yield consumers
        ends = [end for delivery in known for end in delivery.ends]
        yield GaugeMetricFamily("leeward_certificates", "Certificates of pods.", value=len(ends))
        earliest = GaugeMetricFamily(
            "leeward_certificate_not_after_timestamp_seconds",
            "When the first of them ends, in seconds since 1970.",
        )
        if ends:
            earliest.add_metric((), min(ends))
        yield earliest


def _place(delivery: Manifest) -> tuple[str, str]:
    return delivery["metadata"]["namespace"], delivery["metadata"]["name"]
