"""What runs on every node: containerd, kubelet, kube-proxy, the policy agent."""

from __future__ import annotations

import json
import time
from pathlib import Path

from localcluster import mounts, processes
from localcluster.archives import Archive
from localcluster.certificates import kubeconfig_of
from localcluster.commands import run, wait_for
from localcluster.console import progress
from localcluster.layout import (
    CGROUP,
    CONF,
    DNS_SERVICE,
    PKI,
    POD_RANGE,
    STATE,
    Node,
    write_if_changed,
)
from localcluster.processes import Program

PAUSE_IMAGE = "localhost/leeward-cluster/pause:1"
_SOCKET = "/run/containerd/containerd.sock"
_CNI = Path("/usr/lib/cni")


def program_names(node: Node) -> tuple[str, ...]:
    """Return the names of the node's processes, in the order in which they stop."""
    programs = ("kubelet", "kube-proxy", "policy", "containerd")
    return tuple(f"{name}-{node.name}" for name in programs)


def start_containerd(node: Node, programs: Path) -> None:
    """Start the container runtime and wait until it answers."""
    config = _folder(node) / "containerd.toml"
    write_if_changed(config, _containerd_config(node))
    _write_cni(node, programs)
    name = f"containerd-{node.name}"
    program = Program(name, ["containerd", "-c", config], node, f"{node.name}/daemons", (config,))
    processes.start(program)
    wait_for(
        f"containerd of {node.name}",
        lambda: ctr(node, "version", check=False)[0] == 0,
        limit=30,
        explain=lambda: processes.explain(name),
    )


def load_images(node: Node, images: list[Archive]) -> None:
    """Import images into a node, those that it does not have already."""
    present = _images(node)
    for image in images:
        if present.get(image.name) != image.digest:
            progress(f"loading {image.name} into {node.name}")
            words = ("images", "import", "--snapshotter", _snapshotter(), str(image.path))
            ctr(node, *words, limit=300)


def remove_images(node: Node, prefix: str, kept: set[str]) -> None:
    """Remove images whose names begin so, but for those that are kept or that a container has."""
    lines = ctr(node, "containers", "ls")[1].splitlines()[1:]
    used = {fields[1] for fields in map(str.split, lines) if len(fields) > 1}
    old = outdated(_images(node), prefix, kept | used)
    if old:
        progress(f"removing old images {prefix}... from {node.name}")
        ctr(node, "images", "rm", "--sync", *old, limit=300)


def outdated(images: dict[str, str], prefix: str, kept: set[str]) -> list[str]:
    """What is to be removed: old names, and what containerd also calls these images by itself.

    It gives every image a second name, sha256:..., by which it would stay on the disk, and which
    kubelet tells of as an image without names.

    Args:
        images: Names and digests.
        prefix: What names of images that may go begin with.
        kept: Names that stay.
    """
    own = {name for name in images if name.startswith("sha256:")}
    old = {name for name in images if name.startswith(prefix)} - kept
    named = {images[name] for name in images.keys() - own - old}
    return sorted(old | {name for name in own - kept if images[name] not in named})


def copy_images(names: list[str], source: Node, target: Node) -> None:
    """Give a node images that another has and it lacks: they cannot be pulled."""
    have, lack = _images(source), _images(target)
    missing = [name for name in names if name in have and lack.get(name) != have[name]]
    if missing:
        progress(f"copying {len(missing)} images from {source.name} to {target.name}")
        archive = target.folder / "copied-images.tar"
        ctr(source, "images", "export", str(archive), *missing, limit=300)
        ctr(target, "images", "import", "--snapshotter", _snapshotter(), str(archive), limit=300)
        archive.unlink()


def start_kubelet(node: Node, kubernetes: Path) -> float:
    """Start kubelet and kube-proxy; return since when what the kubelet says can be believed."""
    group = f"{node.name}/daemons"
    config = _folder(node) / "kubelet.json"
    write_if_changed(config, json.dumps(_kubelet_config(node), indent=1))
    write_if_changed(_folder(node) / "resolv.conf", "nameserver 127.0.0.1\n", 0o644)
    credentials = kubeconfig_of(f"kubelet-{node.name}")
    argv = [
        kubernetes / "kubelet",
        f"--config={config}",
        f"--kubeconfig={credentials}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        "--v=1",
    ]
    program = Program(f"kubelet-{node.name}", argv, node, group, (config, credentials))
    since = time.time() if processes.start(program) else 0
    config = _folder(node) / "kube-proxy.json"
    write_if_changed(config, json.dumps(_proxy_config(node), indent=1))
    argv = [kubernetes / "kube-proxy", f"--config={config}", "--v=1"]
    configs = (config, kubeconfig_of("kube-proxy"))
    processes.start(Program(f"kube-proxy-{node.name}", argv, node, group, configs))
    return since


