"""The loop over one resource, with plans made for the purpose."""

import asyncio
from typing import Any

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.transport import Fault, FaultPlan
from leeward.api.meta import API_VERSION
from leeward.engine.errors import EngineError
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    Action,
    Apply,
    Create,
    DestroyArtefactKey,
    Event,
    KeysetOf,
    Manifest,
    ObjectRef,
    Observed,
    Plan,
    WriteStatus,
)
from leeward.plans.shared.names import FINALIZER
from leeward.plans.shared.shredding import wants_finalizer
from unit.engine.loopbench import KEY, Bench, child, config_map, forbid


def test_needs_are_looked_at_once_then_actions_done_then_the_status_written() -> None:
    steps: list[str] = []
    need = ObjectRef("v1", "ConfigMap", "ns", "other")
    keys = KeysetOf("ns", "vault")
    apply = Apply(config_map("made", a="1"))

    def script(resource: Manifest, observed: Observed) -> Plan:
        if not observed.has(need):
            steps.append("look")
            return Plan({}, needs=(need, keys))
        assert observed.get(need) is None
        assert observed.get(keys) == "keys"
        done = observed.done(apply)
        if done is None:
            steps.append("act")
            return Plan({"x": 1}, actions=(apply,))
        assert done.result["data"] == {"a": "1"}
        steps.append("end")
        return Plan({"x": 1}, requeue_after=7)

    async def main() -> None:
        bench = Bench(script)
        settled = await bench.reconciler.reconcile(KEY)
        assert steps == ["look", "act", "end"]
        assert settled.requeue_after == 7
        assert settled.looked_at == {}
        assert bench.status() == {"x": 1}
        assert [call for call, _ in bench.journal.calls] == ["get", "get", "get", "apply", "update"]

    virtualtime.run(main())


def test_an_unchanged_status_is_not_written() -> None:
    async def main() -> None:
        bench = Bench(lambda resource, _: Plan({"x": 1}))
        await bench.reconciler.reconcile(KEY)
        version = bench.api.version
        await bench.reconciler.reconcile(KEY)
        assert bench.api.version == version

    virtualtime.run(main())


def test_a_status_that_must_survive_is_stored_before_the_next_action() -> None:
    async def main() -> None:
        first, second = Create(config_map("one")), Create(config_map("two"))

        def script(resource: Manifest, observed: Observed) -> Plan:
            if observed.done(second):
                return Plan({"step": 2})
            return Plan({"step": 1}, actions=(first, WriteStatus(), second))

        bench = Bench(script)
        await bench.reconciler.reconcile(KEY)
        kinds = [(change.place.name, change.manifest.get("status")) for change in bench.api.history]
        assert kinds[1:] == [
            ("one", None),
            ("people", {"step": 1}),
            ("two", None),
            ("people", {"step": 2}),
        ]

    virtualtime.run(main())


def test_the_first_action_that_does_not_end_well_ends_the_batch() -> None:
    async def main() -> None:
        taken, never = Create(config_map("taken")), Create(config_map("never"))

        def script(resource: Manifest, observed: Observed) -> Plan:
            outcome = observed.done(taken)
            if outcome is None:
                return Plan({}, actions=(taken, never))
            return Plan({"outcome": outcome.code, "never": observed.done(never) is not None})

        bench = Bench(script)
        bench.api.add({**config_map("taken"), "metadata": {"name": "taken", "namespace": "ns"}})
        await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"outcome": "Conflict", "never": False}
        assert bench.api.one("ConfigMap", "ns", "never") is None

    virtualtime.run(main())


def test_children_that_are_no_longer_listed_are_deleted() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1, "children": [child("kept")]}))
        for name in ("kept", "lost", "elsewhere"):
            made = config_map(name)
            made["metadata"]["namespace"] = "system" if name == "elsewhere" else "ns"
            bench.api.add(made)
        bench.add("published")
        listed = [
            child("kept"),
            child("lost"),
            child("gone"),
            child("elsewhere", namespace="system"),
            child("published", kind="Dataset"),
        ]
        bench.api.edit({**bench.resource, "status": {"children": listed}})
        await bench.reconciler.reconcile(KEY)
        names = {m["metadata"]["name"] for m in bench.api.objects.values()}
        assert names == {"people", "kept", "elsewhere", "published"}
        assert bench.status() == {"x": 1, "children": [child("kept")]}

    virtualtime.run(main())


def test_what_a_status_says_is_stored_before_a_child_is_deleted() -> None:
    async def main() -> None:
        plan = FaultPlan({2: Fault.UNSENT})  # get, update, then the delete
        bench = Bench(lambda *_: Plan({"result": "read"}), plan)
        bench.api.add(config_map("lost"))
        bench.api.edit({**bench.resource, "status": {"children": [child("lost")]}})
        with pytest.raises(Exception, match="broke"):
            await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"result": "read", "children": [child("lost")]}
        await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"result": "read"}
        assert bench.api.one("ConfigMap", "ns", "lost") is None

    virtualtime.run(main())


def test_a_list_of_children_is_put_right_with_what_is_stored_next() -> None:
    async def main() -> None:
        made = Create(config_map("made"))

        def script(resource: Manifest, observed: Observed) -> Plan:
            listed.append(resource["status"].get("children"))
            if observed.done(WriteStatus()) is None:
                return Plan({"step": 1}, actions=(WriteStatus(),))
            if observed.done(made) is None:
                return Plan({"step": 1}, actions=(made,))
            return Plan({"step": last})

        for last in (1, 2):
            listed: list[Any] = []
            bench = Bench(script)
            bench.api.add(config_map("lost"))
            bench.api.edit({**bench.resource, "status": {"children": [child("lost")]}})
            begin = len(bench.api.history)
            await bench.reconciler.reconcile(KEY)
            told = [(c.type, c.place.name) for c in bench.api.history[begin:]]
            assert told == [
                ("MODIFIED", "people"),
                ("DELETED", "lost"),
                ("ADDED", "made"),
                ("MODIFIED", "people"),
            ]
            assert listed == [[child("lost")], None, None]
            assert bench.status() == {"step": last}

    virtualtime.run(main())


