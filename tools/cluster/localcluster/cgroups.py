"""Control groups: a place for pods, and a sure way to find every process of the cluster.

Every process that the cluster starts enters one of our groups before it runs, and its children
inherit that, so whoever is in the groups is ours and nobody else is. Works with version 1 (one
hierarchy per controller), with the hybrid layout, and with version 2 (one hierarchy).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from localcluster.console import ClusterError
from localcluster.layout import CGROUP

ROOT = Path("/sys/fs/cgroup")
_NEEDED_V2 = ("cpuset", "cpu", "memory", "pids")


@cache
def is_v2(mounted: Path = ROOT) -> bool:
    """Tell whether the machine has only cgroup version 2.

    Args:
        mounted: where control groups are mounted, here and below.
    """
    return (mounted / "cgroup.controllers").exists()


def hierarchies(
    mounted: Path = ROOT, is_mount: Callable[[Path], bool] = Path.is_mount
) -> list[Path]:
    """Return the roots of all hierarchies, without aliases such as ``cpu,cpuacct``.

    Raises:
        ClusterError: control groups are not mounted, or lack memory and pids.
    """
    if is_v2(mounted):
        return [mounted]
    folders = mounted.iterdir() if mounted.is_dir() else ()
    found = sorted(p for p in folders if p.is_dir() and not p.is_symlink() and is_mount(p))
    if not {"memory", "pids"} <= {p.name for p in found}:
        raise ClusterError(
            f"no memory and pids control groups under {mounted}: mount them, or boot with "
            "systemd.unified_cgroup_hierarchy=1"
        )
    return found


def tracking(mounted: Path = ROOT) -> Path:
    """Return our group in the one hierarchy by which processes are found."""
    return (mounted if is_v2(mounted) else mounted / "pids") / CGROUP


def make(name: str) -> None:
    """Make the group ``CLUSTER/NAME`` in every hierarchy, usable at once."""
    for root in hierarchies():
        make_in(root, name, v2=is_v2())


def make_in(root: Path, name: str, *, v2: bool) -> None:
    """Make the group ``CLUSTER/NAME`` in one hierarchy.

    Args:
        root: of the hierarchy.
        name: of the group.
        v2: whether the hierarchy is of version 2.

    Raises:
        ClusterError: version 2 does not offer what a kubelet needs.
    """
    parent = root
    for part in (CGROUP, *name.split("/")):
        if v2:
            _delegate(parent)
        group = parent / part
        group.mkdir(exist_ok=True)
        # Version 1 starts a cpuset empty, and a process cannot enter an empty one.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if not v2 and (group / setting).exists():
                (group / setting).write_text((parent / setting).read_text())
        parent = group


def entry_files(name: str, mounted: Path = ROOT) -> list[Path]:
    """Return the files through which a process enters the group ``CLUSTER/NAME``."""
    roots = [mounted] if is_v2(mounted) else [mounted / "pids", mounted / "memory"]
    return [root / CGROUP / name / "cgroup.procs" for root in roots]


def processes(name: str = "") -> list[int]:
    """Return every process in the group ``CLUSTER/NAME`` and below."""
    group = tracking() / name
    found: list[int] = []
    for folder, _, _ in os.walk(group):
        with contextlib.suppress(OSError):
            found += map(int, (Path(folder) / "cgroup.procs").read_text().split())
    return found


def end_all(name: str, *, grace: float) -> None:
    """Ask every process in the group to end (SIGTERM), and wait at most `grace` seconds."""
    for pid in processes(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while processes(name) and time.monotonic() < deadline:
        time.sleep(0.05)


def kill_all(name: str = "", *, limit: float = 20) -> None:
    """Kill every process in the group and wait until it is empty.

    Raises:
        ClusterError: a process does not go away.
    """
    deadline = time.monotonic() + limit
    while left := processes(name):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes {left} do not end after SIGKILL")
        time.sleep(0.05)


def remove(name: str = "", *, limit: float = 10) -> None:
    """Remove the group and everything below it from every hierarchy."""
    deadline = time.monotonic() + limit
    groups = [root / CGROUP / name for root in hierarchies()]
    # An exited process stays in its group for a moment, so the first try may find it busy.
    while any(group.exists() for group in groups):
        for group in groups:
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
        if time.monotonic() > deadline:
            raise ClusterError(f"cannot remove the control groups {CGROUP}/{name}")
        time.sleep(0.02)


def _delegate(group: Path) -> None:
    offered = (group / "cgroup.controllers").read_text().split()
    wanted = [c for c in (*_NEEDED_V2, "io", "hugetlb") if c in offered]
    lacking = [c for c in _NEEDED_V2 if c not in offered]
    if lacking:
        raise ClusterError(f"the kernel offers no {', '.join(lacking)} control group in {group}")
    (group / "cgroup.subtree_control").write_text(" ".join("+" + c for c in wanted))
