"""Rows that outlive the block they came from, without keeping all of that block in memory.

Texts of Polars are views into buffers that many columns share: a few texts that were taken out of
a block, or the keys of its groups, keep the texts of the whole block.
"""

from io import BytesIO

import polars as pl


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows, in memory of their own."""
    buffer = BytesIO()
    frame.write_ipc(buffer)
    return pl.read_ipc(buffer.getvalue())
