"""A real S3 server in a process of its own, with TLS, on loopback: versitygw over a folder.

The program is built by ``go`` of the module beside this file, once, and kept under build/:
``python -m s3.server`` does that before tests, for it takes minutes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

from openbao.certificates import Authority

ACCESS_KEY_ID = "test-access-key"
SECRET_ACCESS_KEY = "test-secret-access-key"
REGION = "us-east-1"
VIRTUAL_DOMAIN = "s3.test"
"""Hosts below it are buckets (RFC 6761: nobody else has them)."""
PATIENCE = 30.0
MODULE = Path(__file__).parent / "versitygw"
BUILT = MODULE.parents[2] / "build" / "tests"


class Objects:
    """What somebody with the credentials does with a server that has the bucket ``clinic``."""

    def __init__(self, endpoint: str, ca: Path) -> None:
        self.ca = ca
        self.client: Any = Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=endpoint,
            verify=str(ca),
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            # A forwarded port that broke is there again after some seconds.
            config=Config(retries={"mode": "standard", "total_max_attempts": 8}),
        )

    def put(self, key: str, data: bytes) -> None:
        """Put an object there at once, as somebody else would."""
        self.client.put_object(Bucket="clinic", Key=key, Body=data)

    def get(self, key: str) -> bytes:
        """All of an object."""
        return bytes(self.client.get_object(Bucket="clinic", Key=key)["Body"].read())

    def forget(self) -> None:
        """Remove all objects and uploads."""
        for key in self.names():
            self.client.delete_object(Bucket="clinic", Key=key)
        found = self.client.list_multipart_uploads(Bucket="clinic")
        for entry in found.get("Uploads", []):
            self.client.abort_multipart_upload(
                Bucket="clinic", Key=entry["Key"], UploadId=entry["UploadId"]
            )

    def names(self) -> list[str]:
        """Names of all objects."""
        found = self.client.list_objects_v2(Bucket="clinic")
        return [entry["Key"] for entry in found.get("Contents", [])]

    def uploads(self) -> list[str]:
        """Names of objects of which an upload was begun and not ended."""
        found = self.client.list_multipart_uploads(Bucket="clinic")
        return [entry["Key"] for entry in found.get("Uploads", [])]


class S3Server(Objects):
    """One server on loopback; its files lie in a folder."""

    def __init__(self, folder: Path) -> None:
        """Start it and wait until it serves.

        Args:
            folder: Empty; objects, certificate and log stand there.
        """
        objects = folder / "objects"
        (objects / "clinic").mkdir(parents=True)
        authority = Authority("s3 of a test")
        files = authority.issue(folder, "127.0.0.1", "localhost", f"clinic.{VIRTUAL_DOMAIN}")
        ca = folder / "ca.crt"
        ca.write_text(authority.pem)
        self.port = _free_port()
        super().__init__(self.endpoint, ca)
        self._log = folder / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "ROOT_ACCESS_KEY": ACCESS_KEY_ID,
            "ROOT_SECRET_KEY": SECRET_ACCESS_KEY,
        }
        (folder / "meta").mkdir()
        command = [
            *_dying_with_us(),
            str(program()),
            "--port",
            f"127.0.0.1:{self.port}",
            "--cert",
            str(files.certificate),
            "--key",
            str(files.key),
            "--virtual-domain",
            VIRTUAL_DOMAIN,
            "posix",
            "--sidecar",
            str(folder / "meta"),
            str(objects),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> str:
        """Where it serves."""
        return f"https://127.0.0.1:{self.port}"

    def freeze(self) -> None:
        """Have it answer nobody: connections are taken, and nothing comes."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < end, self._log.read_text()
                time.sleep(0.02)


def program() -> Path:
    """The server's program, built if it is not there yet."""
    version = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    target = BUILT / f"versitygw-{version}"
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "versitygw.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            part = target.with_suffix(".part")
            package = "github.com/versity/versitygw/cmd/versitygw"
            build = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", str(part), package]
            environment = {**os.environ, "CGO_ENABLED": "0"}
            subprocess.run(build, cwd=MODULE, check=True, timeout=1200, env=environment)
            part.rename(target)
    return target


def _dying_with_us() -> list[str]:
    """A test run that is killed leaves no server behind."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    program()
