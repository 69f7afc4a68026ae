"""Where every byte of an LWE1 file stands (docs/formats/lwe1.md); pure packing and parsing.

    0      slot 0      8192 bytes    recipients, generation, MAC
    8192   slot 1      8192 bytes    the same again
    16384  core        header of 128 bytes, then the chunks

Integers are big-endian. Nothing here knows a key: what these functions return is unauthenticated.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from leeward.formats.sealed.errors import (
    HeaderTampered,
    NotSealed,
    RecipientsInvalid,
    RecipientsTampered,
    TooManyRecipients,
    Truncated,
    UnsupportedVersion,
)

SLOT_MAGIC: Final = b"LWE1SLOT"
CORE_MAGIC: Final = b"LWE1CORE"
VERSION: Final = 1

ALGORITHM_AES256_GCM: Final = 1
ALGORITHM_CHACHA20_POLY1305: Final = 2
ALGORITHMS: Final = {
    ALGORITHM_AES256_GCM: "AES-256-GCM-STREAM",
    ALGORITHM_CHACHA20_POLY1305: "CHACHA20-POLY1305-STREAM",
}

ID_SIZE: Final = 16
NO_MANIFEST: Final = bytes(ID_SIZE)
TAG_SIZE: Final = 16
DEFAULT_CHUNK_SIZE: Final = 1 << 20
MIN_CHUNK_SIZE: Final = 1 << 6
MAX_CHUNK_SIZE: Final = 1 << 24
MAX_CHUNKS: Final = 1 << 32

SLOT_SIZE: Final = 8192
SLOT_COUNT: Final = 2
SLOT_BODY_SIZE: Final = SLOT_SIZE - 40
"""Bytes of a slot that its MAC covers."""
SLOT_STATE_OFFSET: Final = SLOT_BODY_SIZE + 32
STATE_COMPLETE: Final = 0x43
STATE_WRITING: Final = 0x57
MAX_RECIPIENTS: Final = 64

CORE_OFFSET: Final = SLOT_SIZE * SLOT_COUNT
CORE_HEADER_SIZE: Final = 128
CHUNKS_OFFSET: Final = CORE_OFFSET + CORE_HEADER_SIZE

_CORE: Final = struct.Struct(">8sHHI16s16s16s")
CORE_FIELDS_SIZE: Final = _CORE.size
"""Bytes of the core header before the key commitment."""
CORE_MACED_SIZE: Final = _CORE.size + 32
"""Bytes of the core header that its MAC covers: the fields and the key commitment."""
_SLOT: Final = struct.Struct(">8sHHIQ16s")
_ENTRY: Final = struct.Struct(">HH16s")


@dataclass(frozen=True, slots=True)
class CoreFields:
    """What the core header says before its commitment and MAC.

    Attributes:
        algorithm: registered id of the chunk cipher.
        chunk_size: plaintext bytes per chunk, a power of two.
        file_id: 16 random bytes, the source id.
        manifest_id: 16 bytes, zero where the file belongs to no manifest.
    """

    algorithm: int
    chunk_size: int
    file_id: bytes
    manifest_id: bytes

    def pack(self) -> bytes:
        """The first 64 bytes of the core header."""
        return _CORE.pack(
            CORE_MAGIC,
            VERSION,
            self.algorithm,
            self.chunk_size,
            self.file_id,
            self.manifest_id,
            bytes(ID_SIZE),
        )


@dataclass(frozen=True, slots=True)
class RecipientEntry:
    """One recipient as written: registered kind, 16-byte key id, wrapped data key."""

    kind: int
    key_id: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """A recipients slot; `raw` is the part that the MAC covers, `mac` the MAC."""

    generation: int
    file_id: bytes
    entries: tuple[RecipientEntry, ...]
    raw: bytes
    mac: bytes


def is_power_of_two(number: int) -> bool:
    """Whether a positive `number` is a power of two."""
    return number & (number - 1) == 0


def parse_core_fields(header: bytes) -> CoreFields:
    """Read the 128-byte core header.

    Raises:
        HeaderTampered: a field has a value that no writer gives it.
        UnsupportedVersion: a later version or an algorithm that is not built in.
    """
    magic, version, algorithm, chunk_size, file_id, manifest_id, reserved = _CORE.unpack_from(
        header
    )
    if magic != CORE_MAGIC:
        raise HeaderTampered("the core header is damaged: use an intact copy of the file")
    if version != VERSION:
        raise UnsupportedVersion(
            f"the file has format version {version}, this program reads {VERSION}: "
            "use a later version of leeward"
        )
    if algorithm not in ALGORITHMS:
        raise UnsupportedVersion(
            f"the file uses algorithm id {algorithm}, which this program does not know: "
            "use a later version of leeward"
        )
    in_range = MIN_CHUNK_SIZE <= chunk_size <= MAX_CHUNK_SIZE
    if not in_range or not is_power_of_two(chunk_size) or any(reserved):
        raise HeaderTampered(
            "the core header holds a chunk size or reserved bytes that no writer gives it: "
            "use an intact copy of the file"
        )
    return CoreFields(algorithm, chunk_size, file_id, manifest_id)


def pack_slot_body(generation: int, file_id: bytes, entries: tuple[RecipientEntry, ...]) -> bytes:
    """The part of a slot that the MAC covers, zero-padded to its fixed size.

    Raises:
        RecipientsInvalid: no recipient, or one key named twice.
        TooManyRecipients: more than 64, or more bytes than a slot holds.
    """
    if not entries:
        raise RecipientsInvalid("a sealed file needs at least one recipient: name a key")
    if len({(entry.kind, entry.key_id) for entry in entries}) != len(entries):
        raise RecipientsInvalid("two recipients have the same key id: name each key once")
    packed = b"".join(
        _ENTRY.pack(entry.kind, len(entry.payload), entry.key_id) + entry.payload
        for entry in entries
    )
    room = SLOT_BODY_SIZE - _SLOT.size
    if len(entries) > MAX_RECIPIENTS or len(packed) > room:
        raise TooManyRecipients(
            f"{len(entries)} recipients take {len(packed)} bytes, a file has room for "
            f"{MAX_RECIPIENTS} recipients and {room} bytes: remove recipients that are no longer "
            "needed, or seal to one key that the others share"
        )
    head = _SLOT.pack(SLOT_MAGIC, VERSION, len(entries), len(packed), generation, file_id)
    return (head + packed).ljust(SLOT_BODY_SIZE, b"\0")


def pack_slot(slot: Slot, state: int) -> bytes:
    """A whole slot of 8192 bytes."""
    return (slot.raw + slot.mac + bytes((state,))).ljust(SLOT_SIZE, b"\0")


def slot_state(slot: bytes) -> int:
    """The state byte of a slot.

    Raises:
        RecipientsTampered: neither complete nor being written, or bytes after it are not zero.
    """
    state = slot[SLOT_STATE_OFFSET]
    if state not in (STATE_COMPLETE, STATE_WRITING) or not _zero(slot, SLOT_STATE_OFFSET + 1):
        raise RecipientsTampered(
            "the state of a recipients slot has a value that no writer gives it: "
            "use an intact copy of the file"
        )
    return state


def parse_slot(slot: bytes) -> Slot | None:
    """Read a slot of 8192 bytes; None where it is not well formed."""
    magic, version, count, length, generation, file_id = _SLOT.unpack_from(slot)
    if magic != SLOT_MAGIC or version != VERSION:
        return None
    end = _SLOT.size + length
    if not 1 <= count <= MAX_RECIPIENTS or end > SLOT_BODY_SIZE:
        return None
    if not _zero(slot, end, SLOT_BODY_SIZE):
        return None
    entries = []
    position = _SLOT.size
    for _ in range(count):
        if position + _ENTRY.size > end:
            return None
        kind, size, key_id = _ENTRY.unpack_from(slot, position)
        position += _ENTRY.size
        if position + size > end:
            return None
        entries.append(RecipientEntry(kind, key_id, slot[position : position + size]))
        position += size
    if position != end:
        return None
    mac = slot[SLOT_BODY_SIZE : SLOT_BODY_SIZE + 32]
    return Slot(generation, file_id, tuple(entries), slot[:SLOT_BODY_SIZE], mac)


def _zero(slot: bytes, begin: int, end: int = SLOT_SIZE) -> bool:
    """Whether a slot holds only zero bytes there."""
    return slot.count(0, begin, end) == end - begin


@dataclass(frozen=True, slots=True)
class Front:
    """The first 16512 bytes of a file, cut into their parts."""

    slots: tuple[bytes, bytes]
    header: bytes


def split_front(front: bytes) -> Front:
    """Cut the front of a file into slots and core header.

    Args:
        front: the first 16512 bytes, or fewer where the file is shorter.

    Raises:
        NotSealed: neither slot nor core carries the format's name.
        Truncated: the file ends before the first chunk.
    """
    slots = (front[:SLOT_SIZE], front[SLOT_SIZE:CORE_OFFSET])
    header = front[CORE_OFFSET:CHUNKS_OFFSET]
    named = [*(slot.startswith(SLOT_MAGIC) for slot in slots), header.startswith(CORE_MAGIC)]
    if not any(named):
        raise NotSealed(
            "this is not a sealed file of format LWE1: give the file that `leeward seal` wrote"
        )
    if len(front) < CHUNKS_OFFSET:
        raise Truncated(
            f"the file ends after {len(front)} bytes, inside its headers: copy it again in full"
        )
    return Front(slots, header)


def plaintext_size(file_size: int, chunk_size: int) -> int:
    """Bytes of plaintext in a file of `file_size` bytes.

    Raises:
        Truncated: no file with whole chunks has that size.
    """
    body = file_size - CHUNKS_OFFSET
    full, rest = divmod(body, chunk_size + TAG_SIZE)
    if body < TAG_SIZE or 0 < rest < TAG_SIZE or (rest == TAG_SIZE and full):
        raise Truncated(
            f"the file ends after {file_size} bytes, inside a chunk: copy it again in full"
        )
    return body - TAG_SIZE * (full + (1 if rest else 0))
