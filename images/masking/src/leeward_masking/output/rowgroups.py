"""Row groups and record batches of bounded size, however long rows are.

Writer and readers hold a few of them in memory at once. Polars cuts by rows alone: it collects
blocks, however large, until it has that many.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

import polars as pl

from leeward_masking.errors import JobError

MAX_ROWS: Final = 122_880
"""What Polars makes of short rows by itself. Half of it takes 3 % more time, an eighth 20 %."""
MAX_BYTES: Final = 64 << 20
"""Of a row group in memory; while it is written some seven times as much is in use."""
_WANTED: Final = 48 << 20
"""That much less, so that a few missing values, which need bits, are no reason to stop."""
GROWTH: Final = 16
"""Times that texts may be longer, in the mean of a row group, than in the first blocks."""
_LOOKED_AT: Final = 4


def cut(frames: Iterator[pl.DataFrame], most: int) -> tuple[int, Iterator[pl.DataFrame]]:
    """Rows of each group, from what the first blocks hold, and all blocks.

    Args:
        frames: The blocks.
        most: Rows that a group may have.

    Returns:
        The rows; and the blocks, of which the iterator raises ``JobError`` (``TooLarge``) before
        more than ``MAX_BYTES`` would be held.
    """
    first = list(islice(frames, _LOOKED_AT))
    rows = rows_of_group(first, most)
    return rows, _bounded(chain(first, frames), rows)


def rows_of_group(frames: Sequence[pl.DataFrame], most: int) -> int:
    """Rows with which a group is below ``MAX_BYTES``, also where texts grow ``GROWTH`` times."""
    height = sum(frame.height for frame in frames)
    if not height:
        return most
    size = 0.0
    for column in chain.from_iterable(frame.iter_columns() for frame in frames):
        size += column.estimated_size() * (GROWTH if _grows(column.dtype) else 1)
    return max(1, min(most, int(_WANTED * height / max(1.0, size))))


def _grows(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype in (pl.String, pl.Binary)


def _bounded(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The blocks, as long as each group of so many rows is small enough."""
    height, size, seen = 0, 0.0, 0
    for frame in frames:
        for part in frame.iter_slices(rows):
            height, size = height + part.height, size + part.estimated_size()
            seen += part.height
            if size > MAX_BYTES and height > 1:
                raise _too_long(seen)
            if height >= rows:
                height -= rows
                size *= height / (height + rows)
        yield frame


def _too_long(row: int) -> JobError:
    return JobError(
        "TooLarge",
        f"the rows up to {row:,} are more than {GROWTH} times as long as those at the start of the"
        f" file, and would take more than {MAX_BYTES >> 20} MiB as one row group or record batch",
        "write format CSV or JSONL, which have no row groups, or put the longest rows first",
    )
