"""The local cluster survives what happens to it, and leaves nothing when it stops.

These tests break a cluster of their own, beside the one that somebody may be using.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster_tool import machine

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif("KUBE_CONTEXT" in os.environ, reason="tests the local cluster"),
]

WARM_START_LIMIT = 30.0
# Moments of a start, in seconds: from the first namespaces to the waiting for pods.
MOMENTS = (0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.5, 3.5, 5.0)
QUICK_MOMENT = 0.8


@pytest.fixture(autouse=True)
def _running() -> None:
    done = machine.tool("up")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", autouse=True)
def _gone_in_the_end() -> Iterator[None]:
    yield
    assert machine.tool("down", "--wipe").returncode == 0


def assert_works(checkout: Path = machine.REPOSITORY) -> None:
    done = machine.tool("up", checkout=checkout)
    assert done.returncode == 0, done.stderr
    status = machine.tool("status", checkout=checkout)
    assert status.returncode == 0, status.stdout
    name = f"probe-{uuid.uuid4().hex[:6]}"
    image = "--image=localhost/leeward-cluster/busybox:1"
    command = ["--command", "--", "nslookup", "kubernetes.default.svc.cluster.local"]
    options = ["--restart=Never", "--image-pull-policy=Never", image]
    machine.kubectl("run", name, *options, *command)
    succeeded = "--for=jsonpath={.status.phase}=Succeeded"
    machine.kubectl("wait", f"pod/{name}", succeeded, "--timeout=40s")
    machine.kubectl("delete", "pod", name, "--wait=false")


def test_stopping_leaves_nothing_and_starting_warm_is_quick() -> None:
    machine.kubectl("create", "configmap", name := f"kept-{uuid.uuid4().hex[:6]}")
    assert machine.tool("down").returncode == 0
    before = machine.traces()
    assert before["processes"] == []
    assert before["groups"] == []
    assert not before["folder"]
    assert not [line for line in before["mounts"] if machine.NAME in line]
    started = time.monotonic()
    assert_works()
    assert time.monotonic() - started < WARM_START_LIMIT
    machine.kubectl("delete", "configmap", name)
    assert machine.tool("down").returncode == 0
    assert machine.traces() == before


def test_all_processes_killed_at_once_then_started_from_another_checkout(tmp_path: Path) -> None:
    machine.kill_everything()
    assert_works(machine.second_checkout(tmp_path))


def running_dns() -> str:
    """The container of CoreDNS by its status, as soon as that is of the one which runs."""
    container = "jsonpath={.items[0].status.containerStatuses[0].containerID}"
    deadline = time.monotonic() + 30
    while True:
        found = machine.kubectl(
            *("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", container)
        )
        if machine.container_runs(found):
            return found
        assert time.monotonic() < deadline, f"the status of CoreDNS still names {found}"
        time.sleep(0.3)


def test_pods_outlive_the_programs_that_run_them() -> None:
    before = running_dns()
    for name in ("kubelet-n1", "containerd-n1", "kube-apiserver", "etcd", "policy-n1"):
        assert machine.tool("restart", name).returncode == 0
    assert_works()
    assert running_dns() == before


@pytest.mark.parametrize("moment", [QUICK_MOMENT])
def test_start_killed_then_started_again(moment: float, tmp_path: Path) -> None:
    assert machine.tool("down").returncode == 0
    machine.tool_ended_early(signal.SIGKILL, moment, "up")
    assert_works(machine.second_checkout(tmp_path))


def test_second_node_comes_and_goes() -> None:
    assert machine.tool("up", "--nodes", "2").returncode == 0
    assert machine.kubectl("get", "nodes", "-o", "name").split() == ["node/n1", "node/n2"]
    assert_works()
    assert machine.tool("up", "--nodes", "1").returncode == 0
    assert machine.kubectl("get", "nodes", "-o", "name").split() == ["node/n1"]
    assert_works()
