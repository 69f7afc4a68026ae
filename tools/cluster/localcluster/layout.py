"""Where everything stands: in one state folder per machine, never in the checkout."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from localcluster.console import ClusterError

# Another name is another cluster beside the first: the recovery tests break one of their own.
NAME = os.environ.get("LEEWARD_CLUSTER") or "leeward-cluster"
STATE = Path("/var/lib", NAME)
RUN = Path("/run", NAME)

KUBECONFIG = STATE / "kubeconfig"
BIN = STATE / "bin"
PKI = STATE / "pki"
CONF = STATE / "conf"
LOG = STATE / "log"
VOLUMES = STATE / "volumes"

SOURCES = Path(__file__).resolve().parent.parent
REPOSITORY = SOURCES.parent.parent

SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
RELAY_PORT = 16443
API_PORT = 6443
CGROUP = NAME


@dataclass(frozen=True)
class Node:
    """One node: its name, its address and the addresses of its pods."""

    name: str
    address: str
    pods: str

    @property
    def folder(self) -> Path:
        """The node's part of the state folder."""
        return STATE / "nodes" / self.name

    @property
    def network(self) -> Path:
        """Where the node's network namespace is pinned."""
        return RUN / "ns" / f"net-{self.name}"

    @property
    def mounts(self) -> Path:
        """Where the node's mount namespace is pinned."""
        return RUN / "ns" / f"mnt-{self.name}"

    @property
    def complete(self) -> Path:
        """Written last when the namespaces are made; holds their inode numbers."""
        return RUN / "ns" / f"{self.name}.complete"

    @property
    def run(self) -> Path:
        """The node's sockets."""
        return RUN / self.name


NODES = (
    Node("n1", "10.240.0.11", "10.244.0.0/24"),
    Node("n2", "10.240.0.12", "10.244.1.0/24"),
)
CONTROL_NODE = NODES[0]
FABRIC = RUN / "ns" / "net-fabric"


@functools.cache
def boot_id() -> str:
    """Return the identity of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def make_folders() -> None:
    """Make the state folder; only root reads what is secret in it."""
    try:
        folders = (BIN, LOG, VOLUMES, STATE / "nodes", RUN / "ns", RUN / "processes")
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        CONF.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ClusterError(f"cannot make the cluster's state folder: {error}") from None


def write_if_changed(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file by rename, and only where its content differs.

    kube-proxy exits when its configuration is rewritten, even with the same content.
    """
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_text(text)
    new.replace(path)
