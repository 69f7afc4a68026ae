import asyncio

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Journal
from fakeapi.store import FakeApi
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.lease import LeaderLease, LeaseLostError, LeaseTimes

TIMES = LeaseTimes(duration=15, renew_deadline=10, retry=2)


def candidate(api: FakeApi, name: str, plan: FaultPlan | None = None) -> LeaderLease:
    client = KubeClient(DirectTransport(api, plan), TokenBucket(1000, 1000), Journal())
    return LeaderLease(
        client,
        namespace="system",
        name="leeward-operator",
        identity=name,
        times=TIMES,
        now=virtualtime.now,
    )


def clock() -> float:
    return asyncio.get_running_loop().time()


def test_the_first_one_leads_and_the_second_waits() -> None:
    async def main() -> None:
        api = FakeApi()
        first, second = candidate(api, "a"), candidate(api, "b")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(600)
        assert first.holds
        assert not waiting.done()
        (lease,) = api.find("Lease")
        assert lease["spec"]["holderIdentity"] == "a"
        for task in (holding, waiting):
            task.cancel()

    virtualtime.run(main())


def test_a_dead_leader_is_followed_after_the_duration_and_no_earlier() -> None:
    async def main() -> float:
        api = FakeApi()
        first, second = candidate(api, "a"), candidate(api, "b")
        await first.acquire()
        start = clock()
        await second.acquire()
        (lease,) = api.find("Lease")
        assert lease["spec"]["leaseTransitions"] == 1
        return clock() - start

    taken = virtualtime.run(main())
    assert TIMES.duration < taken < TIMES.duration + 2 * TIMES.retry


def test_a_leader_that_stops_is_followed_at_once() -> None:
    async def main() -> float:
        api = FakeApi()
        first, second = candidate(api, "a"), candidate(api, "b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(5)
        start = clock()
        await first.release()
        await waiting
        assert not first.holds
        return clock() - start

    assert virtualtime.run(main()) <= TIMES.retry + 0.1


def test_a_leader_that_cannot_renew_gives_up_before_another_may_take_over() -> None:
    async def main() -> float:
        api = FakeApi()
        plan = FaultPlan()
        first = candidate(api, "a", plan)
        await first.acquire()
        start = clock()
        plan.faults = {index: Fault.BROKEN for index in range(2, 1000)}
        with pytest.raises(LeaseLostError, match="in time"):
            await first.hold()
        assert not first.holds
        return clock() - start

    assert virtualtime.run(main()) < TIMES.duration


def test_a_short_failure_is_no_reason_to_give_up() -> None:
    async def main() -> None:
        api = FakeApi()
        plan = FaultPlan({3: Fault.BROKEN, 4: Fault.TOO_MANY, 5: Fault.UNANSWERED})
        first = candidate(api, "a", plan)
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        await asyncio.sleep(60)
        assert not holding.done()
        holding.cancel()

    virtualtime.run(main())


def test_a_leader_that_finds_another_one_stops() -> None:
    async def main() -> None:
        api = FakeApi()
        first = candidate(api, "a")
        await first.acquire()
        (lease,) = api.find("Lease")
        stolen = clone(lease)
        stolen["spec"]["holderIdentity"] = "b"
        api.edit(stolen)
        with pytest.raises(LeaseLostError, match="another"):
            await first.hold()

    virtualtime.run(main())


def test_a_lease_that_somebody_edits_is_renewed_all_the_same() -> None:
    async def main() -> None:
        api = FakeApi()
        first = candidate(api, "a")
        await first.acquire()
        holding = asyncio.create_task(first.hold())
        for _ in range(5):
            await asyncio.sleep(3)
            (lease,) = api.find("Lease")
            lease["metadata"]["labels"] = {"seen": str(clock())}
            api.edit(lease)
        assert not holding.done()
        holding.cancel()

    virtualtime.run(main())


def test_a_lost_answer_to_taking_the_lease_costs_no_wait() -> None:
    async def main() -> float:
        api = FakeApi()
        first = candidate(api, "a", FaultPlan({1: Fault.UNANSWERED}))
        start = clock()
        await first.acquire()
        return clock() - start

    assert virtualtime.run(main()) < 2 * TIMES.retry


def test_two_candidates_that_start_together_do_not_both_lead() -> None:
    async def main() -> None:
        api = FakeApi()
        candidates = [candidate(api, name) for name in "abc"]
        waiting = [asyncio.create_task(one.acquire()) for one in candidates]
        await asyncio.sleep(5)
        assert [one.holds for one in candidates].count(True) == 1
        for task in waiting:
            task.cancel()

    virtualtime.run(main())


@pytest.mark.parametrize("times", [(15, 15, 2), (15, 10, 10), (15, 10, 0), (5, 10, 2)])
def test_times_that_would_let_two_lead_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="renew deadline"):
        LeaseTimes(*times)
