"""A MaskingJob is run once and published at most once, whatever happens when.

Two operators take turns and interrupt each other between any two effects; they are killed after any
effect; Jobs, pods, Secrets and policies are deleted by hand; the Job succeeds, fails, or is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leeward.plans.shared.claims import check_claim_free, claim_of
from leeward.plans.shared.conditions import is_over
from leeward.plans.shared.model import Action, DeliverKeys, Manifest, ObjectRef, Observed, Outcome
from leeward.plans.shared.names import Owner
from leeward.plans.shared.verdict import Unseen
from unit.plans.clinic import JOB, NAMESPACE, OUTPUT, answer, clinic
from unit.plans.simulator import Engine
from unit.plans.world import CrashError, StaleError, World

Event = Literal[
    "reconcile",
    "start",
    "succeed",
    "fail",
    "delete job",
    "delete secret",
    "delete policy",
    "delete config",
    "wait",
]
EVENTS: tuple[Event, ...] = (
    "reconcile",
    "reconcile",
    "start",
    "succeed",
    "fail",
    "delete job",
    "delete secret",
    "delete policy",
    "delete config",
    "wait",
)


@dataclass
class History:
    """A world, two operators, and what must never be seen."""

    world: World
    engines: tuple[Engine, Engine]
    ran: set[str] = field(default_factory=set)

    def happen(self, event: Event, engine: int, crash: int | None, interrupt: int | None) -> None:
        if event == "reconcile":
            self._reconcile(engine, crash, interrupt)
        elif event == "wait":
            self.world.pass_time(400)
        elif event.startswith("delete "):
            self._delete(
                {"job": "Job", "secret": "Secret", "policy": "NetworkPolicy"}.get(
                    event.removeprefix("delete "), "ConfigMap"
                )
            )
        else:
            self._job(event)
        self.check()

    def _reconcile(self, engine: int, crash: int | None, interrupt: int | None) -> None:
        self.world.crash_after = crash
        self.world.before_effect = self._interruption(1 - engine, interrupt)
        try:
            self.engines[engine].reconcile(JOB)
        except (CrashError, StaleError):
            pass
        finally:
            self.world.crash_after = None
            self.world.before_effect = None

    def _interruption(self, other: int, after: int | None) -> Callable[[], None]:
        """The other operator does all it can, and the Job ends, between two effects of this one."""
        left = after

        def interrupt() -> None:
            nonlocal left
            if left is None:
                return
            left -= 1
            if left >= 0:
                return
            left = None
            held, self.world.before_effect = self.world.before_effect, None
            crash, self.world.crash_after = self.world.crash_after, None
            for _ in range(3):
                self._quietly(other)
                self._job("succeed")
            self._delete("Job")
            self.world.before_effect, self.world.crash_after = held, crash

        return interrupt

    def _quietly(self, engine: int) -> None:
        with suppress(StaleError):
            self.engines[engine].reconcile(JOB)

    def _delete(self, kind: str) -> None:
        for manifest in self.world.of_kind(kind):
            metadata = manifest["metadata"]
            name = metadata["name"]
            if "report" not in name:
                api_version = manifest["apiVersion"]
                self.world.remove(ObjectRef(api_version, kind, NAMESPACE, name))

    def _masking_jobs(self) -> list[Manifest]:
        return [
            job
            for job in self.world.of_kind("Job")
            if job["metadata"]["labels"]["leeward.dev/role"] == "masking"
        ]

    def _job(self, event: str) -> None:
        for job in self._masking_jobs():
            ended = job.get("status", {}).get("conditions")
            if job["spec"]["suspend"] or ended:
                continue
            self.ran.add(job["metadata"]["uid"])
            if event == "start":
                self.world.start_pod(job)
            elif event == "succeed":
                self.world.succeed(answer(self.world), job)
            else:
                pod = self.world.start_pod(job)
                self.world.end_pod(pod, "Failed", exitCode=137, reason="OOMKilled")
                job.setdefault("status", {})["conditions"] = [
                    {"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}
                ]

    def check(self) -> None:
        assert len(self.ran) <= 1, "two Jobs were run"
        assert self.world.created[OUTPUT] <= 1, "published twice"
        published = {key for key, times in self.world.published.items() if times}
        assert not published & self.world.shredded, "published and shredded"

    def end(self) -> None:
        """Nothing goes wrong any more: it ends, one way or the other."""
        self.world.crash_after = None
        for _ in range(8):
            self._quietly(0)
            self._job("succeed")
            self.check()
        status = self.world.objects[JOB]["status"]
        assert is_over(status)
        output = next(k["id"] for k in status["admission"]["keys"] if k["role"] == "output")
        if OUTPUT in self.world.objects:
            assert self.world.objects[OUTPUT]["status"]["keyId"] == output
            assert self.world.keys[output].published
        else:
            assert output in self.world.shredded
        assert self.world.of_kind("Secret") == []
        self._name_is_free()

    def _name_is_free(self) -> None:
        """Whatever a late operator left behind, it does not keep another job from the name."""
        claim = claim_of(
            Owner("MaskingJob", NAMESPACE, "next", "uid-next", 1, {}, False), OUTPUT.name
        )
        observed = Observed()
        while isinstance(verdict := check_claim_free(claim, observed), Unseen):
            observed.seen.update({need: self.world.look(need) for need in verdict.needs})
        assert verdict is None


def history() -> History:
    world, engine = clinic()

    def only_what_was_admitted(action: Action) -> Outcome | None:
        if isinstance(action, DeliverKeys):
            admission = world.objects[JOB]["status"]["admission"]
            assert {pair for pair in action.keys} <= {
                (key["role"], key["id"]) for key in admission["keys"]
            }, "delivered what was not admitted"
        return None

    world.refusals.append(only_what_was_admitted)
    return History(world, (engine, Engine(world, seed=2)))


count = st.one_of(st.none(), st.integers(0, 15))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(EVENTS), st.integers(0, 1), count, count),
        max_size=14,
    )
)
def test_run_once_and_published_at_most_once(
    events: list[tuple[Event, int, int | None, int | None]],
) -> None:
    one = history()
    for event, engine, crash, interrupt in events:
        one.happen(event, engine, crash, interrupt)
    one.end()


def test_every_crash_point_of_an_undisturbed_job() -> None:
    """After each effect of the whole course, once; the end is the same, and nothing ran twice."""
    for crash in range(24):
        one = history()
        one.world.crash_after = crash
        for _ in range(12):
            try:
                one.engines[0].reconcile(JOB)
            except CrashError:
                continue
            one.happen("succeed", 0, None, None)
        one.end()
        assert OUTPUT in one.world.objects
        assert len(one.ran) == 1


@pytest.mark.parametrize("crash", range(12))
def test_job_deleted_by_hand_after_a_crash_at_every_point(crash: int) -> None:
    one = history()
    one.happen("reconcile", 0, crash, None)
    one.happen("start", 0, None, None)
    one.happen("delete job", 0, None, None)
    one.end()


@pytest.mark.parametrize("interrupt", range(16))
def test_late_leader_at_every_point(interrupt: int) -> None:
    """While one operator hangs, the other one finishes and the Job is removed."""
    one = history()
    one.happen("reconcile", 0, None, interrupt)
    one.end()
