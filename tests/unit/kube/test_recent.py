import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fakeapi import virtualtime
from fakeapi.replica import Journal
from fakeapi.store import Change, FakeApi
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.kube.recent import CAPACITY, MAX_AGE, RecentObjects
from leeward.plans.shared.faults import StaleWriteError, TransientError
from leeward.plans.shared.model import DeliveriesOf, ObjectRef
from unit.kube.memory import (
    DATASET,
    OTHER,
    REF,
    Bench,
    delivery,
    is_remembered,
    manifest,
    names,
    standing_still,
)


def test_what_was_read_is_not_read_again_for_some_seconds() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        found = await bench.client.get(REF)
        found["data"]["a"] = "changed by its reader"
        assert await bench.read(REF) == "0"
        assert bench.calls() == 1
        bench.change(REF, "1")
        assert await bench.read(REF) == "0"
        await asyncio.sleep(MAX_AGE + 0.1)
        assert await bench.read(REF) == "1"

    virtualtime.run(main())


def test_who_may_have_lost_the_lease_is_told_nothing() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        need = DeliveriesOf(DATASET)
        await bench.read(REF)
        await bench.objects.deliveries_of(need)
        bench.leads = False
        bench.change(REF, "1")
        bench.api.add(delivery("one", "letters"))
        assert await bench.read(REF) == "1"
        assert names(await bench.objects.deliveries_of(need)) == {"one"}

    virtualtime.run(main())


