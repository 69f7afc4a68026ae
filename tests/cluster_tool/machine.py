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
KUBECONFIG = Path("/var/lib/leeward-cluster/kubeconfig")
KUBECTL = Path("/var/lib/leeward-cluster/bin/kubectl")
FOLDERS = ("/run/leeward-cluster", "/var/lib/kubelet", "/run/netns", "/var/log/pods")
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
    )


def tool_ended_early(number: signal.Signals, after: float, *words: str) -> int | None:
    """Start the tool and send it a signal after some seconds; return its exit status."""
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "tools" / "cluster"), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
        [str(KUBECTL), f"--kubeconfig={KUBECONFIG}", *words],
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
    for folder, _, _ in os.walk(root / "leeward-cluster"):
        found += map(int, Path(folder, "cgroup.procs").read_text().split())
    return found


def kill_everything() -> None:
    """Kill all processes of the cluster at once, as a crash of the machine's session would."""
    for pid in cluster_processes():
        os.kill(pid, signal.SIGKILL)


def traces() -> dict[str, Any]:
    """Return everything that a cluster could leave in the kernel."""
    namespaces = set()
    for folder in Path("/proc").glob("[0-9]*"):
        for kind in ("net", "mnt"):
            try:
                namespaces.add(os.readlink(folder / "ns" / kind))
            except OSError:
                continue
    return {
        "mounts": sorted(
            line.split(maxsplit=2)[2]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
        ),
        "namespaces of processes": namespaces,
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "groups": sorted(str(p) for p in CGROUPS.glob("**/leeward*")),
        "processes": cluster_processes(),
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
        "folders": [name for name in FOLDERS if Path(name).exists()],
    }
