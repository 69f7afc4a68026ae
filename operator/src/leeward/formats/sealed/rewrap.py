"""Changing the recipients in place, so that a crash at any moment leaves a file that opens."""

from __future__ import annotations

import os
from collections.abc import Sequence

from leeward.formats.sealed.info import SealedInfo, describe
from leeward.formats.sealed.keys import Random, Recipient, Unwrapper
from leeward.formats.sealed.layout import (
    SLOT_COUNT,
    SLOT_SIZE,
    SLOT_STATE_OFFSET,
    STATE_COMPLETE,
    STATE_WRITING,
    pack_slot,
)
from leeward.formats.sealed.reader import SealedReader
from leeward.formats.sealed.recipients import build_slot
from leeward.formats.sealed.stream import read_front
from leeward.formats.sealed.streams import RewritableFile, sync, write_all


def rewrap(
    file: RewritableFile,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    random: Random = os.urandom,
) -> SealedInfo:
    """Replace the recipients of a sealed file; the core stays as it is.

    Both slots are marked as being written, then the one that does not count is written, then the
    other one, then the marks are taken away; after each step the file is synced. An interrupted
    rewrap leaves the old or the new recipients, and running it again ends it. When it returns, no
    former recipient is left in the file; copies made before still have them.

    Args:
        file: open for reading and writing; no other rewrap may run on it.
        keys: tried in order; one that fits is enough.
        recipients: who shall be able to open the file from now on.
        random: source of nonces.

    Raises:
        SealedError: damage in the headers, no fitting key, or recipients that do not fit; the
            file is unchanged then.
    """
    reader = SealedReader(file, keys)
    file.seek(0)
    unlocked, _ = read_front(file, keys)
    generation = unlocked.slot.generation + 1
    file_id = unlocked.fields.file_id
    slot = build_slot(generation, file_id, unlocked.data_key, recipients, random)
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
    return describe(unlocked.fields, slot, reader.size, unverified=reader.info.unverified)


def _write_state(file: RewritableFile, index: int, state: int) -> None:
    file.seek(index * SLOT_SIZE + SLOT_STATE_OFFSET)
    write_all(file, memoryview(bytes((state,))))
