"""From watches to work: what wakes a resource, and what does not."""

import asyncio
from collections.abc import Callable

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from leeward.api.meta import API_VERSION
from leeward.engine.inventory import Key
from leeward.plans.shared.model import (
    Apply,
    DeliveriesOf,
    Manifest,
    ObjectRef,
    Observed,
    Plan,
)
from unit.engine.loopbench import KEY, Bench, config_map

_DELIVERED = {"items": [{"name": "data", "dataset": {"name": "people"}}]}


def test_an_own_write_does_not_wake_its_own_resource() -> None:
    async def main() -> None:
        def script(resource: Manifest, observed: Observed) -> Plan:
            apply = Apply(config_map("made", a="1"))
            if observed.done(apply) is None:
                return Plan({"x": 1}, actions=(apply,))
            return Plan({"x": 1})

        bench = Bench(script)
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(100)
        assert bench.journal.reconciles == [("Dataset", "ok")]
        # The body from the watch has saved the read; the child was applied, the status written.
        assert bench.journal.calls == [("apply", "201"), ("update", "200")]

    virtualtime.run(main())


def test_a_change_by_others_wakes_it_also_while_it_is_reconciled() -> None:
    async def main() -> None:
        bench = Bench(lambda resource, _: Plan({"saw": resource["spec"]}))
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(0.0015)  # the write is under way
        bench.api.edit({**clone(bench.resource), "spec": {"a": 1}})
        await asyncio.sleep(1)
        assert bench.status() == {"saw": {"a": 1}}
        current = bench.api.one("Dataset", "ns", "people")
        assert current is not None
        bench.api.edit({**current, "spec": {"a": 2}})
        await asyncio.sleep(1)
        assert bench.status() == {"saw": {"a": 2}}

    virtualtime.run(main())


def test_a_child_of_others_making_wakes_its_owner() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({}))
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        bench.api.add(config_map("by-hand"))
        await asyncio.sleep(1)
        assert len(bench.journal.reconciles) == 2

    virtualtime.run(main())


def test_a_changed_resource_wakes_those_that_looked_at_it() -> None:
    async def main() -> None:
        target = ObjectRef(API_VERSION, "Dataset", "ns", "source")

        def script(resource: Manifest, observed: Observed) -> Plan:
            if resource["metadata"]["name"] == "source":
                return Plan({})
            if not observed.has(target):
                return Plan({}, needs=(target,))
            return Plan({"source": observed.get(target) is not None})

        bench = Bench(script)
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        assert bench.status() == {"source": False}
        bench.add("source")
        await asyncio.sleep(1)
        assert bench.status() == {"source": True}
        bench.api.remove("Dataset", "ns", "source")
        await asyncio.sleep(1)
        assert bench.status() == {"source": False}
        assert bench.gone == [Key("Dataset", "ns", "source")]

    virtualtime.run(main())


VAULT = ObjectRef(API_VERSION, "KeyVault", "ns", "vault")


class Granting:
    """Workloads that a vault grants something, until it is taken back and no watch tells."""

    def __init__(self, *, bodies: int = 4000) -> None:
        self.bench = Bench(self._plan, bodies=bodies)
        self.looks = 0
        self.on_look: Callable[[], None] | None = None
        self.bench.add("vault", kind="KeyVault", spec={"granted": True})

    def _plan(self, resource: Manifest, observed: Observed) -> Plan:
        if not observed.has(VAULT):
            return Plan(resource.get("status") or {}, needs=(VAULT,))
        self.looks += 1
        if self.on_look is not None:
            self.on_look()
        return Plan({"granted": observed.get(VAULT)["spec"]["granted"], "look": self.looks})

    async def begin(self) -> None:
        self.bench.controller.lead()
        self.bench.controller.saw(self.bench.resource, listed=True)
        await asyncio.sleep(1)
        assert self.bench.status()["granted"]

    def take_back(self) -> None:
        vault = self.bench.api.one("KeyVault", "ns", "vault")
        assert vault is not None
        self.bench.api.edit({**vault, "spec": {"granted": False}})

    def edit(self, name: str = "people") -> Manifest:
        found = self.bench.api.one("Dataset", "ns", name)
        assert found is not None
        return self.bench.api.edit({**found, "spec": {"edited": True}})


