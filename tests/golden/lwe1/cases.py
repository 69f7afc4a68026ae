"""The golden files: what they hold and how they are made. See README.md."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leeward.formats.sealed import (
    ArtefactKey,
    HpkePrivateKey,
    Recipient,
    Unwrapper,
    rewrap,
    seal_stream,
)

FOLDER = Path(__file__).parent


def stretch(label: str, size: int) -> bytes:
    """`size` bytes of SHAKE-256 of a label: fixed, and looking random."""
    return hashlib.shake_256(label.encode()).digest(size)


def fixed_random(name: str) -> Callable[[int], bytes]:
    """Stands for the system's randomness: call number N gives `stretch("random NAME N", size)`."""
    calls = 0

    def random(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return stretch(f"random {name} {calls}", size)

    return random


ALICE = ArtefactKey(stretch("id alice", 16), stretch("key alice", 32))
BOB = ArtefactKey(stretch("id bob", 16), stretch("key bob", 32))
CAROL = HpkePrivateKey.from_bytes(stretch("key carol", 32))
DAVE = HpkePrivateKey.from_bytes(stretch("key dave", 32), stretch("id dave", 16))
MANIFEST = stretch("manifest", 16)


@dataclass(frozen=True)
class Case:
    """One golden file.

    Attributes:
        reproducible: whether fixed randomness gives the exact bytes (HPKE draws its own).
        rewrapped_to: recipients put in place by a rewrap afterwards.
    """

    name: str
    plaintext: bytes
    recipients: tuple[Recipient, ...]
    keys: tuple[Unwrapper, ...]
    chunk_size: int = 64
    manifest_id: bytes | None = None
    rewrapped_to: tuple[Recipient, ...] = ()
    reproducible: bool = True

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.lwe"

    def make(self) -> bytes:
        """The file's bytes, by the code under test."""
        random = fixed_random(self.name)
        target = io.BytesIO()
        seal_stream(
            io.BytesIO(self.plaintext),
            target,
            self.recipients,
            random=random,
            manifest_id=self.manifest_id,
            chunk_size=self.chunk_size,
        )
        if self.rewrapped_to:
            rewrap(target, self.keys, self.rewrapped_to, random=random)
        return target.getvalue()


CASES = (
    Case("empty", b"", (ALICE,), (ALICE,)),
    Case("short", b"hello, world\n", (ALICE,), (ALICE,), chunk_size=1 << 20),
    Case("border", stretch("text border", 128), (ALICE,), (ALICE,)),
    Case("several", stretch("text several", 200), (ALICE, BOB), (ALICE, BOB), manifest_id=MANIFEST),
    Case("rewrapped", stretch("text rewrapped", 100), (ALICE,), (ALICE, BOB), rewrapped_to=(BOB,)),
    Case(
        "hpke",
        stretch("text hpke", 70),
        (CAROL.public_key, DAVE.public_key),
        (CAROL, DAVE),
        reproducible=False,
    ),
)

if __name__ == "__main__":
    for case in CASES:
        if not case.path.exists():
            case.path.write_bytes(case.make())
