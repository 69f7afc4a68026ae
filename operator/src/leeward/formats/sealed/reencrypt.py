"""Sealing what a sealed file holds anew, under a fresh data key, as the same source.

Taking a recipient away does not help against somebody who has the data key itself. Here the
plaintext is opened and sealed again, chunk by chunk, and never stands anywhere. The file id stays,
since it names the source: tokens, budgets and lineage are bound to it. It is the salt from which
the keys of a file are derived; with another data key all of them are others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from leeward.formats.sealed.digest import DigestingSource
from leeward.formats.sealed.errors import HeaderTampered
from leeward.formats.sealed.info import SealedInfo, inspect
from leeward.formats.sealed.keys import Random, Recipient, Unwrapper
from leeward.formats.sealed.stream import open_stream
from leeward.formats.sealed.streams import ByteTarget, SeekableFile
from leeward.formats.sealed.writer import SealedWriter

Told = Callable[[int], None]


def reencrypt(
    source: SeekableFile,
    target: ByteTarget,
    keys: Sequence[Unwrapper],
    recipients: Sequence[Recipient],
    *,
    random: Random = os.urandom,
    told: Told = lambda done: None,
) -> tuple[SealedWriter, bytes]:
    """Seal the contents of `source` as `target`, with a fresh data key.

    File id, manifest id and chunk size are those of the source.

    Args:
        source: the sealed file; read once.
        target: takes the new one.
        keys: tried in order; one that fits is enough.
        recipients: who shall be able to open the new file.
        random: source of data key and nonces.
        told: called with the bytes of plaintext that are done; what it raises ends the work.

    Returns:
        The closed writer, which knows the new file, and the digest of the core that was read.

    Raises:
        SealedError: every kind of damage, no fitting key, or recipients that do not fit.
    """
    claimed = inspect(source)
    source.seek(0)
    reading = DigestingSource(source, claimed.chunk_size)
    with SealedWriter(
        target,
        recipients,
        random=random,
        manifest_id=claimed.manifest_id,
        file_id=claimed.file_id,
        chunk_size=claimed.chunk_size,
        with_digest=True,
    ) as writer:
        read = open_stream(reading, _Telling(writer, told), keys)
        if _identity(read) != _identity(claimed):
            raise HeaderTampered("the core header was changed while the file was read: try again")
    return writer, reading.digest()


class _Telling:
    """A writer whose progress is told."""

    def __init__(self, writer: SealedWriter, told: Told) -> None:
        self._writer = writer
        self._told = told
        self._done = 0

    def write(self, data: memoryview | bytes, /) -> int:
        self._done += self._writer.write(data)
        self._told(self._done)
        return len(data)


def _identity(info: SealedInfo) -> tuple[bytes, bytes | None, int]:
    return info.file_id, info.manifest_id, info.chunk_size
