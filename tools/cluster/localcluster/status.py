"""What runs, what it uses, and how to reach it."""

from __future__ import annotations

from localcluster import cgroups, controlplane, mounts, network, node, processes
from localcluster.api import Api
from localcluster.commands import tail
from localcluster.console import ClusterError, result
from localcluster.kubectl import kubectl
from localcluster.layout import BIN, FABRIC, KUBECONFIG, LOG, NODES, PKI, Node


def status() -> int:
    """Print the state of the local cluster; return 0 where it is whole, else 1."""
    nodes = [one for one in NODES if mounts.is_complete(one)]
    if not nodes and not processes.recorded():
        left = cgroups.processes() if cgroups.tracking().exists() else []
        result("the local cluster is stopped" + (f"; processes left: {left}" if left else ""))
        return 1
    names = [*controlplane.NAMES, *(name for one in nodes for name in node.program_names(one))]
    dead = [name for name in names if processes.pid_of(name) is None]
    for name in names:
        pid = processes.pid_of(name)
        memory = f"{_resident(pid):6.0f} MiB   process {pid}" if pid else "   NOT RUNNING"
        result(f"{name:26} {memory}")
    total = sum(map(_resident, cgroups.processes()))
    result(f"{'all, with pods':26} {total:6.0f} MiB")
    if not network.is_pinned(FABRIC):
        dead.append("the network between the nodes")
    dead += [f"node {one.name} Ready" for one in nodes if not _ready(one)]
    if dead:
        result(f"\nmissing: {', '.join(dead)}; `make cluster-up` repairs it. Logs: {LOG}")
        return 1
    result("\n" + kubectl("get", "nodes", "-o", "wide", "--request-timeout=5s", limit=15))
    result(f"\nexport KUBECONFIG={KUBECONFIG} PATH={BIN}:$PATH")
    return 0


def logs(name: str | None, lines: int) -> None:
    """Print the end of one component's log, or the names of all.

    Raises:
        ClusterError: there is no such log.
    """
    found = {path.stem: path for path in sorted(LOG.glob("*.log"))}
    if name is None:
        result("\n".join(found) or "no logs yet")
    elif name not in found:
        raise ClusterError(f"no log of {name}; there are: {', '.join(found)}")
    else:
        result(tail(found[name].read_bytes(), lines))


def _ready(one: Node) -> bool:
    return PKI.exists() and Api(controlplane.relay_port()).node_ready(one.name)


def _resident(pid: int) -> float:
    """Return a process's resident memory in MiB, 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * 4096 / 2**20
    except (OSError, ValueError):
        return 0