def test_the_oldest_make_room() -> None:
    recent = standing_still()
    refs = [ObjectRef("v1", "ConfigMap", "ns", f"config-{number}") for number in range(5)]
    for ref in refs:
        with recent.asked(ref) as answered:
            answered("1", bytes(CAPACITY // 4))
    assert [recent.find(ref) is not None for ref in refs] == [False, True, True, True, True]


def test_its_age_counts_from_when_it_was_asked_for() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        with bench.recent.asked(REF) as answered:
            await asyncio.sleep(MAX_AGE + 0.1)
            answered("1", b"{}")
        assert bench.recent.find(REF) is None

    virtualtime.run(main())


def test_nothing_else_is_kept_and_nothing_that_is_not_there() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(NotFoundError):
            await bench.client.get(REF)
        for ref in (REF, OTHER):
            bench.api.add(manifest(ref))
        assert await bench.read(REF) == "0"
        await bench.client.get(OTHER)
        bench.change(OTHER, "1")
        assert await bench.read(OTHER) == "1"

    virtualtime.run(main())


def test_it_can_be_asked_for_as_it_is_now() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        await bench.read(REF)
        bench.change(REF, "1")
        assert (await bench.client.get(REF, fresh=True))["data"]["a"] == "1"
        assert await bench.read(REF) == "1"

    virtualtime.run(main())


def test_what_was_written_is_known() -> None:
    async def main() -> None:
        bench = Bench()
        made = await bench.client.create(manifest(REF), "me")
        assert await bench.read(REF) == "0"
        await bench.client.replace({**made, "data": {"a": "1"}}, "me")
        assert await bench.read(REF) == "1"
        await bench.client.merge_patch(REF, {"data": {"a": "2"}}, "me")
        assert await bench.read(REF) == "2"
        await bench.client.apply(manifest(REF, "3"), "me", force=True)
        assert await bench.read(REF) == "3"
        assert bench.calls() == 4
        await bench.client.delete(REF)
        with pytest.raises(NotFoundError):
            await bench.client.get(REF)

    virtualtime.run(main())


def test_a_write_that_fails_has_it_read_again() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        found = await bench.client.get(REF)
        bench.change(REF, "1")
        with pytest.raises(StaleWriteError):
            await bench.client.replace({**found, "data": {"a": "2"}}, "me")
        assert await bench.read(REF) == "1"
        bench.change(REF, "2")
        with pytest.raises(AlreadyExistsError):
            await bench.client.create(manifest(REF), "me")
        assert await bench.read(REF) == "2"

    virtualtime.run(main())


def test_a_write_without_an_answer_has_it_read_again() -> None:
    async def main() -> None:
        bench = Bench(FaultPlan({1: Fault.UNANSWERED}))
        bench.api.add(manifest(REF))
        found = await bench.client.get(REF)
        with pytest.raises(TransientError):
            await bench.client.replace({**found, "data": {"a": "1"}}, "me")
        assert await bench.read(REF) == "1"

    virtualtime.run(main())


def test_a_newer_version_that_is_shown_has_it_read_again_and_an_echo_does_not() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        await bench.read(REF)
        bench.recent.shown(REF, bench.version(REF))
        await bench.read(REF)
        assert bench.calls() == 1
        bench.recent.shown(REF, bench.change(REF, "1"))
        assert await bench.read(REF) == "1"
        bench.recent.shown(REF, "not a number")
        await bench.read(REF)
        assert bench.calls() == 3

    virtualtime.run(main())


def test_an_answer_that_was_overtaken_is_not_kept() -> None:
    recent = standing_still()
    with recent.asked(REF) as answered:
        recent.shown(REF, "8")
        answered("7", b"old")
    assert recent.find(REF) is None
    with recent.asked(REF) as answered:
        recent.shown(REF, "9")  # the echo of a write, before its answer
        answered("9", b"mine")
    assert recent.find(REF) == b"mine"
    with recent.asked(REF) as read:
        with recent.lost(REF):
            pass
        read("9", b"mine")
    assert recent.find(REF) is None


def test_an_answer_that_says_nothing_takes_what_is_older_with_it() -> None:
    recent = standing_still()
    with recent.asked(REF) as wrote:
        with recent.lost(REF):
            pass
        with recent.asked(REF) as read:
            read("7", b"before the write")
        wrote("8", b"written")
    assert recent.find(REF) is None


def test_what_made_room_outdates_older_answers_that_are_under_way() -> None:
    recent = standing_still()
    with recent.asked(REF) as read:
        with recent.asked(REF) as wrote:
            wrote("8", b"written")
        for number in range(4):
            with recent.asked(replace(REF, name=f"other-{number}")) as answered:
                answered("9", bytes(CAPACITY // 3))
        assert recent.find(REF) is None
        read("7", b"before it was written")
    assert recent.find(REF) is None


def test_what_is_forgotten_is_read_again_also_where_it_is_being_read() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        await bench.read(REF)
        bench.change(REF, "1")
        bench.objects.forget()
        assert await bench.read(REF) == "1"
        with bench.recent.asked(REF) as answered:
            bench.objects.forget()
            answered(bench.version(REF), b"before")
        assert bench.recent.find(REF) is None

    virtualtime.run(main())


class Delayed(DirectTransport):
    """Requests and answers take a while, each its own."""

    def __init__(self, api: FakeApi, chance: random.Random) -> None:
        super().__init__(api)
        self._chance = chance

    async def exchange(
        self, method: str, path: str, body: dict[str, Any] | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        await asyncio.sleep(self._chance.random())
        answer = await super().exchange(method, path, body, content_type)
        await asyncio.sleep(self._chance.random())
        if self._chance.random() < 0.1:
            raise TransientError("the answer was lost")
        return answer


@pytest.mark.parametrize("seed", range(20))
def test_who_reads_after_a_write_was_answered_sees_it_or_what_came_later(seed: int) -> None:
    """Also while others write, delete and make it anew, and the watch is late."""

    async def main() -> None:
        chance = random.Random(seed)
        api = FakeApi()
        api.add(manifest(REF))
        recent = RecentObjects(is_remembered, lambda: True, virtualtime.elapsed)
        client = KubeClient(Delayed(api, chance), TokenBucket(1000, 1000), Journal(), recent)
        known = 0

        def show(change: Change) -> None:
            version = change.manifest["metadata"]["resourceVersion"]
            late = chance.random() * 3
            asyncio.get_running_loop().call_later(late, recent.shown, REF, version)

        api.on_change.append(show)

        async def one() -> None:
            nonlocal known
            for _ in range(30):
                await asyncio.sleep(chance.random())
                before = known
                try:
                    match chance.randrange(6):
                        case 0:
                            patch = {"data": {"a": str(chance.random())}}
                            found = await client.merge_patch(REF, patch, "me")
                        case 1:
                            await client.delete(REF)
                            continue
                        case 2:
                            found = await client.create(manifest(REF), "me")
                        case _:
                            found = await client.get(REF)
                            assert int(found["metadata"]["resourceVersion"]) >= before
                            continue
                except (TransientError, NotFoundError, AlreadyExistsError):
                    continue
                known = max(known, int(found["metadata"]["resourceVersion"]))

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(one())

    virtualtime.run(main())


def test_what_is_kept_is_what_the_api_server_said() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(REF))
        found = await bench.client.get(REF)
        known = bench.recent.find(REF)
        assert known is not None
        assert json.loads(known) == found

    virtualtime.run(main())
