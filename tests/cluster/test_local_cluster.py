"""The local cluster is a real one: limits, storage, Secrets at rest, logs, exec and port-forward.

On a cluster of the user's own this is that cluster's affair, and the module is skipped.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcluster.layout import STATE

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif("KUBE_CONTEXT" in os.environ, reason="tests the local cluster itself"),
]

IMAGE = "localhost/leeward-cluster/busybox:1"
Manifest = dict[str, Any]


def kubectl(*words: str, given: object = None) -> str:
    done = subprocess.run(
        ["kubectl", *words],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"local-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    level = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", name, level)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def pod(name: str, command: str, **changes: object) -> Manifest:
    container: Manifest = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", command],
        "resources": {"limits": {"memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    container |= changes.pop("container", {})  # type: ignore[call-overload]
    spec: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": spec | changes,
    }


def wait_for(namespace: str, name: str, phase: str) -> None:
    words = (f"pod/{name}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=60s")
    kubectl("wait", "-n", namespace, *words)


def test_memory_limit_ends_a_pod_that_passes_it(namespace: str) -> None:
    # tail keeps a line without end in memory.
    kubectl("apply", "-n", namespace, "-f", "-", given=pod("greedy", "tail /dev/zero"))
    wait_for(namespace, "greedy", "Failed")
    reason = "jsonpath={.status.containerStatuses[0].state.terminated.reason}"
    assert kubectl("get", "pod", "-n", namespace, "greedy", "-o", reason) == "OOMKilled"


def test_volume_of_the_default_class_is_written_by_one_pod_and_read_by_the_next(
    namespace: str,
) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    kubectl("apply", "-n", namespace, "-f", "-", given=claim)
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    for name, command in (("writer", "echo kept > /data/file"), ("reader", "cat /data/file")):
        one = pod(name, command, volumes=volumes, container=mounted)
        kubectl("apply", "-n", namespace, "-f", "-", given=one)
        wait_for(namespace, name, "Succeeded")
    assert kubectl("logs", "-n", namespace, "reader") == "kept\n"


def test_secret_is_not_readable_in_the_store(namespace: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root reads the store's files")
    planted = f"planted-{uuid.uuid4().hex}"
    kubectl("create", "-n", namespace, "configmap", "plain", f"--from-literal=v={planted}-plain")
    kubectl("create", "-n", namespace, "secret", "generic", "s", f"--from-literal=v={planted}")
    logs = sorted((STATE / "etcd" / "member" / "wal").glob("*.wal"))
    stored = b"".join(path.read_bytes() for path in logs)
    assert f"{planted}-plain".encode() in stored
    assert stored.replace(f"{planted}-plain".encode(), b"").find(planted.encode()) == -1


def test_exec_and_copy_and_many_connections_through_a_forwarded_port(
    namespace: str, tmp_path: Path
) -> None:
    serve = "cd /www && echo served > index.html && exec httpd -f -p 8080"
    volumes = [{"name": "www", "emptyDir": {}}]
    mounted = {"volumeMounts": [{"name": "www", "mountPath": "/www"}]}
    one = pod("web", serve, volumes=volumes, container=mounted)
    kubectl("apply", "-n", namespace, "-f", "-", given=one)
    kubectl("wait", "-n", namespace, "pod/web", "--for=condition=Ready", "--timeout=60s")
    assert kubectl("exec", "-n", namespace, "web", "--", "id", "-u") == "65532\n"
    source = tmp_path / "big"
    source.write_bytes(os.urandom(3_000_000))
    kubectl("cp", "-n", namespace, str(source), "web:/www/big")
    forward = subprocess.Popen(
        ["kubectl", "port-forward", "-n", namespace, "pod/web", ":8080"], stdout=subprocess.PIPE
    )
    assert forward.stdout is not None
    try:
        port = int(forward.stdout.readline().split()[2].rpartition(b":")[2])
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            sizes = list(pool.map(lambda _: len(fetch(port, "/big")), range(16)))
    finally:
        forward.terminate()
        forward.wait(10)
        forward.stdout.close()
    assert min(sizes) > source.stat().st_size


def fetch(port: int, path: str) -> bytes:
    """Return a whole HTTP/1.0 answer, header and body."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        parts = []
        while data := connection.recv(65536):
            parts.append(data)
    return b"".join(parts)
