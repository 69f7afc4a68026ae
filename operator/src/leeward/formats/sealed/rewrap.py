"""Changing the recipients in place, so that a crash at any moment leaves a file that opens."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Sequence

from leeward.formats.sealed.info import SealedInfo, describe
from leeward.formats.sealed.keys import Random, Recipient, Unwrapper
from leeward.formats.sealed.layout import (
    SLOT_COUNT,
    SLOT_SIZE,
    SLOT_STATE_OFFSET,
    STATE_COMPLETE,
    STATE_WRITING,
    RecipientEntry,
    pack_slot,
    plaintext_size,
)
from leeward.formats.sealed.recipients import slot_of
from leeward.formats.sealed.stream import read_front
from leeward.formats.sealed.streams import RewritableFile, sync, write_all


def rewrap(
    file: RewritableFile,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    drop: Collection[bytes] | None = None,
    random: Random = os.urandom,
) -> SealedInfo:
    """Replace the recipients of a sealed file; the core stays as it is, and no chunk is read.

    Both slots are marked as being written, then the one that does not count is written, then the
    other one, then the marks are taken away; after each step the file is synced. An interrupted
    rewrap leaves the old or the new recipients, and running it again ends it. When it returns, no
    former recipient that was to go is left in the file; copies made before still have it.

    Args:
        file: open for reading and writing; no other rewrap may run on it.
        keys: tried in order; one that fits is enough.
        recipients: who shall be able to open the file from now on.
        drop: key ids (16 bytes each) of recipients that go; all others stay, behind the new ones,
            byte for byte: nobody is needed who could wrap for them. None: all go.
        random: source of nonces.

    Raises:
        SealedError: damage in the headers, no fitting key, or recipients that do not fit; the
            file is unchanged then.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    unlocked, cipher = read_front(file, keys)
    plain_size = plaintext_size(size, cipher.chunk_size)
    fields = unlocked.fields
    added = tuple(each.wrap(unlocked.data_key, fields.file_id, random) for each in recipients)
    kept = () if drop is None else _kept(unlocked.slot.entries, added, drop)
    slot = slot_of(unlocked.slot.generation + 1, fields.file_id, unlocked.data_key, (*added, *kept))
    packed = memoryview(pack_slot(slot, STATE_WRITING))
    for index in range(SLOT_COUNT):
        _write_state(file, index, STATE_WRITING)
    sync(file)
    for index in (1 - unlocked.slot_index, unlocked.slot_index):
        file.seek(index * SLOT_SIZE)
        write_all(file, packed)
        sync(file)
    for index in range(SLOT_COUNT):
        _write_state(file, index, STATE_COMPLETE)
    sync(file)
    return describe(fields, slot, plain_size, unverified=("the contents: no chunk was read",))


def _kept(
    entries: Sequence[RecipientEntry], added: Sequence[RecipientEntry], drop: Collection[bytes]
) -> tuple[RecipientEntry, ...]:
    """Recipients that stay: neither to go, nor written anew."""
    anew = {(entry.kind, entry.key_id) for entry in added}
    return tuple(
        entry
        for entry in entries
        if entry.key_id not in drop and (entry.kind, entry.key_id) not in anew
    )


def _write_state(file: RewritableFile, index: int, state: int) -> None:
    file.seek(index * SLOT_SIZE + SLOT_STATE_OFFSET)
    write_all(file, memoryview(bytes((state,))))
