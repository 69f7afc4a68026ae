"""Probes and metrics tell the truth."""

import asyncio
import gc
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from fakeapi import virtualtime
from leeward.app.accesses import AccessRecorder
from leeward.app.deliveryfigures import DeliveryFigures
from leeward.app.keyfigures import KeyFigures
from leeward.app.keymetrics import KeyCollector
from leeward.app.metrics import OperatorMetrics, States
from leeward.app.privacyfigures import PrivacyFigures
from leeward.app.probes import Health, LoopLag, WatchAges
from leeward.plans.shared.model import Event, Manifest
from unit.plans.world import NOW


class Content:
    total_bytes = 0


class Response:
    """What a watch was answered with."""

    def __init__(self) -> None:
        self.content = Content()


def health(watches: WatchAges, *, lag: float = 0.0, age: float = 0.0) -> Health:
    return Health(loop_lag=lambda: lag, queue_age=lambda: age, watches=watches)


def opened(watches: WatchAges, *paths: str) -> list[Response]:
    responses = []
    for path in paths:
        response = Response()
        watches.opened(path, cast(Any, response))
        responses.append(response)
    return responses


def test_a_process_is_ready_when_every_watch_has_begun() -> None:
    async def main() -> None:
        watches = WatchAges(["/a", "/b"])
        judged = health(watches)
        first = opened(watches, "/a")
        assert judged.faults() == []
        assert judged.obstacles() == ["/b is still being listed"]
        second = opened(watches, "/b", "/unexpected")
        assert judged.obstacles() == []
        judged.stopping = True
        assert judged.obstacles() == ["the operator is stopping"]
        assert first
        assert second

    virtualtime.run(main())


def test_a_watch_that_hears_bookmarks_only_is_alive_and_one_that_hears_nothing_is_not() -> None:
    async def main() -> None:
        watches = WatchAges(["/quiet", "/dead"])
        quiet, dead = opened(watches, "/quiet", "/dead")
        for _ in range(4):
            await asyncio.sleep(60)
            quiet.content.total_bytes += 100
            watches.sample()
        assert health(watches).faults() == ["the watch of /dead has been silent for 240 s"]
        assert watches.ages()["/quiet"] == pytest.approx(0)
        opened_again = opened(watches, "/dead")
        assert health(watches).faults() == []
        assert dead
        assert opened_again

    virtualtime.run(main())


def test_a_watch_that_never_begins_is_a_fault_in_the_end() -> None:
    async def main() -> None:
        watches = WatchAges(["/a"])
        await asyncio.sleep(181)
        assert health(watches).faults() == ["the watch of /a has been silent for 181 s"]

    virtualtime.run(main())


def test_a_response_that_is_gone_is_no_trouble() -> None:
    async def main() -> None:
        watches = WatchAges(["/a"])
        responses = opened(watches, "/a")
        responses.clear()
        gc.collect()
        await asyncio.sleep(200)
        watches.sample()
        assert len(health(watches).faults()) == 1

    virtualtime.run(main())


def test_a_late_loop_and_a_key_that_waits_for_ever_are_faults() -> None:
    async def main() -> None:
        watches = WatchAges([])
        assert health(watches, lag=4.9, age=299).faults() == []
        assert health(watches, lag=5.4, age=301).faults() == [
            "the event loop is 5.4 s late",
            "the oldest resource has waited 301 s for a worker",
        ]

    virtualtime.run(main())


def test_the_lag_of_the_loop_is_measured_and_forgotten_when_it_has_passed() -> None:
    async def main() -> None:
        hung = 0.0
        lag = LoopLag(clock=lambda: asyncio.get_running_loop().time() + hung)
        ticks = []
        task = asyncio.create_task(lag.run(lambda: ticks.append(lag.seconds)))
        await asyncio.sleep(1.5)
        hung = 7.0
        await asyncio.sleep(1)
        assert lag.seconds == pytest.approx(7)
        await asyncio.sleep(1)
        assert lag.seconds == pytest.approx(0)
        assert len(ticks) == 3
        task.cancel()

    virtualtime.run(main())


class Dropped:
    def record(self, resource: Manifest, event: Event) -> None:
        """Nobody reads it."""


def vault(name: str, rotated_at: str) -> Manifest:
    versions = [{"version": 2, "state": "Primary"}, {"version": 1, "state": "Enabled"}]
    key = {"name": "data", "createdAt": "2026-01-01T00:00:00Z", "rotatedAt": rotated_at}
    return {
        "metadata": {"namespace": "ward", "name": name},
        "status": {"keys": [{**key, "versions": versions}]},
    }


def delivery(name: str) -> Manifest:
    item = {"name": "mesh", "certificate": {"notAfter": "2027-03-01T12:00:00Z"}}
    status = {"consumerCount": 5, "acknowledgedCount": 3, "items": [item, {"name": "data"}]}
    return {"metadata": {"namespace": "clinic", "name": name}, "status": status}


