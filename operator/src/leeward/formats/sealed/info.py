"""What is known about a sealed file, with and without a key."""

from __future__ import annotations

import io
from dataclasses import dataclass

from leeward.formats.sealed.errors import HeaderTampered, RecipientsTampered
from leeward.formats.sealed.keys import KIND_NAMES
from leeward.formats.sealed.layout import (
    ALGORITHMS,
    CHUNKS_OFFSET,
    NO_MANIFEST,
    STATE_WRITING,
    CoreFields,
    Slot,
    parse_core_fields,
    parse_slot,
    plaintext_size,
    slot_state,
    split_front,
)
from leeward.formats.sealed.recipients import Unlocked
from leeward.formats.sealed.streams import SeekableFile, read_full


@dataclass(frozen=True, slots=True)
class RecipientInfo:
    """Who can open the file: kind by name (or `kind N` where unknown) and 16-byte key id."""

    kind: str
    key_id: bytes


@dataclass(frozen=True, slots=True)
class SealedInfo:
    """What a sealed file says about itself.

    Attributes:
        file_id: 16 random bytes, the source id.
        manifest_id: 16 bytes, None where the file belongs to no manifest.
        algorithm: name of the chunk cipher.
        chunk_size: plaintext bytes per chunk.
        plaintext_size: bytes of plaintext.
        generation: how often the recipients were written, from 1.
        recipients: who can open the file, in the order in which they were written.
        rewrap_interrupted: a rewrap was begun and not ended; run it again.
        digest: SHA-256 digest of the core (32 bytes), None where it was not computed.
        unverified: what was not checked, in words; empty after sealing, and opening to the end.
    """

    file_id: bytes
    manifest_id: bytes | None
    algorithm: str
    chunk_size: int
    plaintext_size: int
    generation: int
    recipients: tuple[RecipientInfo, ...]
    rewrap_interrupted: bool = False
    digest: bytes | None = None
    unverified: tuple[str, ...] = ()


def describe(
    fields: CoreFields,
    slot: Slot,
    size: int,
    *,
    rewrap_interrupted: bool = False,
    digest: bytes | None = None,
    unverified: tuple[str, ...] = (),
) -> SealedInfo:
    """Put together what is known; `size` is in bytes of plaintext."""
    return SealedInfo(
        file_id=fields.file_id,
        manifest_id=None if fields.manifest_id == NO_MANIFEST else fields.manifest_id,
        algorithm=ALGORITHMS[fields.algorithm],
        chunk_size=fields.chunk_size,
        plaintext_size=size,
        generation=slot.generation,
        recipients=tuple(
            RecipientInfo(KIND_NAMES.get(entry.kind, f"kind {entry.kind}"), entry.key_id)
            for entry in slot.entries
        ),
        rewrap_interrupted=rewrap_interrupted,
        digest=digest,
        unverified=unverified,
    )


def describe_unlocked(
    unlocked: Unlocked, size: int, *, unverified: tuple[str, ...] = ()
) -> SealedInfo:
    """The same for a file that was opened."""
    return describe(
        unlocked.fields,
        unlocked.slot,
        size,
        rewrap_interrupted=unlocked.rewrap_interrupted,
        unverified=unverified,
    )


def inspect(file: SeekableFile) -> SealedInfo:
    """Read the headers without a key.

    Nothing that is returned is authenticated, and `unverified` says so.

    Raises:
        NotSealed, UnsupportedVersion, Truncated, HeaderTampered, RecipientsTampered: the headers
            are not well formed, or contradict each other.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    buffer = memoryview(bytearray(CHUNKS_OFFSET))
    front = split_front(bytes(buffer[: read_full(file, buffer)]))
    fields = parse_core_fields(front.header)
    marked = [slot_state(slot) == STATE_WRITING for slot in front.slots]
    parsed = [slot for slot in map(parse_slot, front.slots) if slot is not None]
    if not parsed or (len(parsed) < len(front.slots) and not all(marked)):
        raise RecipientsTampered("a recipients slot is damaged: use an intact copy of the file")
    slot = max(parsed, key=lambda slot: slot.generation)
    if slot.file_id != fields.file_id:
        raise HeaderTampered(
            "the core and the recipients carry different file ids: one of them was taken from "
            "another file; use an intact copy"
        )
    if not all(marked) and parsed[0].raw != parsed[1].raw:
        raise RecipientsTampered("the recipients slots differ: use an intact copy of the file")
    return describe(
        fields,
        slot,
        plaintext_size(size, fields.chunk_size),
        rewrap_interrupted=any(marked),
        unverified=(
            "the core header, its ids and its algorithm: only a key can tell whether they are true",
            "the recipients and their generation: only a key can tell whether they are true",
            "the contents: no chunk was read",
        ),
    )
