"""What a machine looks like to the kernel, and running the cluster tool on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CGROUPS = Path("/sys/fs/cgroup")
# A cluster of the tests' own, beside the one that somebody may be using.
NAME = "leeward-trial"
STATE = Path("/var/lib", NAME)
ENVIRONMENT = {**os.environ, "LEEWARD_CLUSTER": NAME}
SETTINGS = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward"),
)


def tool(
    *words: str, checkout: Path = REPOSITORY, limit: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the cluster tool to its end."""
    return subprocess.run(
        [sys.executable, str(checkout / "tools" / "cluster"), *words],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env=ENVIRONMENT,
    )


def tool_ended_early(number: signal.Signals, after: float, *words: str) -> int | None:
    """Start the tool and send it a signal after some seconds; return its exit status."""
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "tools" / "cluster"), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    return process.wait(60)


def second_checkout(folder: Path) -> Path:
    """Copy what the tool needs, as another clone of the repository has it."""
    shutil.copytree(REPOSITORY / "tools" / "cluster", folder / "tools" / "cluster")
    return folder


def kubectl(*words: str) -> str:
    """Run kubectl on the local cluster."""
    done = subprocess.run(
        [str(STATE / "bin" / "kubectl"), f"--kubeconfig={STATE}/kubeconfig", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cluster_processes() -> list[int]:
    """Return every process of the cluster, with those of pods."""
    found: list[int] = []
    root = CGROUPS if (CGROUPS / "cgroup.controllers").exists() else CGROUPS / "pids"
    for folder, _, _ in os.walk(root / NAME):
        found += map(int, Path(folder, "cgroup.procs").read_text().split())
    return found


def container_runs(container_id: str) -> bool:
    """Whether the container has processes; a status may still name the one of before a restart."""
    name = container_id.removeprefix("containerd://")
    folders = CGROUPS.glob(f"**/{NAME}/**/*{name}*") if name else ()
    return any(Path(folder, "cgroup.procs").read_text().strip() for folder in folders)


def kill_everything() -> None:
    """Kill all processes of the cluster at once, as a crash of the machine's session would."""
    for pid in cluster_processes():
        os.kill(pid, signal.SIGKILL)


def traces() -> dict[str, Any]:
    """Return everything that a cluster could leave in the kernel."""
    return {
        "mounts": sorted(
            line.split(maxsplit=2)[2]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "groups": sorted(str(p) for p in CGROUPS.glob(f"**/{NAME}")),
        "processes": cluster_processes(),
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
        "folder": Path("/run", NAME).exists(),
    }
