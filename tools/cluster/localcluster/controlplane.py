"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and the relay to the machine."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from localcluster import processes
from localcluster.certificates import kubeconfig_of
from localcluster.console import ClusterError
from localcluster.layout import (
    API_PORT,
    CONTROL_NODE,
    PKI,
    POD_RANGE,
    RELAY_PORT,
    SERVICE_RANGE,
    STATE,
    write_if_changed,
)
from localcluster.processes import Program

_GROUP = "control"
_PORT_FILE = STATE / "relay-port"
_LISTENER = 100
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "relay")


def etcd() -> Program:
    """Return etcd, on the loopback of the control node."""
    argv = ["etcd", "--name", "local", "--data-dir", STATE / "etcd", "--logger", "zap"]
    argv += ["--listen-client-urls", "http://127.0.0.1:2379"]
    argv += ["--advertise-client-urls", "http://127.0.0.1:2379"]
    argv += ["--listen-peer-urls", "http://127.0.0.1:2380"]
    argv += ["--initial-advertise-peer-urls", "http://127.0.0.1:2380"]
    argv += ["--initial-cluster", "local=http://127.0.0.1:2380", "--log-level", "warn"]
    argv += ["--auto-compaction-retention", "10m", "--quota-backend-bytes", str(4 * 2**30)]
    return Program("etcd", argv, CONTROL_NODE, _GROUP, grace=10)


def api_server(folder: Path) -> Program:
    """Return the API server from a folder of programs."""
    argv = [
        folder / "kube-apiserver",
        f"--advertise-address={CONTROL_NODE.address}",
        f"--secure-port={API_PORT}",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--encryption-provider-config={PKI}/encryption.json",
        f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={PKI}/front-proxy-client.crt",
        f"--proxy-client-key-file={PKI}/front-proxy-client.key",
        "--v=1",
    ]
    return Program("kube-apiserver", argv, CONTROL_NODE, _GROUP, (PKI / "encryption.json",))


def controller_manager(folder: Path) -> Program:
    """Return the controller manager. Nodes have fixed pod ranges, so it hands out none."""
    argv = [
        folder / "kube-controller-manager",
        *_kubeconfig_flags("kube-controller-manager"),
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cluster-cidr={POD_RANGE}",
        "--use-service-account-credentials=true",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-account-private-key-file={PKI}/sa.key",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--v=1",
    ]
    configs = (kubeconfig_of("kube-controller-manager"),)
    return Program("kube-controller-manager", argv, CONTROL_NODE, _GROUP, configs)


def scheduler(folder: Path) -> Program:
    """Return the scheduler."""
    argv = [
        folder / "kube-scheduler",
        *_kubeconfig_flags("kube-scheduler"),
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--v=1",
    ]
    return Program("kube-scheduler", argv, CONTROL_NODE, _GROUP, (kubeconfig_of("kube-scheduler"),))


def relay_port() -> int:
    """Return the relay's port on the machine's loopback, chosen once and kept."""
    with contextlib.suppress(OSError, ValueError):
        return int(_PORT_FILE.read_text())
    for port in (RELAY_PORT, 0):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
            write_if_changed(_PORT_FILE, str(trial.getsockname()[1]))
            break
    return int(_PORT_FILE.read_text())


def start_relay(folder: Path) -> None:
    """Start the relay: it inherits a socket of the machine's and runs in the node's namespace."""
    port = relay_port()
    argv = [folder / "relay", f"-listener={_LISTENER}", f"-to=127.0.0.1:{API_PORT}"]
    program = Program("relay", argv, CONTROL_NODE, _GROUP, grace=1)
    if processes.is_current(program):
        return
    processes.stop(program.name)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            _PORT_FILE.unlink()
            raise ClusterError(
                f"port {port} of 127.0.0.1 is taken by another program ({error.strerror}); "
                "run `make cluster-up` again and another port is used"
            ) from None
        listener.listen(1024)
        os.dup2(listener.fileno(), _LISTENER)
        try:
            processes.start(program, inherit=[_LISTENER])
        finally:
            os.close(_LISTENER)


def _kubeconfig_flags(name: str) -> list[str]:
    path = kubeconfig_of(name)
    flags = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [f"--{flag}={path}" for flag in flags]
