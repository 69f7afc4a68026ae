"""Labelled notes of the user's own: a file of its own, opened with a key of its own."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from leeward.formats.jobconfig import SourceFile
from leeward.formats.sealed import Unwrapper
from leeward_masking.errors import JobError
from leeward_masking.sources.source import open_source

MAX_BYTES: Final = 64 << 20
"""Of all labelled notes; they are in memory at once."""


def labelled_notes(
    config: SourceFile, keys: Sequence[Unwrapper] | None, columns: Sequence[str]
) -> pl.DataFrame:
    """The named columns of the file, whole.

    Raises:
        JobError: It cannot be read, is not the one that was admitted, or is too large.
    """
    names = list(dict.fromkeys(columns))
    parts: list[pl.DataFrame] = []
    size = 0
    with open_source(config, keys, typed=True) as source:
        for block in source.reader.blocks():
            parts.append(block.select(names))
            size += int(parts[-1].estimated_size())
            if size > MAX_BYTES:
                raise JobError(
                    "TooLarge",
                    f"the labelled notes are larger than {MAX_BYTES >> 20} MiB",
                    "some thousand notes are enough: take fewer",
                )
        source.verify()
        return pl.concat(parts) if parts else source.reader.schema.to_frame().select(names)