@pytest.mark.parametrize("bodies", [4000, 0], ids=["body-kept", "no-room-for-bodies"])
def test_what_somebody_did_before_is_seen_in_whatever_order_watches_show_it(bodies: int) -> None:
    """A grant is taken back, then a workload is made; the watch of grants is late."""

    async def main() -> None:
        world = Granting(bodies=bodies)
        await world.begin()
        world.take_back()
        world.bench.controller.saw(world.bench.add("letters"), listed=False)
        await asyncio.sleep(1)
        assert world.bench.status("letters")["granted"] is False

    virtualtime.run(main())


def test_it_is_seen_by_who_reads_the_change_before_a_watch_shows_it() -> None:
    async def main() -> None:
        world = Granting()
        await world.begin()
        world.take_back()
        world.bench.objects.shown(world.edit(), gone=False)  # so that it is read again
        world.bench.controller.queue.add(KEY)
        await asyncio.sleep(1)
        assert world.bench.status()["granted"] is False

    virtualtime.run(main())


def test_it_is_seen_by_who_meets_the_change_when_it_writes() -> None:
    async def main() -> None:
        world = Granting()
        await world.begin()

        def meanwhile() -> None:
            world.on_look = None
            world.take_back()
            world.bench.controller.saw(world.edit(), listed=False)

        world.on_look = meanwhile
        world.bench.controller.queue.add(KEY)
        await asyncio.sleep(1)
        said = [change.manifest.get("status") or {} for change in world.bench.api.history]
        assert not any(status["granted"] for status in said if status.get("look", 0) > 1)

    virtualtime.run(main())


def test_it_is_seen_by_those_that_the_change_wakes() -> None:
    async def main() -> None:
        source = ObjectRef(API_VERSION, "Dataset", "ns", "source")

        def script(resource: Manifest, observed: Observed) -> Plan:
            if resource["metadata"]["name"] == "source":
                return Plan(resource.get("status") or {})
            needs = tuple(need for need in (VAULT, source) if not observed.has(need))
            if needs:
                return Plan(resource.get("status") or {}, needs=needs)
            return Plan({"granted": observed.get(VAULT)["spec"]["granted"]})

        bench = Bench(script, workers=1)
        bench.add("vault", kind="KeyVault", spec={"granted": True})
        bench.controller.saw(bench.add("source"), listed=True)
        bench.controller.saw(bench.resource, listed=True)
        bench.controller.lead()
        await asyncio.sleep(1)
        assert bench.status() == {"granted": True}
        for kind, name in (("KeyVault", "vault"), ("Dataset", "source")):
            found = bench.api.one(kind, "ns", name)
            assert found is not None
            edited = bench.api.edit({**found, "spec": {"granted": False}})
        bench.controller.saw(edited, listed=False)
        await asyncio.sleep(1)
        assert bench.status() == {"granted": False}

    virtualtime.run(main())


def test_a_delivery_wakes_those_that_looked_who_delivers_what_they_are() -> None:
    async def main() -> None:
        need = DeliveriesOf(ObjectRef(API_VERSION, "Dataset", "ns", "people"))

        def script(resource: Manifest, observed: Observed) -> Plan:
            if resource["kind"] == "KeyDelivery":
                return Plan(resource["status"])
            if not observed.has(need):
                return Plan({}, needs=(need,))
            return Plan({"secrets": ["secret" in d["status"] for d in observed.get(need)]})

        bench = Bench(script)
        bench.add("wards", kind="KeyDelivery", spec=_DELIVERED, status={})
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        assert bench.status() == {"secrets": [False]}
        found = bench.api.one("KeyDelivery", "ns", "wards")
        assert found is not None
        found["status"] = {"secret": {}}
        bench.api.edit(found)
        await asyncio.sleep(1)
        assert bench.status() == {"secrets": [True]}

    virtualtime.run(main())


def test_children_that_change_together_are_looked_at_together() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({}))
        bench.watch()
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        for name in ("one", "two", "three"):
            bench.api.add(config_map(name))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert len(bench.journal.reconciles) == 2

    virtualtime.run(main())


