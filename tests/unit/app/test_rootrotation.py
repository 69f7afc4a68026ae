"""The loop around rotations of the root key: how often it looks, and that no fault ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from fakeapi import virtualtime
from leeward.app.rootrotation import LOOK, WORK, RootKeyRotator
from leeward.keystore.rootrotation import RotationProgress
from leeward.kube.errors import ForbiddenError
from leeward.plans.shared.faults import StaleWriteError

NOTHING = RotationProgress(under_way=False)
GOING_ON = RotationProgress(under_way=True, moved=1, stuck=("keyset-x",))


def looked(count: int, *rounds: RotationProgress | Exception) -> tuple[list[float], RootKeyRotator]:
    """When it looked, in seconds from its start; after these rounds nothing is to be done."""
    times: list[float] = []
    left = list(rounds)

    async def step() -> RotationProgress:
        times.append(asyncio.get_running_loop().time())
        found = left.pop(0) if left else NOTHING
        if isinstance(found, Exception):
            raise found
        return found

    async def main() -> RootKeyRotator:
        rotator = RootKeyRotator(step)
        running = asyncio.create_task(rotator.run())
        await until(lambda: len(times) == count)
        running.cancel()
        await asyncio.wait({running})
        return rotator

    rotator = virtualtime.run(main())
    return [time - times[0] for time in times], rotator


async def until(over: Callable[[], bool]) -> None:
    while True:
        if over():
            return
        await asyncio.sleep(1)


def test_it_looks_once_a_minute_and_more_often_while_there_is_work() -> None:
    times, _ = looked(4, NOTHING, GOING_ON)
    assert times == [0, LOOK, LOOK + WORK, 2 * LOOK + WORK]


def test_what_holds_a_rotation_up_is_known() -> None:
    assert looked(1, GOING_ON)[1].stuck == ("keyset-x",)
    assert looked(2, GOING_ON, NOTHING)[1].stuck == ()


@pytest.mark.parametrize("error", [StaleWriteError("changed"), ForbiddenError("no", 403, "")])
def test_after_a_fault_it_tries_again_soon(error: Exception) -> None:
    assert looked(3, error)[0] == [0, WORK, WORK + LOOK]


def test_a_fault_of_ours_is_logged_without_its_text_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times, _ = looked(2, ValueError("a value"))
    assert times == [0, LOOK]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "a value" not in str(vars(record))
