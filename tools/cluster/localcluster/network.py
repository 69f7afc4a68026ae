"""Network namespaces: a fabric that holds only a bridge, and one namespace per node joined to it.

There is no default route and no link to the machine's own interfaces: nothing leaves the cluster,
and the machine reaches it only through the relay.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from localcluster.commands import run
from localcluster.console import ClusterError
from localcluster.layout import FABRIC, NODES, RUN, SERVICE_RANGE, Node

_MODULES = ("overlay", "br_netfilter", "nf_conntrack", "nf_tables", "ip_set", "veth", "bridge")


def load_modules() -> None:
    """Load the kernel modules that are not built in; what is missing shows when it is used."""
    for module in _MODULES:
        if not Path("/sys/module", module).exists():
            run(["modprobe", "--quiet", module], check=False)


def is_pinned(path: Path) -> bool:
    """Tell whether a namespace is pinned at this path."""
    # A pinned namespace is a file on the kernel's namespace file system.
    with contextlib.suppress(OSError):
        return path.stat().st_dev != path.parent.stat().st_dev
    return False


def prepare_pins() -> None:
    """Make the folder of pins a private mount: on a shared one, mount namespaces cannot stand."""
    folder = RUN / "ns"
    if not _is_mount_point(folder):
        run(["mount", "--bind", folder, folder])
        run(["mount", "--make-private", folder])


def release_pins() -> None:
    """Unmount every pin, and the folder of pins as often as it is mounted."""
    folder = RUN / "ns"
    for path in folder.iterdir() if folder.exists() else ():
        unpin(path)
    for _ in range(10):
        if not _is_mount_point(folder):
            return
        run(["umount", "--lazy", folder], check=False)
    raise ClusterError(f"cannot unmount {folder}")


def unpin(path: Path) -> None:
    """Give up a pinned namespace; the kernel removes it with its last process."""
    for _ in range(10):
        if not is_pinned(path):
            break
        run(["umount", "--lazy", path], check=False)
    path.unlink(missing_ok=True)


def make_fabric() -> None:
    """Make the namespace with the bridge between the nodes."""
    if is_pinned(FABRIC):
        shown = run(["nsenter", f"--net={FABRIC}", "ip", "link", "show", "br0"], check=False)
        if shown.returncode == 0:
            return
        raise ClusterError("the network between the nodes is only half made")
    _new_namespace(FABRIC)
    _in(FABRIC, "ip link add br0 type bridge && ip link set br0 up")


def make_node_network(node: Node) -> None:
    """Make the node's network namespace: address, routes and forwarding."""
    port = f"f-{node.name}"
    _new_namespace(node.network)
    _in(FABRIC, f"ip link del {port} 2>/dev/null || true")
    add = ["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0"]
    run(["nsenter", f"--net={FABRIC}", *add, "netns", str(node.network)])
    _in(FABRIC, f"ip link set {port} master br0 && ip link set {port} up")
    others = [other for other in NODES if other != node]
    routes = [f"ip route add {other.pods} via {other.address}" for other in others]
    _in(
        node.network,
        f"""
        ip addr add {node.address}/24 dev eth0
        ip link set eth0 up
        # Programs on the node itself must reach service addresses, too: kube-proxy rewrites them
        # only after a route was found.
        ip route add {SERVICE_RANGE} dev eth0 src {node.address}
        {"; ".join(routes)}
        echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
        echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
        # Traffic between two pods of a node stays on the bridge; policies and services see it
        # only with these.
        echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
        echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
        """,
    )


def _is_mount_point(folder: Path) -> bool:
    """Tell whether something is mounted here, also a bind of the same device."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(folder) for line in lines)


def _new_namespace(pin: Path) -> None:
    unpin(pin)
    pin.touch()
    run(["unshare", f"--net={pin}", "true"])
    # Some kernels put unasked interfaces into every new namespace.
    _in(pin, "ip link set lo up; for i in ifb0 ifb1; do ip link del $i 2>/dev/null || true; done")


def _in(pin: Path, script: str) -> None:
    run(["nsenter", f"--net={pin}", "sh", "-ec", script])
