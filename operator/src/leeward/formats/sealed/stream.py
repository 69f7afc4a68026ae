"""Opening from beginning to end, also from a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from leeward.formats.sealed.chunks import ChunkCipher
from leeward.formats.sealed.info import SealedInfo, describe_unlocked
from leeward.formats.sealed.keys import Unwrapper
from leeward.formats.sealed.layout import CHUNKS_OFFSET, TAG_SIZE, split_front
from leeward.formats.sealed.recipients import Unlocked, unlock
from leeward.formats.sealed.streams import ByteSource, ByteTarget, read_full, write_all


def read_front(source: ByteSource, keys: Sequence[Unwrapper]) -> tuple[Unlocked, ChunkCipher]:
    """Read the first 16512 bytes, unwrap the data key and check everything in them.

    Raises:
        SealedError: one of the errors of `split_front` and `unlock`.
    """
    buffer = memoryview(bytearray(CHUNKS_OFFSET))
    count = read_full(source, buffer)
    unlocked = unlock(split_front(bytes(buffer[:count])), keys)
    cipher = ChunkCipher(unlocked.keys.chunk_key, unlocked.header, unlocked.fields)
    return unlocked, cipher


def open_stream(source: ByteSource, target: ByteTarget, keys: Sequence[Unwrapper]) -> SealedInfo:
    """Open a sealed file into `target`, chunk by chunk, each only after it has authenticated.

    Whether the end is missing is known at the end: on an error, what `target` took is authentic,
    and incomplete. Whoever writes to a file uses `open_file`, which shows complete files only.

    Args:
        source: the sealed file; it need not be seekable.
        target: takes the plaintext.
        keys: tried in order; one that fits is enough.

    Raises:
        SealedError: every kind of damage, and no fitting key; see errors.py.
    """
    unlocked, cipher = read_front(source, keys)
    current = memoryview(bytearray(cipher.sealed_size))
    following = memoryview(bytearray(cipher.sealed_size))
    plain = memoryview(bytearray(cipher.chunk_size))
    index = size = 0
    count = read_full(source, current)
    while True:
        next_count = read_full(source, following) if count == cipher.sealed_size else 0
        last = next_count == 0
        out = plain[: max(0, count - TAG_SIZE)]
        cipher.open(index, last, current[:count], out)
        write_all(target, out)
        size += len(out)
        if last:
            return describe_unlocked(unlocked, size)
        current, following, count = following, current, next_count
        index += 1