async def _looks(*changes: Manifest) -> int:
    """How often is planned for a resource whose source changes: first later, then meanwhile."""
    target = ObjectRef(API_VERSION, "Dataset", "ns", "source")
    looks = 0

    def change(status: Manifest) -> Manifest:
        found = bench.api.one("Dataset", "ns", "source")
        assert found is not None
        found["status"] |= status
        return bench.api.edit(found)

    def script(resource: Manifest, observed: Observed) -> Plan:
        nonlocal looks
        if resource["metadata"]["name"] == "source":
            return Plan(resource["status"])
        if not observed.has(target):
            return Plan({}, needs=(target,))
        looks += 1
        if looks == 2:  # the watch tells of it before this look is over
            bench.controller.saw(change(changes[1]), listed=False)
        return Plan({})

    bench = Bench(script)
    bench.add("source", status={"rows": 1})
    bench.watch()
    bench.controller.lead()
    bench.controller.saw(bench.resource, listed=True)
    await asyncio.sleep(1)
    change(changes[0])
    await asyncio.sleep(1)
    return looks


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        (({"children": []}, {}), 1),
        (({"rows": 2}, {"children": []}), 2),
        (({"rows": 2}, {"rows": 3}), 3),
    ],
    ids=["own", "own-meanwhile", "both-matter"],
)
def test_a_change_wakes_those_alone_to_whom_it_matters(
    changes: tuple[Manifest, Manifest], looks: int
) -> None:
    assert virtualtime.run(_looks(*changes)) == looks


def test_a_follower_sees_and_does_nothing_and_knows_all_when_it_leads() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1}))
        bench.watch()
        bench.controller.saw(bench.resource, listed=True)
        bench.add("second")
        await asyncio.sleep(100)
        assert bench.journal.calls == []
        assert len(bench.controller.inventory) == 2
        bench.controller.lead()
        await asyncio.sleep(1)
        assert bench.status() == bench.status("second") == {"x": 1}

    virtualtime.run(main())


def test_a_new_leader_first_does_what_somebody_waits_for() -> None:
    async def main() -> None:
        order: list[str] = []

        def script(resource: Manifest, observed: Observed) -> Plan:
            order.append(resource["metadata"]["name"])
            return Plan(resource["status"])

        bench = Bench(script)
        done: Manifest = {"observedGeneration": 1, "conditions": []}
        running = {**done, "conditions": [{"type": "Running", "status": "True", "reason": "R"}]}
        for number in range(20):
            bench.controller.saw(bench.add(f"done-{number}", status=done), listed=True)
        bench.controller.saw(bench.add("running", status=running), listed=True)
        bench.controller.saw(bench.add("new", status={"observedGeneration": 0}), listed=True)
        bench.controller.lead()
        await asyncio.sleep(10)
        assert set(order[:2]) == {"running", "new"}
        assert len(order) == 22

    virtualtime.run(main())


def test_every_resource_is_looked_at_again_after_an_hour() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({}))
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(10 * 3600 + 60)
        assert len(bench.journal.reconciles) == 11

    virtualtime.run(main())


def test_a_deletion_that_no_watch_has_shown_is_found_out() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({}))
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        bench.api.remove("Dataset", "ns", "people")
        await asyncio.sleep(3700)
        assert len(bench.controller.inventory) == 0
        assert bench.gone == [KEY]
        assert bench.controller.queue.depth == 0

    virtualtime.run(main())


def test_an_old_body_is_not_taken_for_the_present() -> None:
    async def main() -> None:
        bench = Bench(lambda resource, _: Plan({"saw": resource["spec"]}))
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(1)
        calls = len(bench.journal.calls)
        late = clone(bench.resource)
        late["spec"] = {"from": "the past"}
        bench.controller.saw(late, listed=False)
        await asyncio.sleep(1)
        assert bench.journal.calls[calls:] == [("get", "200")]
        assert bench.status() == {"saw": {}}

    virtualtime.run(main())


def test_an_error_in_a_plan_is_tried_again_and_told_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        def script(resource: Manifest, observed: Observed) -> Plan:
            if bench.planner.asked < 3:
                raise ValueError("Erika Mustermann")
            return Plan({"x": 1})

        bench = Bench(script)
        bench.controller.lead()
        bench.controller.saw(bench.resource, listed=True)
        await asyncio.sleep(30)
        assert bench.status() == {"x": 1}
        assert [outcome for _, outcome in bench.journal.reconciles] == ["error", "error", "ok"]

    virtualtime.run(main())
    assert "Mustermann" not in caplog.text
    assert "Mustermann" not in str([vars(record) for record in caplog.records])
    assert {getattr(record, "error", None) for record in caplog.records} >= {"ValueError"}