def masking_job(name: str, privacy: Manifest | None) -> Manifest:
    status = {} if privacy is None else {"privacy": privacy}
    return {"metadata": {"namespace": "clinic", "name": name}, "status": status}


def exposed() -> str:
    metrics = OperatorMetrics()
    metrics.reconciled("KeyVault", "ok", 0.02)
    metrics.called("get", "200")
    metrics.provider_asked("transit", "wrap", 0.02)
    metrics.provider_failed("transit", "ProviderSealed")
    metrics.show(
        States(
            leads=lambda: True,
            queue_depth=lambda: 3,
            queue_age=lambda: 1.5,
            running=lambda: 2,
            loop_lag=lambda: 0.25,
            watch_ages=lambda: {"/api/v1/namespaces/a/pods": 4.0, "/api/v1/namespaces/b/pods": 9.0},
            damaged=lambda: 5,
            resources=lambda: {("KeyVault", "Ready", "True"): 7},
        )
    )
    figures = KeyFigures()
    figures.saw(vault("clinic", "2027-03-01T12:00:00Z"))
    figures.saw(vault("gone", "2027-03-01T12:00:00Z"))
    figures.gone(vault("gone", "2027-03-01T12:00:00Z"))
    metrics.registry.register(
        KeyCollector(
            figures=figures,
            artefact_keys=lambda: {"InUse": 4},
            stuck=lambda: 2,
            now=lambda: NOW.timestamp() + 90,
        )
    )
    deliveries = DeliveryFigures()
    for name in ("ward", "gone"):
        deliveries.saw(delivery(name))
    deliveries.gone(delivery("gone"))
    metrics.registry.register(deliveries)
    jobs = PrivacyFigures()
    for name, rate in (("rare", "0.25"), ("common", "0.05"), ("gone", "0.9")):
        jobs.saw(masking_job(name, {"suppressedRows": 7, "linkageRate": rate}))
    jobs.saw(masking_job("other", None))
    for name, recall in (("notes", "0.9"), ("letters", "0.7"), ("unmeasured", None)):
        notes = {"findings": 4, **({"lowestRecall": recall} if recall else {})}
        jobs.saw({"metadata": {"namespace": "a", "name": name}, "status": {"freeText": notes}})
    jobs.gone(masking_job("gone", None))
    metrics.registry.register(jobs)
    accesses = AccessRecorder(Dropped(), metrics.registry)
    for event in (
        Event("Normal", "KeysDelivered", ""),
        Event("Warning", "KeyNotGranted", ""),
        Event("Warning", "SourceMissing", ""),
    ):
        accesses.record({"kind": "MaskingJob"}, event)
    return generate_latest(metrics.registry).decode()


def test_metrics_show_what_was_counted_and_what_is() -> None:
    shown = exposed()
    for line in (
        'leeward_reconcile_seconds_count{kind="KeyVault",outcome="ok"} 1.0',
        'leeward_api_calls_total{code="200",verb="get"} 1.0',
        'leeward_provider_request_seconds_count{operation="wrap",provider="transit"} 1.0',
        'leeward_provider_errors_total{provider="transit",reason="ProviderSealed"} 1.0',
        'leeward_key_consumers{acknowledged="true"} 3.0',
        'leeward_key_consumers{acknowledged="false"} 2.0',
        "leeward_certificates 1.0",
        "leeward_certificate_not_after_timestamp_seconds 1.8039024e+09",
        "leeward_suppressed_rows 14.0",
        "leeward_linkage_rate_max 0.25",
        "leeward_free_text_findings 12.0",
        "leeward_free_text_recall_min 0.7",
        "leeward_leader 1.0",
        "leeward_queue_depth 3.0",
        "leeward_queue_oldest_seconds 1.5",
        "leeward_reconciles_running 2.0",
        "leeward_loop_lag_seconds 0.25",
        "leeward_damaged_key_records 5.0",
        'leeward_watch_age_seconds{resource="pods"} 9.0',
        'leeward_resources{condition="Ready",kind="KeyVault",status="True"} 7.0',
        'leeward_key_age_seconds{key="data",namespace="ward",vault="clinic"} 90.0',
        'leeward_key_versions{state="Primary"} 1.0',
        'leeward_artefact_keys{state="InUse"} 4.0',
        'leeward_key_deliveries_total{kind="MaskingJob"} 1.0',
        'leeward_key_denials_total{kind="MaskingJob",reason="KeyNotGranted"} 1.0',
        "leeward_root_key_rotation_stuck 2.0",
    ):
        assert line in shown.splitlines()
    assert "SourceMissing" not in shown
    assert 'vault="gone"' not in shown


def test_every_metric_is_explained() -> None:
    document = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    names = {
        line.split()[2] for line in exposed().splitlines() if line.startswith("# TYPE leeward_")
    }
    assert len(names) >= 9
    assert not [name for name in names if f"`{name}`" not in document]
