"""What sealing is compared with: a bare loop, age, Tink, and `openssl speed`.

All work file to file and sync what they wrote, as ours does. age is the Go library (versions and
hashes in tests/bench/age/go.mod and go.sum), built by the `go` program; Tink is the PyPI package.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tink  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tink import streaming_aead

MIB = 1 << 20
TAG = 16
FOLDER = Path(__file__).parent
BUILT = FOLDER.parents[1] / "build" / "bench" / "age"

Work = Callable[[Path, Path], float | None]
"""Makes the second file out of the first; seconds, where it measured them itself."""


def bare_loop(source: Path, target: Path, *, seal: bool) -> None:
    """Read, AES-256-GCM, write, MiB by MiB, in the same two buffers all the time; then sync."""
    aead = AESGCM(bytes(32))
    crypt = aead.encrypt_into if seal else aead.decrypt_into
    taken = memoryview(bytearray(MIB if seal else MIB + TAG))
    given = memoryview(bytearray(MIB + TAG if seal else MIB))
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        index = 0
        while count := reading.readinto(taken):
            out = given[: count + TAG if seal else count - TAG]
            crypt(index.to_bytes(12, "big"), taken[:count], None, out)
            writing.write(out)
            index += 1
        os.fsync(writing.fileno())


class Age:
    """The library of age, in a process of its own."""

    def __init__(self) -> None:
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        build = ["go", "build", "-trimpath", "-o", str(BUILT), "."]
        subprocess.run(build, cwd=FOLDER / "age", check=True, timeout=300)
        self._identity = self._run("key")

    def work(self, operation: str) -> Work:
        """Seal or open."""
        return lambda source, target: float(
            self._run(operation, str(source), str(target), self._identity)
        )

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [BUILT, *arguments], check=True, capture_output=True, text=True, timeout=600
        )
        return done.stdout.strip()


class Tink:
    """Streaming AEAD of Tink, AES-256-GCM-HKDF in segments of 1 MiB."""

    def __init__(self) -> None:
        streaming_aead.register()
        template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
        self._primitive: Any = tink.new_keyset_handle(template).primitive(
            streaming_aead.StreamingAead
        )

    def seal(self, source: Path, target: Path) -> None:
        """Through a buffer of a MiB."""
        buffer = memoryview(bytearray(MIB))
        with source.open("rb", buffering=0) as plain, target.open("wb", buffering=0) as file:
            # It closes the file that it is given.
            copy = os.fdopen(os.dup(file.fileno()), "wb", buffering=MIB)
            with self._primitive.new_encrypting_stream(copy, b"") as sealed:
                while count := plain.readinto(buffer):
                    sealed.write(bytes(buffer[:count]))
            os.fsync(file.fileno())

    def open(self, source: Path, target: Path) -> None:
        """The same the other way."""
        with source.open("rb", MIB) as sealed, target.open("wb", buffering=0) as file:
            with self._primitive.new_decrypting_stream(sealed, b"") as plain:
                while data := plain.read(MIB):
                    file.write(data)
            os.fsync(file.fileno())


def openssl_speed(seconds: int, *, seal: bool) -> float:
    """MiB per second of a processor, over the same MiB again and again, by the openssl program."""
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds)]
    command += ["-bytes", str(MIB), "-evp", "aes-256-gcm"]
    done = subprocess.run(
        command if seal else [*command, "-decrypt"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return float(done.stdout.strip().splitlines()[-1].split(":")[-1]) / MIB
