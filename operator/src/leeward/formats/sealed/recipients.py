"""The two recipients slots: written together, chosen between, authenticated by the data key.

Outside of a rewrap both slots are complete and equal byte for byte, so any change to one of them is
seen. A rewrap first marks both as being written; from then until it ends one slot may be torn, and
the other one counts.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from leeward.formats.sealed.errors import HeaderTampered, NoKeyForFile, RecipientsTampered
from leeward.formats.sealed.keys import KIND_NAMES, Random, Recipient, UnwrapError, Unwrapper
from leeward.formats.sealed.layout import (
    STATE_WRITING,
    CoreFields,
    Front,
    RecipientEntry,
    Slot,
    pack_slot_body,
    parse_core_fields,
    parse_slot,
    slot_state,
)
from leeward.formats.sealed.schedule import FileKeys


def build_slot(
    generation: int,
    file_id: bytes,
    data_key: bytes,
    recipients: Sequence[Recipient],
    random: Random,
) -> Slot:
    """Wrap the data key for each recipient and authenticate the result.

    Raises:
        RecipientsInvalid: none, one key twice, or too many.
    """
    entries = tuple(recipient.wrap(data_key, file_id, random) for recipient in recipients)
    return slot_of(generation, file_id, data_key, entries)


def slot_of(
    generation: int, file_id: bytes, data_key: bytes, entries: tuple[RecipientEntry, ...]
) -> Slot:
    """Authenticate recipients, each of which holds the data key.

    Raises:
        RecipientsInvalid: none, one key twice, or too many.
    """
    raw = pack_slot_body(generation, file_id, entries)
    mac = FileKeys.of(data_key, file_id).slot_mac(raw)
    return Slot(generation, file_id, entries, raw, mac)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Unlocked:
    """The front of a file after its data key was unwrapped and everything in it was checked.

    Attributes:
        slot: the slot that counts.
        slot_index: 0 or 1.
        rewrap_interrupted: whether a rewrap was begun and not ended.
    """

    fields: CoreFields
    header: bytes
    data_key: bytes
    keys: FileKeys
    slot: Slot
    slot_index: int
    rewrap_interrupted: bool


def unlock(front: Front, keys: Sequence[Unwrapper]) -> Unlocked:
    """Unwrap the data key with the first key that fits, and check core header and slots.

    Raises:
        NoKeyForFile: none of `keys` is a recipient.
        KeyCommitmentMismatch: a recipient holds another data key than the core commits to.
        HeaderTampered: the core header was changed, or belongs to another file.
        RecipientsTampered: a slot was changed outside of a rewrap, or both are invalid.
        UnsupportedVersion: a later version of the format.
    """
    fields = parse_core_fields(front.header)
    states = [slot_state(slot) for slot in front.slots]
    slots = [parse_slot(slot) for slot in front.slots]
    _check_file_ids(slots, fields.file_id)
    data_key = _unwrap(slots, fields.file_id, keys)
    derived = FileKeys.of(data_key, fields.file_id)
    derived.check_header(front.header)
    valid = [_authentic(slot, derived) for slot in slots]
    rewriting = all(state == STATE_WRITING for state in states)
    # A rewrap marks both slots before it changes either, and unmarks them when both are equal
    # again: with one mark or none, nothing can be torn.
    equal = valid[0] is not None and valid[1] is not None and valid[0].raw == valid[1].raw
    if not equal and not rewriting:
        damaged = [str(index) for index, slot in enumerate(valid) if slot is None] or ["0", "1"]
        raise RecipientsTampered(
            f"recipients slot {' and '.join(damaged)} was changed after sealing: use an intact "
            "copy of the file"
        )
    chosen, index = _newest(valid)
    interrupted = any(state == STATE_WRITING for state in states)
    return Unlocked(fields, front.header, data_key, derived, chosen, index, interrupted)


def _check_file_ids(slots: Sequence[Slot | None], file_id: bytes) -> None:
    parsed = [slot for slot in slots if slot is not None]
    foreign = [slot for slot in parsed if slot.file_id != file_id]
    if not foreign:
        return
    if len(foreign) == len(slots) and foreign[0].file_id == foreign[1].file_id:
        raise HeaderTampered(
            "the core and the recipients carry different file ids: one of them was taken from "
            "another file; use an intact copy"
        )
    raise RecipientsTampered(
        "a recipients slot carries the id of another file: use an intact copy of the file"
    )


def _unwrap(slots: Sequence[Slot | None], file_id: bytes, keys: Sequence[Unwrapper]) -> bytes:
    parsed = [slot for slot in slots if slot is not None]
    if not parsed:
        raise RecipientsTampered(
            "both recipients slots are damaged: use an intact copy of the file"
        )
    failed = False
    for slot in sorted(parsed, key=lambda slot: slot.generation, reverse=True):
        for entry in slot.entries:
            for key in keys:
                try:
                    data_key = key.unwrap(entry, file_id)
                except UnwrapError:
                    failed = True
                    continue
                if data_key is not None:
                    return data_key
    if failed:
        raise RecipientsTampered(
            "the file names a key that was given, and does not open under it: the entry was "
            "changed, or the key has the right id and the wrong material; check the key, then "
            "use an intact copy of the file"
        )
    named = sorted({f"{_kind(e.kind)} {e.key_id.hex()}" for slot in parsed for e in slot.entries})
    raise NoKeyForFile(
        "none of the keys that were given opens this file; it is sealed to "
        f"{', '.join(named)}: give one of these keys"
    )


def _kind(kind: int) -> str:
    return KIND_NAMES.get(kind, f"kind {kind}")


def _authentic(slot: Slot | None, keys: FileKeys) -> Slot | None:
    if slot is None or not hmac.compare_digest(slot.mac, keys.slot_mac(slot.raw)):
        return None
    return slot


def _newest(valid: Sequence[Slot | None]) -> tuple[Slot, int]:
    chosen: tuple[Slot, int] | None = None
    for index, slot in enumerate(valid):
        if slot is not None and (chosen is None or slot.generation > chosen[0].generation):
            chosen = (slot, index)
    if chosen is None:
        raise RecipientsTampered(
            "neither recipients slot belongs to this file's data key: use an intact copy"
        )
    return chosen
