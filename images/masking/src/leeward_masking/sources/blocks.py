"""What every reader of a format gives: the schema, and the rows in blocks of bounded size."""

from collections.abc import Iterator
from typing import Final, Protocol

import polars as pl

from leeward_masking.errors import Place

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


class PlacedReader(BlockReader, Protocol):
    """The same, of all files of a source."""

    @property
    def place(self) -> Place:
        """Where the block that was given last begins, as errors tell it."""
        ...
