"""A node's mount namespace: its own state under the usual paths, and nothing comes back out."""

from __future__ import annotations

import os
from pathlib import Path

from localcluster import cgroups, network, state
from localcluster.commands import run
from localcluster.layout import RUN, VOLUMES, Node

# Folder in the node's state -> path that the programs use. Those of the first group get mounts
# inside them while the node runs.
_BUSY = {
    "kubelet": "/var/lib/kubelet",
    "containerd": "/var/lib/containerd",
    "run-containerd": "/run/containerd",
    "run-netns": "/run/netns",
}
_QUIET = {
    "log-pods": "/var/log/pods",
    "log-containers": "/var/log/containers",
    "cni-conf": "/etc/cni",
    "cni-state": "/var/lib/cni",
    "volumes": str(VOLUMES),
}
# Sockets, address leases and the like of pods that cannot have outlived their namespaces.
_PER_RUN = ("run-containerd", "run-netns", "cni-state")


def is_complete(node: Node) -> bool:
    """Tell whether the node's namespaces stand and were made to the end."""
    try:
        wanted = node.complete.read_text()
    except OSError:
        return False
    return wanted == _identity(node)


def make_node(node: Node) -> None:
    """Make the node's namespaces and control groups; a half-made one must be removed before."""
    for folder in (*_BUSY, *_QUIET):
        path = node.folder / folder
        if folder in _PER_RUN and path.exists():
            run(["rm", "-rf", "--one-file-system", path])
        path.mkdir(parents=True, exist_ok=True)
    (node.folder / "sysfs").mkdir(exist_ok=True)
    node.run.mkdir(exist_ok=True)
    state.make_mount_points([Path(path) for path in (*_BUSY.values(), *_QUIET.values())])
    cgroups.make(f"{node.name}/pods")
    network.make_node_network(node)
    network.unpin(node.mounts)
    node.mounts.touch()
    enter = ["nsenter", f"--net={node.network}", "unshare", f"--mount={node.mounts}"]
    run([*enter, "--propagation", "private", "sh", "-ec", _script(node)])
    node.complete.write_text(_identity(node))


def remove_node(node: Node) -> None:
    """Kill what runs in the node and give up its namespaces and control groups."""
    node.complete.unlink(missing_ok=True)
    cgroups.kill_all(node.name)
    network.unpin(node.mounts)
    network.unpin(node.network)
    cgroups.remove(node.name)


def enter(node: Node) -> list[str]:
    """Return the command prefix that runs a program inside the node."""
    return ["nsenter", f"--net={node.network}", f"--mount={node.mounts}"]


def _script(node: Node) -> str:
    aside = node.folder / "sysfs"
    lines = [
        # /sys shows the interfaces of the network namespace in which it was mounted; the control
        # groups stay the machine's.
        f"mount --move /sys/fs/cgroup {aside}",
        "mount -t sysfs sysfs /sys",
        f"mount --move {aside} /sys/fs/cgroup",
        "mount --make-rshared /",
    ]
    for name, path in {**_BUSY, **_QUIET}.items():
        lines.append(f"mount --bind {node.folder / name} {path}")
    for path in _BUSY.values():
        # A peer group of its own; else every mount of a pod shows twice.
        lines.append(f"mount --make-private {path} && mount --make-shared {path}")
    return "\n".join(lines)


def _identity(node: Node) -> str:
    if not (network.is_pinned(node.network) and network.is_pinned(node.mounts)):
        return "not pinned"
    return f"{os.stat(node.network).st_ino} {os.stat(node.mounts).st_ino} {RUN}"
