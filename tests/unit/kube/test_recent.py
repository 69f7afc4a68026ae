import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from fakeapi import virtualtime
from fakeapi.replica import Journal
from fakeapi.store import Change, FakeApi
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.engine.ratelimit import TokenBucket
from leeward.kube.client import KubeClient
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.kube.objects import ObjectStore
from leeward.kube.recent import RecentObjects
from leeward.plans.shared.faults import StaleWriteError, TransientError
from leeward.plans.shared.model import DeliveriesOf, Manifest, ObjectRef

MAX_AGE = 5.0
WATCHED = ObjectRef("v1", "ConfigMap", "ns", "config")
UNWATCHED = ObjectRef("v1", "Secret", "ns", "wrapped")
OTHER = ObjectRef("v1", "Pod", "ns", "pod")
DATASET = ObjectRef("leeward.dev/v1alpha1", "Dataset", "ns", "letters")


def manifest(ref: ObjectRef, data: str = "0", version: str | None = None) -> Manifest:
    metadata = {"name": ref.name, "namespace": ref.namespace}
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": metadata,
        "data": {"a": data},
    }


def delivery(name: str, dataset: str, **status: Any) -> Manifest:
    return {
        "apiVersion": "leeward.dev/v1alpha1",
        "kind": "KeyDelivery",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"items": [{"name": "data", "dataset": {"name": dataset}}]},
        "status": status,
    }


def is_watched(ref: ObjectRef) -> bool:
    return ref.kind in ("ConfigMap", "KeyDelivery")


def is_unwatched(ref: ObjectRef) -> bool:
    return ref.kind == "Secret"


def standing_still() -> RecentObjects:
    """One for which no time passes."""
    return RecentObjects(is_watched, is_unwatched, MAX_AGE, lambda: 0.0)


