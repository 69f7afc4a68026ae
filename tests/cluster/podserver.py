"""A server of a test that runs in a pod: no image has its program, and no registry is asked.

The pod waits until the program is there; who tests it comes by ``kubectl port-forward``.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from cluster.clinic import Clinic

PATIENCE = 30.0
LONGEST_PAUSE = 5.0


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
    """A port on 127.0.0.1 that leads to one of the pod, also after the way there broke."""
    base = [*_kubectl(clinic), "port-forward", "--address=127.0.0.1", f"pod/{pod}"]
    forward = Forward(lambda port: [*base, f"{port or ''}:{target}"])
    try:
        wait_for(forward.port)
        yield forward.port
    finally:
        forward.stop()


class Forward:
    """A program that listens on a port, and is started again on the same one when it ends.

    ``kubectl port-forward`` ends where its connection to the node breaks, as it does on a machine
    that is busy with other tests. What it writes is read on: it stops at a pipe that is full.

    Args:
        command: Listens on the given port of 127.0.0.1 (0: any), and says so in its first line.
        restarts: How often it may end.
        pause: Seconds before it is first started again; they double each time.

    Attributes:
        port: Where it listens.
    """

    def __init__(
        self, command: Callable[[int], list[str]], *, restarts: int = 10, pause: float = 0.1
    ) -> None:
        self._command = command
        self._restarts = restarts
        self._pause = pause
        self._stopping = threading.Event()
        self._process = self._start(0)
        line = self._output.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            self._end()
        assert found, f"kubectl port-forward does not say where it listens: {line}"
        self.port = int(found[1])
        self._keeper = threading.Thread(target=self._keep, name="forward", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        self._process.terminate()
        self._keeper.join(PATIENCE)

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _start(self, port: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command(port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _keep(self) -> None:
        for number in range(self._restarts):
            self._end()
            if self._stopping.wait(min(self._pause * 2**number, LONGEST_PAUSE)):
                return
            self._process = self._start(self.port)
            if self._stopping.is_set():
                self._process.terminate()
        self._end()

    def _end(self) -> None:
        """Wait for it to end."""
        with self._output as output:
            for _ in output:
                pass
        self._process.wait(PATIENCE)


def _kubectl(clinic: Clinic) -> list[str]:
    context = os.environ.get("KUBE_CONTEXT")
    return ["kubectl", *(["--context", context] if context else []), "-n", clinic.namespace]


def _is_running(clinic: Clinic, pod: str) -> bool:
    return bool(clinic.get("pod", pod)["status"]["containerStatuses"][0]["state"].get("running"))


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
            return
        except OSError:
            assert time.monotonic() < end, "the forwarded port does not answer"
            time.sleep(0.1)
