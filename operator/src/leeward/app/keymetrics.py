"""Figures of keys for Prometheus. docs/metrics.md explains each."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeward.app.keyfigures import KeyFigures


class KeyCollector(Collector):
    """Reads the states of keys when it is asked for them."""

    def __init__(
        self,
        *,
        figures: KeyFigures,
        artefact_keys: Callable[[], Mapping[str, int]],
        stuck: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        """Make a collector.

        Args:
            figures: What the watch of KeyVaults shows.
            artefact_keys: State -> how many.
            stuck: Keysets that hold up a rotation of the root key.
            now: Seconds since 1970.
        """
        self._figures = figures
        self._artefact_keys = artefact_keys
        self._stuck = stuck
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """The states as they are now."""
        now = self._now()
        ages = GaugeMetricFamily(
            "leeward_key_age_seconds",
            "Age of the primary version of a vault key.",
            labels=("namespace", "vault", "key"),
        )
        for labels, made_at in self._figures.made_at():
            ages.add_metric(labels, max(0.0, now - made_at))
        yield ages
        versions = GaugeMetricFamily(
            "leeward_key_versions", "Versions of vault keys by state.", labels=("state",)
        )
        for state, count in sorted(self._figures.versions().items()):
            versions.add_metric((state,), count)
        yield versions
        artefacts = GaugeMetricFamily(
            "leeward_artefact_keys", "Artefact keys by state.", labels=("state",)
        )
        for state, count in sorted(self._artefact_keys().items()):
            artefacts.add_metric((state,), count)
        yield artefacts
        yield GaugeMetricFamily(
            "leeward_root_key_rotation_stuck",
            "Keysets that hold up a rotation of the root key.",
            value=self._stuck(),
        )