class Bench:
    """A process that remembers, and what the API server has."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        self.api = FakeApi()
        self.plan = plan or FaultPlan()
        self.recent = RecentObjects(
            is_watched, is_unwatched, MAX_AGE, lambda: asyncio.get_running_loop().time()
        )
        transport = DirectTransport(self.api, self.plan)
        self.client = KubeClient(transport, TokenBucket(1000, 1000), Journal(), self.recent)
        self.objects = ObjectStore(self.client, (), self.recent)

    def change(self, ref: ObjectRef, data: str) -> str:
        """As somebody else does; the version that it is then."""
        changed = self.api.one(ref.kind, ref.namespace, ref.name)
        assert changed is not None
        self.api.edit({**changed, "data": {"a": data}})
        return self.version(ref)

    def version(self, ref: ObjectRef) -> str:
        found = self.api.one(ref.kind, ref.namespace, ref.name)
        assert found is not None
        return str(found["metadata"]["resourceVersion"])

    async def read(self, ref: ObjectRef) -> str:
        return str((await self.client.get(ref))["data"]["a"])

    def calls(self) -> int:
        return len(self.plan.calls)


@pytest.mark.parametrize("ref", [WATCHED, UNWATCHED], ids=["watched", "unwatched"])
def test_what_was_read_is_not_read_again_for_some_seconds(ref: ObjectRef) -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(ref))
        found = await bench.client.get(ref)
        found["data"]["a"] = "changed by its reader"
        assert await bench.read(ref) == "0"
        assert bench.calls() == 1
        bench.change(ref, "1")
        assert await bench.read(ref) == "0"
        await asyncio.sleep(MAX_AGE + 0.1)
        assert await bench.read(ref) == "1"

    virtualtime.run(main())


def test_its_age_counts_from_when_it_was_asked_for() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(WATCHED))
        with bench.recent.asked(WATCHED) as answered:
            await asyncio.sleep(MAX_AGE + 0.1)
            answered("1", b"{}")
        assert bench.recent.find(WATCHED) is None

    virtualtime.run(main())


def test_nothing_else_is_kept_and_nothing_that_is_not_there() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(NotFoundError):
            await bench.client.get(WATCHED)
        for ref in (WATCHED, OTHER):
            bench.api.add(manifest(ref))
        assert await bench.read(WATCHED) == "0"
        await bench.client.get(OTHER)
        bench.change(OTHER, "1")
        assert await bench.read(OTHER) == "1"

    virtualtime.run(main())


def test_it_can_be_asked_for_as_it_is_now() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(UNWATCHED))
        await bench.read(UNWATCHED)
        bench.change(UNWATCHED, "1")
        assert (await bench.client.get(UNWATCHED, fresh=True))["data"]["a"] == "1"
        assert await bench.read(UNWATCHED) == "1"

    virtualtime.run(main())


def test_what_was_written_is_known() -> None:
    async def main() -> None:
        bench = Bench()
        made = await bench.client.create(manifest(WATCHED), "me")
        assert await bench.read(WATCHED) == "0"
        await bench.client.replace({**made, "data": {"a": "1"}}, "me")
        assert await bench.read(WATCHED) == "1"
        await bench.client.merge_patch(WATCHED, {"data": {"a": "2"}}, "me")
        assert await bench.read(WATCHED) == "2"
        await bench.client.apply(manifest(WATCHED, "3"), "me", force=True)
        assert await bench.read(WATCHED) == "3"
        assert bench.calls() == 4
        await bench.client.delete(WATCHED)
        with pytest.raises(NotFoundError):
            await bench.client.get(WATCHED)

    virtualtime.run(main())


def test_a_write_that_fails_has_it_read_again() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(WATCHED))
        found = await bench.client.get(WATCHED)
        bench.change(WATCHED, "1")
        with pytest.raises(StaleWriteError):
            await bench.client.replace({**found, "data": {"a": "2"}}, "me")
        assert await bench.read(WATCHED) == "1"
        bench.change(WATCHED, "2")
        with pytest.raises(AlreadyExistsError):
            await bench.client.create(manifest(WATCHED), "me")
        assert await bench.read(WATCHED) == "2"

    virtualtime.run(main())


def test_a_write_without_an_answer_has_it_read_again() -> None:
    async def main() -> None:
        bench = Bench(FaultPlan({1: Fault.UNANSWERED}))
        bench.api.add(manifest(WATCHED))
        found = await bench.client.get(WATCHED)
        with pytest.raises(TransientError):
            await bench.client.replace({**found, "data": {"a": "1"}}, "me")
        assert await bench.read(WATCHED) == "1"

    virtualtime.run(main())


def test_a_newer_version_that_is_shown_has_it_read_again_and_an_echo_does_not() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(WATCHED))
        await bench.read(WATCHED)
        bench.recent.shown(WATCHED, bench.version(WATCHED))
        await bench.read(WATCHED)
        assert bench.calls() == 1
        bench.recent.shown(WATCHED, bench.change(WATCHED, "1"))
        assert await bench.read(WATCHED) == "1"
        bench.recent.shown(WATCHED, "not a number")
        await bench.read(WATCHED)
        assert bench.calls() == 3

    virtualtime.run(main())


def test_an_answer_that_was_overtaken_is_not_kept() -> None:
    recent = standing_still()
    with recent.asked(WATCHED) as answered:
        recent.shown(WATCHED, "8")
        answered("7", b"old")
    assert recent.find(WATCHED) is None
    with recent.asked(WATCHED) as answered:
        recent.shown(WATCHED, "9")  # the echo of a write, before its answer
        answered("9", b"mine")
    assert recent.find(WATCHED) == b"mine"
    with recent.asked(WATCHED) as read:
        with recent.lost(WATCHED):
            pass
        read("9", b"mine")
    assert recent.find(WATCHED) is None


def test_an_answer_that_says_nothing_takes_what_is_older_with_it() -> None:
    recent = standing_still()
    with recent.asked(WATCHED) as wrote:
        with recent.lost(WATCHED):
            pass
        with recent.asked(WATCHED) as read:
            read("7", b"before the write")
        wrote("8", b"written")
    assert recent.find(WATCHED) is None


def test_a_foreign_change_has_what_nobody_watches_read_again() -> None:
    async def main() -> None:
        bench = Bench()
        for ref in (WATCHED, UNWATCHED):
            bench.api.add(manifest(ref))
            await bench.read(ref)
            bench.change(ref, "1")
        bench.objects.foreign_change()
        assert (await bench.read(WATCHED), await bench.read(UNWATCHED)) == ("0", "1")
        bench.objects.watch_begins()
        assert await bench.read(WATCHED) == "1"

    virtualtime.run(main())


def test_what_is_asked_while_somebody_changes_something_is_not_kept() -> None:
    recent = standing_still()
    with recent.asked(UNWATCHED) as answered:
        recent.clear_unwatched()
        answered("7", b"before")
    assert recent.find(UNWATCHED) is None


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
        api.add(manifest(WATCHED))
        recent = RecentObjects(
            is_watched, is_unwatched, MAX_AGE, lambda: asyncio.get_running_loop().time()
        )
        client = KubeClient(Delayed(api, chance), TokenBucket(1000, 1000), Journal(), recent)
        known = 0

        def show(change: Change) -> None:
            version = change.manifest["metadata"]["resourceVersion"]
            late = chance.random() * 3
            asyncio.get_running_loop().call_later(late, recent.shown, WATCHED, version)

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
                            found = await client.merge_patch(WATCHED, patch, "me")
                        case 1:
                            await client.delete(WATCHED)
                            continue
                        case 2:
                            found = await client.create(manifest(WATCHED), "me")
                        case _:
                            found = await client.get(WATCHED)
                            assert int(found["metadata"]["resourceVersion"]) >= before
                            continue
                except (TransientError, NotFoundError, AlreadyExistsError):
                    continue
                known = max(known, int(found["metadata"]["resourceVersion"]))

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(one())

    virtualtime.run(main())


def names(found: list[Manifest]) -> set[str]:
    return {each["metadata"]["name"] for each in found}


def test_deliveries_are_listed_once_and_then_looked_at_one_by_one() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(delivery("one", "letters"))
        bench.api.add(delivery("two", "others"))
        need = DeliveriesOf(DATASET)
        asked = [bench.objects.deliveries_of(need) for _ in range(5)]
        assert all(names(found) == {"one"} for found in await asyncio.gather(*asked))
        assert bench.calls() == 1
        status = {"status": {"seen": 1}}
        ref = ObjectRef("leeward.dev/v1alpha1", "KeyDelivery", "ns", "one")
        await bench.client.merge_patch(ref, status, "me", subresource="status")
        [found] = await bench.objects.deliveries_of(need)
        assert found["status"] == {"seen": 1}
        assert bench.calls() == 2

    virtualtime.run(main())


def test_a_delivery_that_comes_changes_or_goes_has_them_listed_again() -> None:
    async def main() -> None:
        bench = Bench()
        need = DeliveriesOf(DATASET)

        def shown(change: Change) -> None:
            bench.objects.shown(change.manifest, gone=change.type == "DELETED")

        bench.api.on_change.append(shown)
        assert await bench.objects.deliveries_of(need) == []
        bench.api.add(delivery("one", "letters"))
        assert names(await bench.objects.deliveries_of(need)) == {"one"}
        found = bench.api.one("KeyDelivery", "ns", "one")
        assert found is not None
        spec = {"items": [{"name": "data", "dataset": {"name": "others"}}]}
        bench.api.edit({**found, "spec": spec})
        assert await bench.objects.deliveries_of(need) == []
        ref = ObjectRef("leeward.dev/v1alpha1", "KeyDelivery", "ns", "one")
        await bench.client.delete(ref)
        others = DeliveriesOf(ObjectRef(DATASET.api_version, "Dataset", "ns", "others"))
        assert await bench.objects.deliveries_of(others) == []

    virtualtime.run(main())


def test_a_list_is_used_no_longer_than_an_object() -> None:
    async def main() -> None:
        bench = Bench()
        need = DeliveriesOf(DATASET)
        assert await bench.objects.deliveries_of(need) == []
        bench.api.add(delivery("one", "letters"))  # shown by no watch
        await asyncio.sleep(MAX_AGE + 0.1)
        assert names(await bench.objects.deliveries_of(need)) == {"one"}

    virtualtime.run(main())


def test_many_deliveries_are_listed_and_not_looked_at_one_by_one() -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(40):
            bench.api.add(delivery(f"one-{number}", "letters"))
        need = DeliveriesOf(DATASET)
        await bench.objects.deliveries_of(need)
        await asyncio.sleep(1)
        assert len(await bench.objects.deliveries_of(need)) == 40
        assert bench.calls() == 2

    virtualtime.run(main())


def test_what_is_kept_is_what_the_api_server_said() -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(manifest(WATCHED))
        found = await bench.client.get(WATCHED)
        known = bench.recent.find(WATCHED)
        assert known is not None
        assert json.loads(known) == found

    virtualtime.run(main())
