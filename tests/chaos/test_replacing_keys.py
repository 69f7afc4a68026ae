"""What comes between while the keys of a file are replaced: a full volume, other files, jobs.

The pods of the fake world themselves see to it that whoever was given a key can open the file, and
meets the digest that he was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chaos.course import (
    CLAIM,
    JOB_ON_SEALED,
    NAMESPACE,
    REENCRYPTED,
    RENEWED,
    SEALED,
    VAULT,
    ready,
    replaced,
)
from fakeapi import virtualtime
from fakeapi.documents import clone
from fakeapi.replica import SYSTEM, Replica, working
from fakeapi.store import FakeApi, Manifest
from fakeapi.transport import FaultPlan
from fakeapi.world import World

PATH = "raw/people.csv.lwe1"
BOTH = pytest.mark.parametrize(
    ("dataset", "task"), [(RENEWED, "Rewrap"), (REENCRYPTED, "Reencrypt")], ids=["header", "all"]
)


class Scene:
    """A world with one operator."""

    def __init__(self, *manifests: Manifest) -> None:
        self.world = World(FakeApi(virtualtime.stamp))
        for manifest in manifests:
            self.world.api.add(clone(manifest))

    @property
    def status(self) -> dict[str, Any]:
        found = self.world.api.one("Dataset", NAMESPACE, "sealed")
        assert found is not None
        return dict(found.get("status", {}))

    def reason(self, type_: str) -> str:
        conditions = self.status.get("conditions", ())
        return next((str(c["reason"]) for c in conditions if c["type"] == type_), "")

    def change(self, kind: str, name: str, **spec: Any) -> None:
        found = self.world.api.one(kind, NAMESPACE, name)
        assert found is not None
        found["spec"] |= spec
        self.world.api.edit(found)

    def records(self) -> set[str]:
        found = self.world.api.find("Secret", SYSTEM)
        names = {secret["metadata"]["name"] for secret in found}
        return {name.removeprefix("artefact-") for name in names if name.startswith("artefact-")}

    async def until(self, seen: Callable[[], bool], seconds: float = 7200) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if seen():
                    return
                await asyncio.sleep(1)


def play(scene: Callable[[], Any]) -> None:
    virtualtime.run(scene())


@BOTH
def test_a_failure_leaves_all_as_it_was_and_is_tried_again(dataset: Manifest, task: str) -> None:
    async def course() -> None:
        scene = Scene(VAULT, CLAIM, dataset)
        scene.world.failures[task] = ["VolumeFull"]
        async with working(scene.world), asyncio.TaskGroup() as group:
            operator = group.create_task(Replica(scene.world, FaultPlan()).run())
            await scene.until(lambda: scene.reason("RotationComplete") == "VolumeFull")
            await asyncio.sleep(2)
            before = scene.status
            assert scene.reason("Ready") == "Inspected"
            assert scene.world.headers[PATH] == [before["keyId"]]
            scene.world.api.add(clone(JOB_ON_SEALED))  # it can be used as before
            await scene.until(lambda: ready(scene.world.api, "MaskingJob", "mask", "Published"))
            await scene.until(lambda: replaced(scene.world.api))
            assert scene.status["replacedKeyId"] == before["keyId"] not in scene.records()
            assert scene.world.headers[PATH] == [scene.status["keyId"]]
            operator.cancel()

    play(course)


def test_a_wish_that_is_taken_back_leaves_no_key_behind() -> None:
    async def course() -> None:
        scene = Scene(VAULT, CLAIM, REENCRYPTED)
        scene.world.failures["Reencrypt"] = ["OtherRecipients"] * 9
        async with working(scene.world), asyncio.TaskGroup() as group:
            operator = group.create_task(Replica(scene.world, FaultPlan()).run())
            await scene.until(lambda: scene.reason("RotationComplete") == "OtherRecipients")
            scene.change("Dataset", "sealed", rotation=None)
            await scene.until(lambda: "replacement" not in scene.status)
            assert scene.reason("RotationComplete") == "Withdrawn"
            assert scene.records() == {scene.status["keyId"]}
            assert scene.reason("Ready") == "Inspected"
            operator.cancel()

    play(course)


@BOTH
def test_another_file_is_inspected_and_then_its_keys_are_replaced(
    dataset: Manifest, task: str
) -> None:
    async def course() -> None:
        scene = Scene(VAULT, CLAIM, dataset)
        scene.world.failures[task] = ["SourceChanged"]
        async with working(scene.world), asyncio.TaskGroup() as group:
            operator = group.create_task(Replica(scene.world, FaultPlan()).run())
            await scene.until(lambda: scene.reason("RotationComplete") == "SourceChanged")
            await scene.until(lambda: "replacedKeyId" in scene.status)
            await scene.until(lambda: "replacement" not in scene.status)
            inspections = sum(n for k, n in scene.world.pods_started.items() if "-rw-" not in k)
            assert inspections == 2
            operator.cancel()

    play(course)


def test_a_job_that_is_suspended_is_named_and_begins_anew_with_the_new_key() -> None:
    async def course() -> None:
        scene = Scene(VAULT, CLAIM, SEALED, JOB_ON_SEALED)
        api = scene.world.api
        async with working(scene.world), asyncio.TaskGroup() as group:
            operator = group.create_task(Replica(scene.world, FaultPlan()).run())

            def job() -> dict[str, Any]:
                found = api.one("MaskingJob", NAMESPACE, "mask")
                assert found is not None
                return dict(found.get("status", {}))

            await scene.until(lambda: "jobUid" in job())
            scene.change("MaskingJob", "mask", suspend=True)
            old = scene.status["keyId"]
            rotation = {"renewedAfter": virtualtime.stamp()}
            await asyncio.sleep(2)
            scene.change("Dataset", "sealed", rotation=rotation)
            await scene.until(
                lambda: (
                    scene.reason("RotationComplete") == "AwaitingConsumers"
                    or ready(api, "MaskingJob", "mask", "Published")
                )
            )
            scene.change("MaskingJob", "mask", suspend=False)
            await scene.until(lambda: ready(api, "MaskingJob", "mask", "Published"))
            await scene.until(lambda: "replacement" not in scene.status)
            assert scene.status["keyId"] != old
            assert old not in scene.records()
            operator.cancel()

    play(course)