def start_policy_agent(node: Node, programs: Path) -> None:
    """Start the agent that holds NetworkPolicies. Pods wait for it, so nothing else has to."""
    credentials = kubeconfig_of("policy-agent")
    name = f"policy-{node.name}"
    socket = _policy_socket(node)
    argv = [
        programs / "policyagent",
        f"-kubeconfig={credentials}",
        f"-node={node.name}",
        f"-socket={socket}",
        f"-state={node.folder / 'cni-state' / 'policy'}",
    ]
    group = f"{node.name}/daemons"
    processes.start(Program(name, argv, node, group, (credentials,)))


def ctr(node: Node, *words: str, check: bool = True, limit: float = 15) -> tuple[int, str]:
    """Run containerd's client inside the node; a dead containerd makes it hang, hence the limit."""
    argv = [*mounts.enter(node), "timeout", str(int(limit)), "ctr", "-a", _SOCKET, "-n", "k8s.io"]
    done = run([*argv, *words], check=check, limit=limit + 5)
    return done.returncode, done.stdout.decode()


def running_containers(node: Node) -> set[str]:
    """Return the ids of the containers that run on the node."""
    lines = ctr(node, "tasks", "ls", check=False)[1].splitlines()[1:]
    return {fields[0] for fields in map(str.split, lines) if fields[-1:] == ["RUNNING"]}


def _images(node: Node) -> dict[str, str]:
    lines = ctr(node, "images", "ls")[1].splitlines()[1:]
    return {fields[0]: fields[2] for fields in map(str.split, lines) if len(fields) > 2}


def _folder(node: Node) -> Path:
    return CONF / node.name


def _policy_socket(node: Node) -> Path:
    return node.run / "policy.sock"


def _snapshotter() -> str:
    """Overlays cannot be stacked on an overlay, as inside another container."""
    kind = run(["stat", "--file-system", "--format=%T", STATE]).stdout.decode().strip()
    return "native" if kind == "overlayfs" else "overlayfs"


def _write_cni(node: Node, programs: Path) -> None:
    """Write the pod network: a bridge with fixed addresses, host ports, and our policies.

    The last plugin asks the policy agent to guard the new pod before its containers start.
    """
    folder = node.folder / "cni-bin"
    folder.mkdir(exist_ok=True)
    plugins = {path.name: path for path in _CNI.iterdir()}
    plugins["leeward-policy"] = programs / "cniplugin"
    for name, path in plugins.items():
        new = folder / f".{name}.new"
        new.unlink(missing_ok=True)
        new.symlink_to(path)
        new.replace(folder / name)
    ranges = [[{"subnet": node.pods}]]
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isDefaultGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    policy = {"type": "leeward-policy", "socket": str(_policy_socket(node))}
    chain = {"cniVersion": "1.0.0", "name": "leeward", "plugins": [bridge, portmap, policy]}
    path = node.folder / "cni-conf" / "net.d" / "10-leeward.conflist"
    write_if_changed(path, json.dumps(chain, indent=1))


def _containerd_config(node: Node) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
]
[grpc]
  address = "{_SOCKET}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  # Root without CAP_SYS_RESOURCE, as in some virtual machines, cannot lower OOM scores.
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [{cri}.containerd]
    snapshotter = "{_snapshotter()}"
    default_runtime_name = "runc"
    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{cri}.containerd.runtimes.runc.options]
        SystemdCgroup = false
  [{cri}.cni]
    bin_dir = "{node.folder}/cni-bin"
    conf_dir = "/etc/cni/net.d"
"""


def _kubelet_config(node: Node) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "address": node.address,
        "healthzBindAddress": "127.0.0.1",
        "tlsCertFile": f"{PKI}/kubelet-serving-{node.name}.crt",
        "tlsPrivateKeyFile": f"{PKI}/kubelet-serving-{node.name}.key",
        "containerRuntimeEndpoint": f"unix://{_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}/{node.name}/pods",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_SERVICE],
        "resolvConf": str(_folder(node) / "resolv.conf"),
        "volumePluginDir": "/var/lib/kubelet/volumeplugins",
        # Images are loaded, not pulled: one that is cleaned up is gone.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "30s",
        "seccompDefault": True,
        "podPidsLimit": 1024,
        "maxPods": 60,
        "maxOpenFiles": 20000,
    }


def _proxy_config(node: Node) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig_of("kube-proxy"))},
        "mode": "iptables",
        "clusterCIDR": POD_RANGE,
        "detectLocalMode": "ClusterCIDR",
        "hostnameOverride": node.name,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # 0: leave the machine's connection tracking as it is.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"syncPeriod": "10s", "minSyncPeriod": "0s"},
    }
