import asyncio
from typing import Any

from fakeapi import virtualtime
from fakeapi.replica import Journal
from fakeapi.store import FakeApi, refusal
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.events import EventRecorder
from leeward.plans.shared.model import Event

RESOURCE = {
    "apiVersion": "leeward.dev/v1alpha1",
    "kind": "Dataset",
    "metadata": {"name": "people", "namespace": "ns", "uid": "u"},
}
LOST = Event("Warning", "KeyLost", "the key is lost")


def recorder(api: FakeApi, plan: FaultPlan | None = None) -> EventRecorder:
    client = KubeClient(DirectTransport(api, plan), TokenBucket(1000, 1000), Journal())
    numbers = iter(range(10_000))
    return EventRecorder(
        client,
        instance="operator-1",
        now=virtualtime.now,
        random=lambda size: next(numbers).to_bytes(size, "big"),
    )


def recorded(*events: tuple[float, Event], plan: FaultPlan | None = None) -> list[dict[str, Any]]:
    """Record events, each after so many seconds, and let them be written."""

    async def main() -> list[dict[str, Any]]:
        api = FakeApi()
        made = recorder(api, plan)
        task = asyncio.create_task(made.run())
        for wait, event in events:
            await asyncio.sleep(wait)
            made.record(RESOURCE, event)
        await asyncio.sleep(60)
        task.cancel()
        return api.find("Event")

    return virtualtime.run(main())


def test_an_event_says_about_what_by_whom_and_why() -> None:
    (event,) = recorded((0, LOST))
    assert event["apiVersion"] == "events.k8s.io/v1"
    assert event["regarding"] == {
        "apiVersion": "leeward.dev/v1alpha1",
        "kind": "Dataset",
        "name": "people",
        "namespace": "ns",
        "uid": "u",
    }
    assert (event["type"], event["reason"], event["note"]) == (
        "Warning",
        "KeyLost",
        "the key is lost",
    )
    assert event["reportingController"] == "leeward.dev/operator"
    assert event["reportingInstance"] == "operator-1"
    assert event["metadata"]["namespace"] == "ns"


def test_the_same_event_again_is_counted_in_a_series() -> None:
    (event,) = recorded((0, LOST), (30, LOST), (30, LOST))
    assert event["series"]["count"] == 3


def test_after_ten_minutes_it_is_a_new_event() -> None:
    assert len(recorded((0, LOST), (601, LOST))) == 2


def test_another_message_is_another_event() -> None:
    assert len(recorded((0, LOST), (1, Event("Warning", "KeyLost", "another key is lost")))) == 2


def test_a_long_message_is_cut_to_what_the_api_server_takes() -> None:
    (event,) = recorded((0, Event("Normal", "Long", "ä" * 2000)))
    assert len(event["note"].encode()) <= 1024


def test_an_event_that_cannot_be_written_does_not_stop_the_next() -> None:
    faults = FaultPlan({0: Fault.BROKEN})
    assert len(recorded((0, LOST), (1, Event("Normal", "Fine", "all is well")), plan=faults)) == 1


def test_events_are_written_slowly_and_too_many_are_dropped() -> None:
    async def main() -> tuple[int, int]:
        api = FakeApi()
        made = recorder(api)
        task = asyncio.create_task(made.run())
        for number in range(3000):
            made.record(RESOURCE, Event("Normal", "Many", f"event {number}"))
        await asyncio.sleep(10)
        first = len(api.find("Event"))
        await asyncio.sleep(600)
        task.cancel()
        return first, len(api.find("Event"))

    first, all_of_them = virtualtime.run(main())
    assert 80 <= first <= 110
    assert all_of_them == 1000


def test_an_event_that_has_expired_is_made_anew() -> None:
    async def main() -> int:
        api = FakeApi()
        made = recorder(api)
        made.record(RESOURCE, LOST)
        await made.flush()
        for event in api.find("Event"):
            api.remove("Event", "ns", event["metadata"]["name"])
        made.record(RESOURCE, LOST)
        await made.flush()
        return len(api.find("Event"))

    assert virtualtime.run(main()) == 1


def test_a_namespace_that_goes_is_no_trouble() -> None:
    async def main() -> None:
        api = FakeApi()
        api.refusals.append(lambda *_: refusal(403, "Forbidden", "it is being terminated"))
        made = recorder(api)
        task = asyncio.create_task(made.run())
        made.record(RESOURCE, LOST)
        await asyncio.sleep(5)
        assert not task.done()
        task.cancel()

    virtualtime.run(main())
