"""A server of a test that runs in a pod: no image has its program, and no registry is asked.

The pod waits until the program is there ; who tests it comes by ``kubectl port-forward``.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.clinic import Clinic

PATIENCE = 30.0


def bring_program(clinic: Clinic, pod: str, program: Path, target: str) -> None:
    """Bring the program into the pod, which starts it, and wait until it is ready."""
    clinic.until("the server's pod runs", lambda: _is_running(clinic, pod))
    packed = gzip.compress(program.read_bytes(), compresslevel=1)
    command = f"gzip -d > {target}.part && chmod 0555 {target}.part && mv {target}.part {target}"
    done = subprocess.run(
        [*_kubectl(clinic), "exec", "-i", pod, "--", "sh", "-c", command],
        input=packed,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    clinic.run("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=60s", timeout=70)


@contextlib.contextmanager
def forwarded(clinic: Clinic, pod: str, target: int) -> Iterator[int]:
    """A port on 127.0.0.1 that leads to one of the pod."""
    process = subprocess.Popen(
        [*_kubectl(clinic), "port-forward", "--address=127.0.0.1", f"pod/{pod}", f":{target}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found, "kubectl port-forward does not say where it listens"
        port = int(found[1])
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout:
            process.stdout.close()


def _kubectl(clinic: Clinic) -> list[str]:
    context = os.environ.get("KUBE_CONTEXT")
    return ["kubectl", *(["--context", context] if context else []), "-n", clinic.namespace]


def _is_running(clinic: Clinic, pod: str) -> bool:
    return bool(clinic.get("pod", pod)["status"]["containerStatuses"][0]["state"].get("running"))


def _wait(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return
        except OSError:
            assert time.monotonic() < end, "the forwarded port does not answer"
            time.sleep(0.1)
