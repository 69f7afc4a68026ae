"""Reading some ranges of a source, and telling afterwards what was read.

A plain file is hashed range by range. Whoever reads all of it takes the digests of the same ranges
beside that of the whole: where both agree, what a worker masked is what the digest of the source is
of, whoever writes to the volume meanwhile. Each chunk of a sealed file is authenticated under its
core header, which the digest of the file covers: there the header is what must agree.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from leeward_masking.storage.content import Content, changed


@dataclass(frozen=True, slots=True, order=True)
class Print:
    """What stood in a range.

    Attributes:
        file: Number of the file.
        start, end: The bytes; both 0: the core header.
        digest: SHA-256, hexadecimal.
    """

    file: int
    start: int
    end: int
    digest: str

    @classmethod
    def of(cls, file: int, start: int, data: bytes) -> "Print":
        """Of bytes that begin at ``start``."""
        return cls(file, start, start + len(data), hashlib.sha256(data).hexdigest())

    def plain(self) -> list[Any]:
        """As it stands in JSON."""
        return [self.file, self.start, self.end, self.digest]


def header_print(file: int, core_header: bytes) -> Print:
    """Of a sealed file."""
    return Print(file, 0, 0, hashlib.sha256(core_header).hexdigest())


class RangeContent:
    """Some ranges of a content, read one after the other as if they were all of it.

    Args:
        content: The whole.
        file: Its number.
        ranges: Begin and end of each.
    """

    def __init__(self, content: Content, file: int, ranges: Sequence[tuple[int, int]]) -> None:
        self._content = content
        self._file = file
        self._left = list(ranges)
        self._hash = hashlib.sha256()
        self._at = ranges[0][0]
        self._prints: list[Print] = []
        self.size = content.size
        self.core_header = content.core_header

    def read(self, size: int) -> bytes:
        """See ``Readable``."""
        data = b""
        while self._left and len(data) < size:
            start, end = self._left[0]
            more = self._content.peek_at(self._at, min(size - len(data), end - self._at))
            if not more and self._at < end:
                raise changed("became shorter while it was read")
            if self.core_header is None:
                self._hash.update(more)
            self._at += len(more)
            data = data + more if data else more
            if self._at == end:
                self._prints.append(Print(self._file, start, end, self._hash.hexdigest()))
                self._hash = hashlib.sha256()
                self._left.pop(0)
                self._at = self._left[0][0] if self._left else end
        return data

    def peek_at(self, offset: int, size: int) -> bytes:
        """See ``Readable``."""
        return self._content.peek_at(offset, size)

    def prints(self) -> list[Print]:
        """What was read; all of it must have been."""
        if self.core_header is not None:
            return [header_print(self._file, self.core_header)]
        while self.read(1 << 20):
            pass
        return self._prints


class RangeHasher:
    """The digests of some ranges of a file that goes by.

    Args:
        file: Number of the file.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._start = 0
        self._end = 0
        self._hash = hashlib.sha256()
        self.prints: list[Print] = []

    def take(self, data: bytes, cuts: Iterable[int]) -> None:
        """The next bytes, and where among them or at their end a range ends.

        Args:
            data: The bytes.
            cuts: Positions in the file, rising.
        """
        view = memoryview(data)
        for cut in cuts:
            count = cut - self._end
            self._hash.update(view[:count])
            view = view[count:]
            self._end = cut
            self.prints.append(Print(self._file, self._start, cut, self._hash.hexdigest()))
            self._hash = hashlib.sha256()
            self._start = cut
        self._hash.update(view)
        self._end += len(view)
