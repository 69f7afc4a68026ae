"""Authorities to test with, and programs of others that judge what they issue."""

from __future__ import annotations

import datetime
import functools
import itertools
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.x509 import verification

from golden.rsa.keys import material as made
from leeward.formats.certificates import LeafRequest, SpiffeId, workload_id
from leeward.keystore.certificates import Leaf, NameConstraints, issue_leaf, make_authority

T = TypeVar("T", bound=x509.ExtensionType)

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)
HOST = "ward.clinic.svc"
WARD: SpiffeId = workload_id("clinic.example", "clinic", "kd", "ward")
REQUEST = LeafRequest("KeyDelivery clinic/ward", (HOST,), WARD)
ALGORITHMS = ("ECDSA_P256", "ECDSA_P384", "ED25519", "RSA_PSS", "ML_DSA_65")


def counting(start: int = 1) -> Callable[[int], bytes]:
    """Random bytes that are the same every time."""
    numbers = itertools.count(start)
    return lambda size: bytes((next(numbers) * 37 + n * 11) % 256 for n in range(size))


@functools.cache
def material(algorithm: str, which: int = 0) -> bytes:
    """A private key as the key store keeps it."""
    return made(algorithm, os.urandom, which)


@dataclass(frozen=True)
class VaultAuthority:
    """One version of a signing key, with its certificate."""

    algorithm: str = "ECDSA_P256"
    which: int = 0
    subject: str = "clinic/federation ca v1"
    now: datetime.datetime = NOW
    lifetime: datetime.timedelta = YEAR
    constraints: NameConstraints | None = None
    pem: str = field(init=False)

    def __post_init__(self) -> None:
        made = make_authority(
            self.algorithm,
            self.material,
            self.subject,
            4711,
            self.now,
            self.lifetime,
            self.constraints,
        )
        object.__setattr__(self, "pem", made)

    @property
    def material(self) -> bytes:
        return material(self.algorithm, self.which)

    def issue(
        self,
        request: LeafRequest = REQUEST,
        now: datetime.datetime | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Leaf:
        return issue_leaf(self.pem, self.algorithm, self.material, request, now or self.now, random)


def parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def extension(pem: str, kind: type[T]) -> tuple[T, bool]:
    """An extension, and whether it is critical."""
    found = parsed(pem).extensions.get_extension_for_class(kind)
    return found.value, found.critical


def openssl(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def openssl_says(
    folder: Path,
    trust: str,
    leaf: str,
    purpose: str,
    now: datetime.datetime = NOW,
    host: str | None = None,
) -> str:
    """What ``openssl verify -x509_strict`` finds wrong; empty: nothing."""
    (folder / "trust.pem").write_text(trust)
    (folder / "leaf.pem").write_text(leaf)
    result = openssl(
        "verify",
        "-x509_strict",
        *("-attime", str(int(now.timestamp()))),
        *("-purpose", purpose),
        *(("-verify_hostname", host) if host else ()),
        *("-CAfile", folder / "trust.pem"),
        folder / "leaf.pem",
    )
    if result.returncode == 0:
        return ""
    return result.stderr + result.stdout


def cryptography_says(
    trust: str, leaf: str, purpose: str, now: datetime.datetime = NOW, host: str = HOST
) -> str:
    """What ``cryptography.x509.verification`` finds wrong; empty: nothing."""
    store = verification.Store(x509.load_pem_x509_certificates(trust.encode()))
    policy = verification.PolicyBuilder().store(store).time(now)
    try:
        if purpose == "sslserver":
            policy.build_server_verifier(x509.DNSName(host)).verify(parsed(leaf), [])
        else:
            policy.build_client_verifier().verify(parsed(leaf), [])
    except verification.VerificationError as error:
        return str(error)
    return ""
