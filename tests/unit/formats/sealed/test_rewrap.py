"""Rewrapping in place: who opens afterwards, and after a crash at any byte of it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from golden.lwe1.cases import fixed_random
from leeward.formats.sealed import (
    ArtefactKey,
    NoKeyForFile,
    RecipientsInvalid,
    RecipientsTampered,
    SealedError,
    Truncated,
    core_digest,
    inspect,
    rewrap,
)
from unit.formats.sealed.samples import (
    ALICE,
    BOB,
    HEADER,
    PLAIN,
    open_bytes,
    open_with_info,
    seal_bytes,
)

SECTOR = 512


def rewrapped(data: bytes) -> bytes:
    file = io.BytesIO(data)
    rewrap(file, [ALICE], [BOB], random=fixed_random("rewrap"))
    return file.getvalue()


@dataclass
class Journal(io.BytesIO):
    """A file that remembers its writes, grouped by the sync after which they are durable."""

    initial: bytes
    groups: list[list[tuple[int, bytes]]] = field(default_factory=lambda: [[]])

    def __post_init__(self) -> None:
        super().__init__(self.initial)

    def write(self, data: object, /) -> int:
        content = bytes(memoryview(data))  # type: ignore[arg-type]
        self.groups[-1].append((self.tell(), content))
        return super().write(content)

    def flush(self) -> None:
        self.groups.append([])


def journal_of_a_rewrap(data: bytes) -> list[list[tuple[int, bytes]]]:
    file = Journal(data)
    rewrap(file, [ALICE, BOB], [BOB], random=fixed_random("rewrap"))
    return [group for group in file.groups if group]


def opens_with_old_or_new(data: bytes) -> None:
    for key in (ALICE, BOB):
        try:
            assert open_bytes(data, [key]) == PLAIN
        except NoKeyForFile:
            continue
        return
    pytest.fail("neither the old nor the new recipient opens the file")


def apply(data: bytearray, writes: list[tuple[int, bytes]]) -> None:
    for offset, content in writes:
        data[offset : offset + len(content)] = content


def interrupted(data: bytes, steps: int) -> bytes:
    """The file after that many of the four synced steps of a rewrap."""
    state = bytearray(data)
    for group in journal_of_a_rewrap(data)[:steps]:
        apply(state, group)
    return bytes(state)


def test_new_recipient_opens_and_former_one_is_gone_from_both_slots() -> None:
    data = rewrapped(seal_bytes())
    assert open_bytes(data, [BOB]) == PLAIN
    with pytest.raises(NoKeyForFile):
        open_bytes(data, [ALICE])
    assert ALICE.key_id not in data


def test_core_and_its_digest_stay() -> None:
    before = seal_bytes()
    after = rewrapped(before)
    assert after[HEADER:] == before[HEADER:]
    assert core_digest(io.BytesIO(after)) == core_digest(io.BytesIO(before))


def test_generation_counts_the_rewraps() -> None:
    file = io.BytesIO(seal_bytes())
    infos = [rewrap(file, [ALICE], [ALICE, BOB]) for _ in range(3)]
    assert [info.generation for info in infos] == [2, 3, 4]
    assert inspect(file).generation == 4


@pytest.mark.parametrize("earlier_steps", [0, 2, 3])
def test_crash_after_each_byte_leaves_a_file_that_opens(earlier_steps: int) -> None:
    """Begun on a clean file and on interrupted ones, where slots are written in either order."""
    start = seal_bytes(recipients=[ALICE, BOB])
    if earlier_steps:
        start = interrupted(start, earlier_steps)
    state = bytearray(start)
    keys = [ALICE, BOB]
    for offset, content in itertools.chain.from_iterable(journal_of_a_rewrap(start)):
        for index, byte in enumerate(content):
            state[offset + index] = byte
            assert open_bytes(bytes(state), keys) == PLAIN
    assert open_bytes(bytes(state), [BOB]) == PLAIN


@pytest.mark.parametrize("backwards", [False, True])
def test_crash_with_only_some_sectors_written_leaves_a_file_that_opens(backwards: bool) -> None:
    """A disk writes the sectors between two syncs in any order."""
    state = bytearray(seal_bytes())
    for group in journal_of_a_rewrap(bytes(state)):
        sectors = [
            (offset + at, content[at : at + SECTOR])
            for offset, content in group
            for at in range(0, len(content), SECTOR)
        ]
        torn = bytearray(state)
        for sector in reversed(sectors) if backwards else sectors:
            apply(torn, [sector])
            opens_with_old_or_new(bytes(torn))
        apply(state, group)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_interrupted_rewrap_is_reported_and_ended_by_the_next(steps: int) -> None:
    start = seal_bytes(recipients=[ALICE, BOB])
    file = io.BytesIO(interrupted(start, steps))
    assert inspect(file).rewrap_interrupted
    assert open_with_info(file.getvalue(), [BOB])[1].rewrap_interrupted
    rewrap(file, [BOB], [BOB])
    assert not inspect(file).rewrap_interrupted
    assert open_bytes(file.getvalue(), [BOB]) == PLAIN
    assert ALICE.key_id not in file.getvalue()


def test_both_slots_torn_is_refused() -> None:
    data = bytearray(interrupted(seal_bytes(), 1))
    for slot in (0, 8192):
        data[slot + 5000] ^= 1
    with pytest.raises(RecipientsTampered):
        open_bytes(bytes(data))


def unchanged(data: bytes) -> bytes:
    return data


def flipped_slot(data: bytes) -> bytes:
    return data[:100] + bytes((data[100] ^ 1,)) + data[101:]


def cut_short(data: bytes) -> bytes:
    return data[:-30]


@pytest.mark.parametrize(
    ("change", "keys", "recipients", "error"),
    [
        (unchanged, [BOB], [BOB], NoKeyForFile),
        (unchanged, [ALICE], [], RecipientsInvalid),
        (flipped_slot, [ALICE], [BOB], RecipientsTampered),
        (cut_short, [ALICE], [BOB], Truncated),
    ],
)
def test_refused_rewrap_leaves_the_file_unchanged(
    change: Callable[[bytes], bytes],
    keys: list[ArtefactKey],
    recipients: list[ArtefactKey],
    error: type[SealedError],
) -> None:
    data = change(seal_bytes())
    file = io.BytesIO(data)
    with pytest.raises(error):
        rewrap(file, keys, recipients)
    assert file.getvalue() == data