def test_a_child_that_cannot_be_deleted_stays_listed() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1}))
        bench.api.edit({**bench.resource, "status": {"children": [child("lost")]}})
        bench.api.add(config_map("lost"))
        forbid(bench.api, "DELETE")
        await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"x": 1, "children": [child("lost")]}
        bench.api.refusals.clear()
        await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"x": 1}

    virtualtime.run(main())


def test_a_change_in_between_starts_it_over_with_what_is_there_now() -> None:
    async def main() -> None:
        seen: list[str] = []

        def script(resource: Manifest, observed: Observed) -> Plan:
            version = resource["metadata"]["resourceVersion"]
            if not seen:
                bench.api.edit({**clone(resource), "spec": {"new": True}})
            seen.append(version)
            return Plan({"saw": resource["spec"]})

        bench = Bench(script)
        await bench.reconciler.reconcile(KEY)
        assert bench.status() == {"saw": {"new": True}}
        assert len(set(seen)) == 2

    virtualtime.run(main())


def test_a_resource_that_changes_all_the_time_is_left_for_later() -> None:
    async def main() -> None:
        def script(resource: Manifest, observed: Observed) -> Plan:
            bench.api.edit({**clone(resource), "spec": {"turn": bench.planner.asked}})
            return Plan({"turn": bench.planner.asked})

        bench = Bench(script)
        with pytest.raises(StaleWriteError):
            await bench.reconciler.reconcile(KEY)

    virtualtime.run(main())


def test_a_plan_without_an_end_is_a_fault_of_the_plan() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({}, actions=(Apply(config_map("again")),)))
        with pytest.raises(EngineError, match="20 rounds"):
            await bench.reconciler.reconcile(KEY)

    virtualtime.run(main())


def test_a_resource_that_is_gone_or_going_is_left_alone() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1}))
        bench.watch()
        going = clone(bench.resource)
        going["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
        bench.api.edit(going)
        assert (await bench.reconciler.reconcile(KEY)).deleting
        bench.api.remove("Dataset", "ns", "people")
        await asyncio.sleep(0.01)
        assert (await bench.reconciler.reconcile(KEY)).gone
        assert bench.planner.asked == 0

    virtualtime.run(main())


def test_a_resource_that_waits_to_be_shredded_is_planned_for_and_goes_with_its_finalizer() -> None:
    def script(resource: Manifest, observed: Observed) -> Plan:
        stored: Manifest = resource.get("status", {})
        action = wants_finalizer(resource, wanted=False)
        assert action is not None
        return Plan(stored, actions=() if observed.done(action) else (action,))

    async def main() -> None:
        bench = Bench(script)
        bench.watch()
        resource = clone(bench.resource)
        resource["metadata"]["finalizers"] = ["example.com/other", FINALIZER]
        bench.api.edit(resource)
        bench.api.remove("Dataset", "ns", "people")
        assert not (await bench.reconciler.reconcile(KEY)).gone
        left = bench.api.one("Dataset", "ns", "people")
        assert left is not None
        assert left["metadata"]["finalizers"] == ["example.com/other"]
        assert (await bench.reconciler.reconcile(KEY)).deleting
        left["metadata"]["finalizers"] = [FINALIZER]
        bench.api.edit(left)
        await asyncio.sleep(0.01)
        await bench.reconciler.reconcile(KEY)
        await asyncio.sleep(0.01)
        assert (await bench.reconciler.reconcile(KEY)).gone

    virtualtime.run(main())


@pytest.mark.parametrize("writes", [False, True], ids=["as-read", "written-before"])
def test_nothing_is_done_for_a_resource_that_is_not_as_it_was_seen(writes: bool) -> None:
    """Somebody takes it back, and no watch tells."""
    action = DestroyArtefactKey("00" * 16, "Dataset/people/u")

    def script(resource: Manifest, observed: Observed) -> Plan:
        if not resource["spec"].get("destroy"):
            return Plan({"destroyed": False})
        if observed.done(action) is None:
            steps: tuple[Action, ...] = (WriteStatus(), action) if writes else (action,)
            return Plan({"destroyed": "now"}, actions=steps)
        return Plan({"destroyed": True})

    async def main() -> None:
        bench = Bench(script)
        asked = bench.api.edit({**clone(bench.resource), "spec": {"destroy": True}})
        await bench.objects.get(ObjectRef(API_VERSION, *KEY))  # remembered
        bench.api.edit({**asked, "spec": {}})
        await bench.reconciler.reconcile(KEY)
        assert bench.keys.done == []
        assert bench.status() == {"destroyed": False}
        now = bench.api.one("Dataset", "ns", "people")
        assert now is not None
        bench.api.edit({**now, "spec": {"destroy": True}})
        bench.objects.forget()
        await bench.reconciler.reconcile(KEY)
        assert bench.keys.done == [action]
        assert bench.status() == {"destroyed": True}

    virtualtime.run(main())


def test_events_of_a_plan_are_recorded_when_the_status_stands() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1}, events=(Event("Normal", "Told", "m"),)))
        await bench.reconciler.reconcile(KEY)
        assert bench.journal.events == [("people", "Normal", "Told")]

    virtualtime.run(main())
