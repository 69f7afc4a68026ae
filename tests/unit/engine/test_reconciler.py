"""The loop over one resource, with plans made for the purpose."""

import asyncio
import datetime
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import Journal
from fakeapi.store import FakeApi, refusal
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.api import KINDS_BY_NAME
from leeward.api.meta import API_VERSION, Kind
from leeward.engine.controller import Controller, Pace
from leeward.engine.echoes import Echoes
from leeward.engine.errors import EngineError
from leeward.engine.inventory import Key
from leeward.engine.queue import Backoff
from leeward.engine.ratelimit import TokenBucket
from leeward.engine.reconciler import Reconciler
from leeward.engine.steps import Steps
from leeward.kube.client import KubeClient
from leeward.kube.objects import ObjectStore
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    AckResult,
    Apply,
    Context,
    Create,
    Event,
    KeysetOf,
    Manifest,
    ObjectRef,
    Observed,
    Outcome,
    Plan,
    ProgressOf,
    ResultOf,
    WriteStatus,
)

KEY = Key("Dataset", "ns", "people")
REF = ObjectRef(API_VERSION, "Dataset", "ns", "people")
Script = Callable[[Manifest, Observed], Plan]


def config_map(name: str, **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "ns", "annotations": {"leeward.dev/uid": "u"}},
        "data": data,
    }


def child(name: str, kind: str = "ConfigMap", namespace: str = "ns") -> Manifest:
    version = API_VERSION if kind == "Dataset" else "v1"
    return {"apiVersion": version, "kind": kind, "name": name, "namespace": namespace}


class Planner:
    """A plan that a test writes as a function."""

    def __init__(self, script: Script, kind: str = "Dataset") -> None:
        self.script = script
        self._kind = KINDS_BY_NAME[kind]
        self.asked = 0

    @property
    def kind(self) -> Kind:
        return self._kind

    @property
    def children(self) -> Sequence[tuple[str, str]]:
        return (("v1", "ConfigMap"),)

    def plan(self, resource: Manifest, observed: Observed, context: Context) -> Plan:
        self.asked += 1
        return self.script(clone(resource), observed)


class NoKeys:
    async def perform(self, action: Any) -> Outcome:
        raise AssertionError(action)

    async def look(self, need: Any) -> Any:
        return "keys"


class NoPods:
    async def progress(self, need: ProgressOf) -> Manifest | None:
        return None

    async def result(self, need: ResultOf) -> Manifest | None:
        return None

    async def ack(self, action: AckResult) -> Outcome:
        return Outcome("Done")


class Bench:
    """A reconciler and a controller over a fake API server, and one Dataset."""

    def __init__(self, script: Script, faults: FaultPlan | None = None) -> None:
        self.api = FakeApi()
        self.faults = faults or FaultPlan()
        self.journal = Journal()
        self.echoes = Echoes()
        self.planner = Planner(script)
        self.gone: list[Key] = []
        transport = DirectTransport(self.api, self.faults)
        client = KubeClient(transport, TokenBucket(1000, 1000), self.journal)
        objects = ObjectStore(client)
        kinds = frozenset({"Dataset", "KeyVault"})
        self.reconciler = Reconciler(
            api_version=API_VERSION,
            planners={"Dataset": self.planner, "KeyVault": self.planner},
            objects=objects,
            steps=Steps(objects, NoKeys(), NoPods(), self.echoes, kinds),
            recorder=self.journal,
            echoes=self.echoes,
            context=lambda: Context(
                now=datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
                random=bytes,
                operator_namespace="system",
                masking_image="i",
            ),
            progress_reasons=frozenset(),
        )
        self.controller = Controller(
            reconciler=self.reconciler,
            echoes=self.echoes,
            meter=self.journal,
            pace=Pace(workers=4, resync=3600, backoff=Backoff(base=1, limit=60)),
            unit_random=lambda: 0.5,
            own_api_version=API_VERSION,
            on_gone=self.gone.append,
        )
        self.resource = self.add("people")

    def add(self, name: str, kind: str = "Dataset", status: Manifest | None = None) -> Manifest:
        made: Manifest = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {},
        }
        if status is not None:
            made["status"] = status
        return self.api.add(made)

    def status(self, name: str = "people") -> Manifest:
        found = self.api.one("Dataset", "ns", name)
        assert found is not None
        status: Manifest = found.get("status", {})
        return status

    def watch(self) -> None:
        """Show the controller every change, a little late."""

        def see(change: Any) -> None:
            asyncio.get_running_loop().call_later(0.005, self._see, change)

        self.api.on_change.append(see)

    def _see(self, change: Any) -> None:
        body = change.manifest
        if body["kind"] == "ConfigMap":
            self.controller.saw_child(KEY, body)
        elif change.type == "DELETED":
            self.controller.saw_gone(body)
        else:
            self.controller.saw(body, listed=False)


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
        assert settled.looked_at == (need,)
        assert bench.status() == {"x": 1}
        assert [call for call, _ in bench.journal.calls] == ["get", "get", "apply", "update"]

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


def forbid(api: FakeApi, method: str) -> None:
    def refuse(called: str, *_: Any) -> Any:
        message = 'x is forbidden: User "operator" cannot delete resource'
        return refusal(403, "Forbidden", message) if called == method else None

    api.refusals.append(refuse)


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
        going = clone(bench.resource)
        going["metadata"]["deletionTimestamp"] = "2027-01-01T00:00:00Z"
        bench.api.edit(going)
        assert (await bench.reconciler.reconcile(KEY)).deleting
        bench.api.remove("Dataset", "ns", "people")
        assert (await bench.reconciler.reconcile(KEY)).gone
        assert bench.planner.asked == 0

    virtualtime.run(main())


def test_events_of_a_plan_are_recorded_when_the_status_stands() -> None:
    async def main() -> None:
        bench = Bench(lambda *_: Plan({"x": 1}, events=(Event("Normal", "Told", "m"),)))
        await bench.reconciler.reconcile(KEY)
        assert bench.journal.events == [("people", "Normal", "Told")]

    virtualtime.run(main())


# --- controller ---------------------------------------------------------------------------------


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
