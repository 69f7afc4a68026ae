"""A job is deleted while its output is being published, and the search for leftovers meets faults.

Of two keys that are the job's own, for a rule and for its output, none or one was published when it
went. At each call that the operator makes from then on, it is killed, or what a slow API server
still held arrives: the request that publishes the next key. In the end the output is there with its
key, or nothing of the job is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import pytest

from chaos.course import CLAIM, JOB, NAMESPACE, PLAIN, VAULT
from chaos.trying import SOAK, tried
from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import SYSTEM, Replica, working
from fakeapi.store import Answer, FakeApi, Manifest, Place, refusal
from fakeapi.transport import Fault, FaultPlan
from fakeapi.world import World

OUTPUT = "people-masked"
PUBLISHED = "leeward.dev/published"


def job() -> Manifest:
    """One with two keys of its own."""
    made = clone(JOB)
    made["spec"]["columns"][0]["tokenize"]["scope"] = "Job"
    return made


@dataclass
class Moment(FaultPlan):
    """Faults, and something that happens just before one call is carried out."""

    at: int | None = None
    then: Callable[[], None] = lambda: None

    def next(self, what: str) -> Fault | None:
        if len(self.calls) == self.at:
            self.then()
        return super().next(what)


@dataclass
class Publishing:
    """An API server that publishes so many keys, and holds the request for the next one."""

    api: FakeApi
    allowed: int
    done: set[str] = field(default_factory=set)
    held: Manifest | None = None

    def refuse(self, method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method != "PUT" or place.plural != "secrets" or body is None:
            return None
        if body["metadata"]["labels"].get(PUBLISHED) != "true" or place.name in self.done:
            return None
        if len(self.done) < self.allowed:
            self.done.add(place.name)
            return None
        self.held = body
        return refusal(500, "InternalError", "not now")

    def arrive(self) -> None:
        """Carry out what was held, if nobody else was quicker."""
        assert self.held is not None
        name = self.held["metadata"]["name"]
        self.done.add(name)
        path = f"/api/v1/namespaces/{SYSTEM}/secrets/{name}"
        self.api.handle("PUT", path, self.held, "application/json")


@dataclass
class End:
    """What is there some minutes later."""

    calls: list[str]
    first: int
    published: bool
    file: bool
    dataset: bool
    left: list[str]


def play(allowed: int, at: int | None = None, fault: Fault | None = None) -> End:
    """Delete the job when so many keys were published; at a call there is a fault, or none."""
    return virtualtime.run(_play(allowed, at, fault))


async def _play(allowed: int, at: int | None, fault: Fault | None) -> End:
    world = World(FakeApi(virtualtime.stamp))
    publishing = Publishing(world.api, allowed)
    world.api.refusals.append(publishing.refuse)
    faults = {at: fault} if at is not None and fault is not None else {}
    plan = Moment(faults, at=None if fault else at, then=publishing.arrive)
    for manifest in (VAULT, CLAIM, PLAIN, job()):
        world.api.add(clone(manifest))
    async with working(world) as api:
        keeper = asyncio.create_task(_keep(world, plan))
        await _until(lambda: publishing.held is not None)
        status = api.find("MaskingJob")[0]["status"]
        key = next(k["id"] for k in status["admission"]["keys"] if k["role"] == "output")
        first = len(plan.calls)
        api.remove("MaskingJob", NAMESPACE, "mask")
        await asyncio.sleep(400)
        keeper.cancel()
        await asyncio.wait({keeper})
    record = api.one("Secret", SYSTEM, f"artefact-{key}")
    return End(
        calls=plan.calls,
        first=first,
        published=record is not None and record["metadata"]["labels"][PUBLISHED] == "true",
        file=bool(world.files),
        dataset=api.one("Dataset", NAMESPACE, OUTPUT) is not None,
        left=[
            f"{kind} {found['metadata']['name']}"
            for kind in ("Job", "Secret")
            for found in api.find(kind)
            if found["metadata"]["labels"].get(PUBLISHED) == "false"
            or found.get("spec", {}).get("suspend")
        ],
    )


async def _until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(600):
        while True:
            if there():
                return
            await asyncio.sleep(0.1)


async def _keep(world: World, plan: FaultPlan) -> None:
    seed = 0
    while True:
        seed += 1
        await Replica(world, plan, seed=seed).run()
        await asyncio.sleep(1)


@cache
def undisturbed(allowed: int) -> End:
    return play(allowed)


def differences(end: End) -> list[str]:
    """What is neither all nor nothing."""
    found = [f"left over: {name}" for name in end.left]
    if end.file != end.published:
        found.append(f"published: {end.published}, file: {end.file}")
    if end.dataset != end.published:
        found.append(f"published: {end.published}, Dataset: {end.dataset}")
    return found


@pytest.mark.parametrize("allowed", [0, 1])
def test_nothing_is_left_of_a_job_that_is_deleted_while_it_publishes(allowed: int) -> None:
    end = undisturbed(allowed)
    assert not differences(end)
    assert not end.published
    assert len(end.calls) > end.first + 10


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER, None])
@pytest.mark.parametrize("allowed", [0, 1])
def test_it_is_all_or_nothing_whatever_happens_meanwhile(allowed: int, fault: Fault | None) -> None:
    wrong, published = [], 0
    calls, first = undisturbed(allowed).calls, undisturbed(allowed).first
    every = range(first, len(calls), 1 if SOAK else 3)
    moments = every if fault is None else tried(calls, fault, first)
    for call in moments:
        end = play(allowed, call, fault)
        published += end.published
        wrong += [f"call {call}: {what}" for what in differences(end)]
    assert not wrong, "\n".join(wrong[:20])
    # What arrives late is in time at first, and too late in the end.
    assert (published > 0) == (allowed == 1 and fault is None)
    assert published < len(moments)


def test_a_job_that_is_deleted_as_soon_as_it_failed_leaves_no_file() -> None:
    async def main() -> World:
        world = World(FakeApi(virtualtime.stamp))
        for manifest in (VAULT, CLAIM, PLAIN, job()):
            world.api.add(clone(manifest))
        async with working(world) as api:
            keeper = asyncio.create_task(_keep(world, FaultPlan()))
            await _until(lambda: bool(_named(api, "Pod", "mj-mask")))
            (uid,) = (masking["metadata"]["uid"] for masking in api.find("MaskingJob"))
            world.files.add(f"masked/mask-{uid}.parquet.lwe1.part")
            api.remove("Job", NAMESPACE, *_named(api, "Job", "mj-mask"))
            await _until(lambda: bool(_named(api, "Job", "clean")))
            # What was to clean up is owned by the job, and goes with it before it has run.
            api.remove("MaskingJob", NAMESPACE, "mask")
            await asyncio.sleep(60)
            keeper.cancel()
            await asyncio.wait({keeper})
        return world

    world = virtualtime.run(main())
    assert not world.files
    records = world.api.find("Secret", SYSTEM)
    assert not [r for r in records if r["metadata"]["labels"].get(PUBLISHED) == "false"]


def _named(api: FakeApi, kind: str, part: str) -> list[str]:
    names = [found["metadata"]["name"] for found in api.find(kind, NAMESPACE)]
    return [name for name in names if part in name]
