"""What runs in the cluster from the start: DNS, storage, rights of the policy agent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from localcluster import archives, mounts, packages
from localcluster.archives import Archive
from localcluster.commands import run
from localcluster.console import progress
from localcluster.invoker import invoker
from localcluster.kubectl import kubectl
from localcluster.layout import DNS_SERVICE, VOLUMES, Node
from localcluster.node import PAUSE_IMAGE

_PREFIX = "localhost/leeward-cluster"
_NOBODY = "65532:65532"
_HELD = "leeward.dev/network-policies=enforced"
DEPLOYMENTS = (("kube-system", "coredns"), ("kube-system", "local-path-provisioner"))
_BUSYBOX_TOOLS = (
    "awk cat chmod chown cp cut date dd df du echo env false find grep head hostname httpd id ip "
    "kill ls md5sum mkdir mv nc nslookup ping printf ps rm rmdir sed seq sh sha256sum sleep sort "
    "stat sync tail tar tee test timeout top touch tr true uname vi wc wget which xargs"
)


def images(own: Path, storage: Path) -> dict[str, Archive]:
    """Return the cluster's own small images, written once per content.

    Args:
        own: folder with our programs.
        storage: folder with the storage provisioner.
    """
    folder = invoker().make_folder(invoker().cache / "cluster" / "images")
    busybox = _busybox()
    tools: dict[str, Path | str] = {f"bin/{name}": "busybox" for name in _BUSYBOX_TOOLS.split()}
    dns, path = own / "dns", storage / "local-path-provisioner"
    return {
        "PAUSE": _image(folder, "pause", {"pause": own / "pause"}, ["/pause"], _NOBODY),
        "DNS": _image(folder, "coredns", {"dns": dns}, ["/dns"], _NOBODY),
        "STORAGE": _image(folder, path.name, {path.name: path}, [f"/{path.name}"], _NOBODY),
        "BUSYBOX": _image(folder, "busybox", {"bin/busybox": busybox, **tools}, [], ""),
    }


def apply(made: dict[str, Archive]) -> None:
    """Apply the manifests of DNS, storage and policy."""
    text = "\n---\n".join(
        path.read_text() for path in sorted((Path(__file__).parent / "manifests").glob("*.yaml"))
    )
    text = text.replace("@VOLUMES@", str(VOLUMES))
    for key, image in made.items():
        text = text.replace(f"@{key}_IMAGE@", image.name).replace(f"@{key}_DIGEST@", image.digest)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)


def label_nodes(nodes: Iterable[Node]) -> None:
    """Say on nodes, for `leeward doctor`, that an agent holds NetworkPolicies there.

    The agent is no DaemonSet, so nobody else can tell.
    """
    kubectl("label", "node", *(one.name for one in nodes), _HELD, "--overwrite")


def resolves_names(node: Node) -> bool:
    """Tell whether a name of the cluster is found through the DNS service from a node."""
    name = "kubernetes.default.svc.cluster.local"
    argv = [*mounts.enter(node), _busybox(), "nslookup", name, DNS_SERVICE]
    return run(argv, check=False, limit=20).returncode == 0


def _image(
    folder: Path, name: str, files: dict[str, Path | str], entrypoint: list[str], user: str
) -> Archive:
    parts = [f"{name} {entrypoint} {user}"]
    for inside, source in sorted(files.items()):
        # Programs stand in folders named by the hash of what they are built from.
        parts.append(f"{inside} {source}")
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    path = folder / f"{name}-{key}.tar"
    full_name = PAUSE_IMAGE if name == "pause" else f"{_PREFIX}/{name}:1"
    if not path.exists():
        progress(f"writing image {full_name}")
        archives.write(path, full_name, files, entrypoint=entrypoint, user=user)
        invoker().own(path)
    return archives.read(path)


def _busybox() -> Path:
    folder = invoker().make_folder(invoker().cache / "cluster" / "busybox")
    path = folder / "busybox"
    if not path.exists():
        progress("fetching busybox (Debian package busybox-static)")
        packages.download_file("busybox-static", "bin/busybox", path)
        invoker().own(path)
    return path
