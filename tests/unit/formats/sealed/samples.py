"""Small sealed files for the tests: chunks of 64 bytes, fixed randomness."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence

from golden.lwe1.cases import ALICE, BOB, fixed_random, stretch
from leeward.formats.sealed import Recipient, SealedInfo, Unwrapper, open_stream, seal_stream

__all__ = ["ALICE", "BOB", "CHUNK", "CHUNKS", "HEADER", "PLAIN", "open_bytes", "seal_bytes"]

CHUNK = 64
HEADER = 16384
CHUNKS = 16512
SEALED_CHUNK = CHUNK + 16
PLAIN = stretch("plaintext", 3 * CHUNK + 20)

_names = itertools.count()


def seal_bytes(
    plain: bytes = PLAIN,
    recipients: Sequence[Recipient] = (ALICE,),
    *,
    random: Callable[[int], bytes] | None = None,
) -> bytes:
    """A sealed file; every call makes another data key unless `random` is given."""
    target = io.BytesIO()
    random = random or fixed_random(f"sample {next(_names)}")
    seal_stream(io.BytesIO(plain), target, recipients, random=random, chunk_size=CHUNK)
    return target.getvalue()


def open_bytes(data: bytes, keys: Sequence[Unwrapper] = (ALICE,)) -> bytes:
    """The plaintext."""
    return open_with_info(data, keys)[0]


def open_with_info(data: bytes, keys: Sequence[Unwrapper]) -> tuple[bytes, SealedInfo]:
    target = io.BytesIO()
    info = open_stream(io.BytesIO(data), target, keys)
    return target.getvalue(), info


def chunk(data: bytes, index: int) -> bytes:
    """Sealed chunk number `index` of a sample."""
    return data[CHUNKS + index * SEALED_CHUNK : CHUNKS + (index + 1) * SEALED_CHUNK]
