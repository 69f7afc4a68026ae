"""What each algorithm costs here, for docs/choosing-algorithms.md: nothing is limited, only told.

Everything is told in times of AES-256-GCM in the same run, since seconds differ between machines:
contents of files and values as a rate, operations of keys as the bytes that AES-256-GCM would have
sealed in the same time. All is done as Leeward does it, on one core.

    files    1 MiB, sealed in one call
    values   a column of numbers of 12 digits, by the masking engine
    keys     a file's data key wrapped and unwrapped, a statement signed and verified, a key made

    python tests/bench/bench_algorithms.py [--rounds N]
"""

from __future__ import annotations

import argparse
import base64
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import polars as pl
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from leeward.api.algorithms import ALGORITHMS
from leeward.api.transforms import FormatPreserving
from leeward.formats.dsse import SigningKey, open_envelope, sign_envelope, verifying_key
from leeward.formats.material import generate, private_key
from leeward.formats.sealed import SEALING_ALGORITHMS, recipient_of, unwrapper_of
from leeward_masking.transforms import basic
from leeward_masking.transforms.formatpreserving import FormatPreservingMask

MIB = 1 << 20
VALUES = 100_000
ID = bytes(16)
SECONDS_PER_ROUND = 0.1
Work = Callable[[], object]


def files() -> Iterator[tuple[str, Work, float]]:
    """Name, work, MiB in it."""
    data, nonce = os.urandom(MIB), bytes(12)
    gcm, chacha = AESGCM(bytes(32)), ChaCha20Poly1305(bytes(32))
    fernet = Fernet(base64.urlsafe_b64encode(bytes(32)))
    yield "AES256_GCM", partial(gcm.encrypt, nonce, data, None), 1
    yield "CHACHA20_POLY1305", partial(chacha.encrypt, nonce, data, None), 1
    yield "FERNET", partial(fernet.encrypt, data), 1


def values() -> Iterator[tuple[str, Work, float]]:
    """Name, work, millions of values in it."""
    column = pl.Series("id", [f"{number * 9_973:012}" for number in range(VALUES)])
    key_ref = {"vault": {"name": "bench"}, "key": "fpe"}
    rule = FormatPreserving.model_validate({"key": key_ref, "alphabet": "Digits"})
    made: dict[str, Callable[[pl.Series], pl.Series]] = {
        "AES256_GCM": basic.encrypt_gcm(bytes(32)),
        "AES256_SIV": basic.tokenize(bytes(64)),
        "HMAC_SHA256": basic.keyed_hash(bytes(32), 64),
        "FF1_AES256": FormatPreservingMask(bytes(32), rule),
        "FERNET": basic.encrypt_fernet(bytes(32)),
    }
    for name, transform in made.items():
        yield name, partial(transform, column), VALUES / 1e6


def keys() -> Iterator[tuple[str, Work, float]]:
    """Name and operation, work, 1."""
    for name in SEALING_ALGORITHMS:
        material = generate(name, os.urandom)
        recipient, unwrapper = recipient_of(name, ID, material), unwrapper_of(name, ID, material)
        entry = recipient.wrap(bytes(32), ID, os.urandom)
        yield f"{name} seal", partial(recipient.wrap, bytes(32), ID, os.urandom), 1
        yield f"{name} open", partial(unwrapper.unwrap, entry, ID), 1
        yield f"{name} make", partial(generate, name, os.urandom), 1
    for name in (n for n, known in ALGORITHMS.items() if known.key_class == "Signing"):
        key = private_key(name, generate(name, os.urandom))
        assert isinstance(key, SigningKey)
        public, payload = verifying_key(key), bytes(256)
        signed = sign_envelope("bench", payload, key)
        yield f"{name} sign", partial(sign_envelope, "bench", payload, key), 1
        yield f"{name} verify", partial(open_envelope, signed, "bench", public), 1
        yield f"{name} make", partial(generate, name, os.urandom), 1


def rate(work: Work) -> float:
    """How often per second, over at least a tenth of one."""
    count, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < SECONDS_PER_ROUND:
        work()
        count += 1
    return count / passed


def rates(cases: list[tuple[str, Work, float]], rounds: int) -> dict[str, float]:
    """Units per second of each, the median of rounds in turns."""
    taken: dict[str, list[float]] = {name: [] for name, _, _ in cases}
    for _ in range(rounds):
        for name, work, units in cases:
            taken[name].append(rate(work) * units)
    return {name: statistics.median(found) for name, found in taken.items()}


def main() -> int:
    """Tell all; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found = rates(list(files()), rounds)
    yardstick = found["AES256_GCM"]
    for name, mib in found.items():
        print(f"note files {name} {mib:.0f} MiB/s, {mib / yardstick:.2f} times AES256_GCM")
    found = rates(list(values()), rounds)
    for name, millions in found.items():
        times = millions / found["AES256_GCM"]
        print(f"note values {name} {millions:.2f} million/s, {times:.2f} times AES256_GCM")
    # Again beside the keys: what else the machine does weighs on both sides alike.
    found = rates([next(files()), *keys()], rounds)
    yardstick = found.pop("AES256_GCM")
    for name, each in found.items():
        print(
            f"note keys {name} {each:.0f} per second, as {yardstick / each:.2g} MiB of AES256_GCM"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
