"""The long form of test_recovery: every moment of a start and a stop, by every signal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster_tool import machine
from cluster_tool.test_recovery import MOMENTS, assert_works

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("KUBE_CONTEXT" in os.environ, reason="tests the local cluster"),
]


@pytest.fixture(scope="module", autouse=True)
def _gone_in_the_end() -> Iterator[None]:
    yield
    assert machine.tool("down", "--wipe").returncode == 0


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["INT", "KILL"])
def test_start_ended_at_any_moment(number: signal.Signals, moment: float, tmp_path: Path) -> None:
    assert machine.tool("down").returncode == 0
    machine.tool_ended_early(number, moment, "up")
    assert_works(machine.second_checkout(tmp_path))


@pytest.mark.parametrize("moment", MOMENTS)
def test_start_and_all_its_processes_killed_at_any_moment(moment: float) -> None:
    assert machine.tool("down").returncode == 0
    machine.tool_ended_early(signal.SIGKILL, moment, "up")
    machine.kill_everything()
    assert_works()


@pytest.mark.parametrize("moment", MOMENTS)
def test_stop_killed_at_any_moment(moment: float) -> None:
    assert machine.tool("up").returncode == 0
    machine.tool_ended_early(signal.SIGKILL, moment, "down")
    assert_works()


def test_stop_after_a_killed_start_leaves_nothing() -> None:
    assert machine.tool("down").returncode == 0
    before = machine.traces()
    for moment in MOMENTS:
        machine.tool_ended_early(signal.SIGKILL, moment, "up")
        assert machine.tool("down").returncode == 0
        assert machine.traces() == before
    assert_works()
