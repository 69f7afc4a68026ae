"""What every reader of a format gives: the schema, and the rows in blocks of bounded size."""

from collections.abc import Iterator
from typing import Final, Protocol

import polars as pl

BLOCK_BYTES: Final = 16 << 20
"""Bytes of a block in memory, about; several are there at once."""


class BlockReader(Protocol):
    """The rows of one file, in order."""

    schema: pl.Schema

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The rows; every block has ``schema``, none is empty.

        Raises:
            JobError: The data cannot be read; row and column are named where there is one.
        """
        ...

    def position(self) -> tuple[int, int]:
        """Bytes read, and bytes in all: how far it is."""
        ...
