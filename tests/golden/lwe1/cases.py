"""The golden files: what they hold and how they are made. See README.md."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from golden.rsa.keys import rsa_key
from leeward.formats.material import PrivateKey
from leeward.formats.sealed import (
    ArtefactChaCha20Key,
    ArtefactFernetKey,
    ArtefactKey,
    ChunkAlgorithm,
    HpkeHybridPrivateKey,
    HpkeP256PrivateKey,
    HpkePrivateKey,
    PrivateHalf,
    Recipient,
    RsaOaepPrivateKey,
    SymmetricKey,
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
ERIN = HpkeP256PrivateKey(
    derive_private_key(int.from_bytes(stretch("key erin", 31)), SECP256R1()), stretch("id erin", 16)
)
FRANK = HpkeHybridPrivateKey.from_bytes(stretch("key frank", 32), stretch("id frank", 16))
GRACE = RsaOaepPrivateKey(rsa_key("3072"), stretch("id grace", 16))
HEIDI = RsaOaepPrivateKey(rsa_key("4096"))
IVAN = ArtefactChaCha20Key(stretch("id ivan", 16), stretch("key ivan", 32))
JUDY = ArtefactFernetKey(stretch("id judy", 16), stretch("key judy", 32))
PAIRS = (CAROL, DAVE, ERIN, FRANK, GRACE, HEIDI)
SYMMETRIC = (ALICE, BOB, IVAN, JUDY)
MANIFEST = stretch("manifest", 16)


@dataclass(frozen=True)
class Case:
    """One golden file.

    Attributes:
        reproducible: whether fixed randomness gives the exact bytes (HPKE, RSA-OAEP and Fernet
            draw their own).
        rewrapped_to: recipients put in place by a rewrap afterwards.
    """

    name: str
    plaintext: bytes
    recipients: tuple[Recipient, ...]
    keys: tuple[SymmetricKey | PrivateHalf[PrivateKey], ...]
    chunk_size: int = 64
    manifest_id: bytes | None = None
    rewrapped_to: tuple[Recipient, ...] = ()
    reproducible: bool = True
    algorithm: ChunkAlgorithm | None = None

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
            algorithm=self.algorithm,
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
    Case("chacha20", stretch("text chacha20", 200), (IVAN, ALICE), (IVAN, ALICE)),
    Case(
        "chacha20-core",
        stretch("text chacha20-core", 128),
        (ALICE,),
        (ALICE,),
        algorithm="CHACHA20_POLY1305",
    ),
    Case("hpke-p256", stretch("text p256", 70), (ERIN.public_key,), (ERIN,), reproducible=False),
    Case("hpke-hybrid", stretch("text pq", 70), (FRANK.public_key,), (FRANK,), reproducible=False),
    Case(
        "rsa-oaep",
        stretch("text rsa", 70),
        (GRACE.public_key, HEIDI.public_key),
        (GRACE, HEIDI),
        reproducible=False,
    ),
    Case("fernet", stretch("text fernet", 70), (JUDY,), (JUDY,), reproducible=False),
    Case(
        "every-kind",
        stretch("text every-kind", 70),
        (*SYMMETRIC, *(pair.public_key for pair in PAIRS)),
        (*SYMMETRIC, *PAIRS),
        reproducible=False,
    ),
)

if __name__ == "__main__":
    for case in CASES:
        if not case.path.exists():
            case.path.write_bytes(case.make())
