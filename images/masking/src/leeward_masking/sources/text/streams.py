"""What text is read from: bytes in order, and how far they are read."""

from typing import Protocol


class ByteStream(Protocol):
    """Bytes of unknown number."""

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        ...

    def position(self) -> tuple[int, int]:
        """Bytes of the file that were read, and that it has: how far it is."""
        ...
