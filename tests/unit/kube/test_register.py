import asyncio

import pytest

from fakeapi import virtualtime
from fakeapi.store import Change
from leeward.kube.recent import MAX_AGE
from leeward.plans.shared.model import DeliveriesOf, ObjectRef
from unit.kube.memory import (
    DATASET,
    Bench,
    delivery,
    names,
)


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


def test_a_delivery_that_was_answered_otherwise_has_them_listed_again() -> None:
    """Its spec was changed, its own reconcile has read that, and the watch is late."""

    async def main() -> None:
        bench = Bench()
        bench.api.add(delivery("one", "others"))
        need = DeliveriesOf(DATASET)
        assert await bench.objects.deliveries_of(need) == []
        found = bench.api.one("KeyDelivery", "ns", "one")
        assert found is not None
        spec = {"items": [{"name": "data", "dataset": {"name": "letters"}}]}
        bench.api.edit({**found, "spec": spec})
        ref = ObjectRef("leeward.dev/v1alpha1", "KeyDelivery", "ns", "one")
        read = await bench.objects.get(ref)
        assert read is not None
        await bench.objects.write_status(read, {"secret": {}}, "me")
        assert names(await bench.objects.deliveries_of(need)) == {"one"}

    virtualtime.run(main())


@pytest.mark.parametrize("generation", [1, 2])
def test_what_is_answered_while_they_are_listed_decides_whether_the_list_is_used(
    generation: int,
) -> None:
    async def main() -> None:
        bench = Bench()
        bench.api.add(delivery("one", "letters"))
        need = DeliveriesOf(DATASET)
        asked = asyncio.create_task(bench.objects.deliveries_of(need))
        await asyncio.sleep(0.0005)
        [body] = bench.api.find("KeyDelivery")
        body["metadata"]["generation"] = generation
        bench.objects.shown(body, gone=False)
        assert names(await asked) == {"one"}
        await bench.objects.deliveries_of(need)
        lists = [call for call in bench.plan.calls if "?limit" in call]
        assert len(lists) == generation

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
