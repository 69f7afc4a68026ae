import asyncio
import math
from collections.abc import Callable, Mapping

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Journal
from fakeapi.store import FakeApi, Manifest
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.lease import LeaderLease, LeaseLostError, LeaseTimes

TIMES = LeaseTimes(duration=15, renew_deadline=10, retry=2)


def candidate(
    api: FakeApi,
    name: str,
    plan: FaultPlan | None = None,
    *,
    transport: DirectTransport | None = None,
    times: LeaseTimes = TIMES,
    elapsed: Callable[[], float] = virtualtime.elapsed,
) -> LeaderLease:
    transport = transport or DirectTransport(api, plan)
    client = KubeClient(transport, TokenBucket(1000, 1000), Journal())
    return LeaderLease(
        client,
        namespace="system",
        name="leeward-operator",
        identity=name,
        times=times,
        now=virtualtime.now,
        elapsed=elapsed,
    )


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
        start = virtualtime.elapsed()
        await second.acquire()
        (lease,) = api.find("Lease")
        assert lease["spec"]["leaseTransitions"] == 1
        return virtualtime.elapsed() - start

    taken = virtualtime.run(main())
    assert TIMES.duration < taken < TIMES.duration + 2 * TIMES.retry


def test_a_leader_that_stops_is_followed_at_once() -> None:
    async def main() -> float:
        api = FakeApi()
        first, second = candidate(api, "a"), candidate(api, "b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(5)
        start = virtualtime.elapsed()
        await first.release()
        await waiting
        assert not first.holds
        return virtualtime.elapsed() - start

    assert virtualtime.run(main()) <= TIMES.retry + 0.1


def test_a_leader_that_cannot_renew_gives_up_before_another_may_take_over() -> None:
    async def main() -> float:
        api = FakeApi()
        plan = FaultPlan()
        first = candidate(api, "a", plan)
        await first.acquire()
        start = virtualtime.elapsed()
        plan.faults = {index: Fault.BROKEN for index in range(2, 1000)}
        with pytest.raises(LeaseLostError, match="in time"):
            await first.hold()
        assert not first.holds
        return virtualtime.elapsed() - start

    assert virtualtime.run(main()) < TIMES.duration


class Slow(DirectTransport):
    """Each answer takes so long, from the moment in which the request was carried out."""

    delay = 0.0

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = await super().exchange(method, path, body, content_type)
        await asyncio.sleep(self.delay)
        return answer


@pytest.mark.parametrize("acquiring", [0.0, 4.0])
@pytest.mark.parametrize("hangs_at", [1.0, 7.5])
def test_requests_that_hang_do_not_lengthen_the_time_of_a_leader(
    acquiring: float, hangs_at: float
) -> None:
    async def main() -> float:
        api = FakeApi()
        transport = Slow(api)
        first = candidate(api, "a", transport=transport)
        transport.delay = acquiring / 2  # a GET and a POST
        await first.acquire()
        transport.delay = 0.0
        asyncio.get_running_loop().call_later(hangs_at, setattr, transport, "delay", math.inf)
        written: list[float] = []
        api.on_change.append(lambda _: written.append(virtualtime.elapsed()))
        start = virtualtime.elapsed() - acquiring / 2
        with pytest.raises(LeaseLostError, match="in time"):
            await first.hold()
        assert not first.holds
        return virtualtime.elapsed() - max([start, *written[:-1]])

    # The last request was carried out, but as the leader never heard of it, it does not count.
    assert virtualtime.run(main()) <= TIMES.renew_deadline + 0.01


def test_a_leader_that_was_frozen_does_not_believe_that_it_leads() -> None:
    async def main() -> None:
        api = FakeApi()
        first, second = candidate(api, "a"), candidate(api, "b")
        await first.acquire()
        await second.acquire()  # first is never asked to renew
        assert not first.holds
        with pytest.raises(LeaseLostError, match="in time"):
            await first.hold()

    virtualtime.run(main())


def test_a_leader_whose_machine_slept_does_not_believe_that_it_leads() -> None:
    async def main() -> None:
        slept = 0.0
        first = candidate(FakeApi(), "a", elapsed=lambda: virtualtime.elapsed() + slept)
        await first.acquire()
        assert first.holds
        slept = TIMES.renew_deadline
        assert not first.holds

    virtualtime.run(main())


def test_others_wait_for_no_less_than_the_duration() -> None:
    async def main() -> None:
        api = FakeApi()
        await candidate(api, "a", times=LeaseTimes(10.9, 10.5, 2)).acquire()
        (lease,) = api.find("Lease")
        assert lease["spec"]["leaseDurationSeconds"] == 11

    virtualtime.run(main())


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


def test_a_leader_whose_lease_is_deleted_stops() -> None:
    async def main() -> None:
        api = FakeApi()
        first = candidate(api, "a")
        await first.acquire()
        api.remove("Lease", "system", "leeward-operator")
        with pytest.raises(LeaseLostError, match="another process"):
            await first.hold()
        assert not first.holds

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
            lease["metadata"]["labels"] = {"seen": str(virtualtime.elapsed())}
            api.edit(lease)
        assert not holding.done()
        holding.cancel()

    virtualtime.run(main())


def test_a_lost_answer_to_taking_the_lease_costs_no_wait() -> None:
    async def main() -> float:
        api = FakeApi()
        first = candidate(api, "a", FaultPlan({1: Fault.UNANSWERED}))
        start = virtualtime.elapsed()
        await first.acquire()
        return virtualtime.elapsed() - start

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
