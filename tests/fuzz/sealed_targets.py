"""Sealed files: headers without a key, with keys of strangers, and with the right ones.

Changes to the front are made as whoever has the data key of a file can make them, who may be any
of its recipients: both slots alike, with a fresh MAC.
"""

from __future__ import annotations

import functools
import io
import random
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from fuzz.harness import FoundError, Harness
from fuzz.mutating import change_bytes, seeded
from fuzz.planted import Planted
from golden.lwe1.cases import CASES, PAIRS, SYMMETRIC, stretch
from golden.rsa.keys import rsa_key
from leeward.formats.sealed import (
    HpkeHybridPrivateKey,
    HpkeP256PrivateKey,
    HpkePrivateKey,
    RsaOaepPrivateKey,
    SealedError,
    SealedReader,
    Unwrapper,
    core_digest,
    inspect,
    open_stream,
)
from leeward.formats.sealed.layout import (
    CHUNKS_OFFSET,
    CORE_FIELDS_SIZE,
    CORE_OFFSET,
    SLOT_BODY_SIZE,
    SLOT_SIZE,
    SLOT_STATE_OFFSET,
    split_front,
)
from leeward.formats.sealed.recipients import unlock
from leeward.formats.sealed.schedule import FileKeys

KEYS: tuple[Unwrapper, ...] = (*SYMMETRIC, *PAIRS)
PLAINTEXTS = {case.path.read_bytes()[16400:16416]: case.plaintext for case in CASES}
"""By file id."""

PLANTED = Planted([case.plaintext for case in CASES if len(case.plaintext) > 20])


def seeds() -> list[bytes]:
    return [case.path.read_bytes() for case in CASES]


@functools.cache
def strangers() -> tuple[Unwrapper, ...]:
    """Keys with the ids of recipients, and material of their own."""
    same_ids: list[Unwrapper] = [
        type(key)(key.key_id, stretch("stranger", 32)) for key in SYMMETRIC
    ]
    pairs: list[Unwrapper] = [
        HpkePrivateKey.from_bytes(stretch("stranger", 32), stretch("id dave", 16)),
        HpkeP256PrivateKey(ec.derive_private_key(5, ec.SECP256R1()), stretch("id erin", 16)),
        HpkeHybridPrivateKey.from_bytes(stretch("stranger", 32), stretch("id frank", 16)),
        RsaOaepPrivateKey(rsa_key("3072-other"), stretch("id grace", 16)),
    ]
    return (*same_ids, *pairs)


@functools.cache
def data_keys() -> dict[bytes, bytes]:
    """By file id."""
    made = {}
    for case in CASES:
        unlocked = unlock(split_front(case.path.read_bytes()[:CHUNKS_OFFSET]), case.keys)
        made[unlocked.fields.file_id] = unlocked.data_key
    return made


def change_sealed(data: bytes, source: random.Random) -> bytes:
    kind = source.randrange(8)
    if len(data) < CHUNKS_OFFSET or kind == 0:
        return change_bytes(data, source)
    if kind == 1:
        return data[:CHUNKS_OFFSET] + change_bytes(data[CHUNKS_OFFSET:], source)
    if kind == 2:
        slot = source.randrange(2) * SLOT_SIZE + SLOT_STATE_OFFSET
        return data[:slot] + source.choice((b"C", b"W", b"\0")) + data[slot + 1 :]
    keys = _keys_of(data)
    if kind == 3:
        fields = _same_size(data[CORE_OFFSET : CORE_OFFSET + CORE_FIELDS_SIZE], source)
        header = keys.seal_header(fields) if keys else fields + data[CORE_OFFSET + 64 : 16512]
        return data[:CORE_OFFSET] + header + data[CHUNKS_OFFSET:]
    slots = [data[:SLOT_SIZE], data[SLOT_SIZE:CORE_OFFSET]]
    body = _changed_slot(slots[source.randrange(2)][:SLOT_BODY_SIZE], source)
    mac = keys.slot_mac(body) if keys else slots[0][SLOT_BODY_SIZE:SLOT_STATE_OFFSET]
    changed = [body + mac + slot[SLOT_STATE_OFFSET:] for slot in slots]
    if kind == 4:
        changed[source.randrange(2)] = slots[0]
    return b"".join(changed) + data[CORE_OFFSET:]


def _keys_of(data: bytes) -> FileKeys | None:
    file_id = data[CORE_OFFSET + 16 : CORE_OFFSET + 32]
    data_key = data_keys().get(file_id)
    return FileKeys.of(data_key, file_id) if data_key else None


def _same_size(data: bytes, source: random.Random) -> bytes:
    return change_bytes(data, source)[: len(data)].ljust(len(data), b"\0")


def _changed_slot(body: bytes, source: random.Random) -> bytes:
    """Entries of recipients, for the most part: they fill only the beginning of a slot."""
    used = len(body.rstrip(b"\0")) + 1
    return _same_size(body[:used], source) + body[used:]


def read_headers(data: bytes) -> None:
    """Everything that is said of a file without a key."""
    found = inspect(io.BytesIO(data))
    if found.plaintext_size < 0 or not found.unverified:
        raise FoundError("what was not verified is not said to be")
    core_digest(io.BytesIO(data[:CHUNKS_OFFSET] + data[CHUNKS_OFFSET:][: 1 << 12]))


def open_as_stranger(data: bytes) -> None:
    """Nothing comes out, whatever the file says."""
    target = io.BytesIO()
    try:
        open_stream(io.BytesIO(data), target, strangers())
    finally:
        if target.getvalue():
            raise FoundError("a stranger's key opened a chunk")
    raise FoundError("a stranger's key opened a file")


def open_as_recipient(data: bytes) -> None:
    """What comes out is the plaintext, from its beginning on, in both ways of reading."""
    target = io.BytesIO()
    plain = PLAINTEXTS.get(data[CORE_OFFSET + 16 : CORE_OFFSET + 32], b"")
    try:
        open_stream(io.BytesIO(data), target, KEYS)
    finally:
        if not plain.startswith(target.getvalue()):
            raise FoundError("something else than the plaintext came out")
    if target.getvalue() != plain:
        raise FoundError("a file that was cut short opened as if it were whole")
    if SealedReader(io.BytesIO(data), KEYS).read() != plain:
        raise FoundError("the two ways of reading differ")


def _harness(name: str, parse: Callable[[bytes], None], *, accepts_seeds: bool = True) -> Harness:
    return Harness(
        name=name,
        parse=parse,
        declared=(SealedError,),
        seeds=seeds,
        mutate=seeded(change_sealed),
        planted=PLANTED,
        max_size=20_000,
        accepts_seeds=accepts_seeds,
    )


HARNESSES = (
    _harness("sealed-headers", read_headers),
    _harness("sealed-stranger", open_as_stranger, accepts_seeds=False),
    _harness("sealed-recipient", open_as_recipient),
)
