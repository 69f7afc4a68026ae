"""A uniform sample of rows, before and after, in bounded memory."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward_masking.values.canonical import column_type
from leeward_masking.values.detaching import detached

MAX_ROWS: Final = 50_000
MAX_BYTES: Final = 32 << 20
"""Of rows before and rows after, each."""
MAX_TEXT: Final = 200
"""Characters of a value that are looked at."""
PRIORITY: Final = "\ufdd0priority"
"""Name of the column that decides who stays; a noncharacter, so no file has it."""
_WHOLE: Final = 1 << 64
_NOTHING: Final = pl.DataFrame({PRIORITY: []}, {PRIORITY: pl.UInt64})

_FEWEST: Final = 64
_AT_ONCE: Final = 1
"""Times as many rows as are kept in the end are looked at, about, of one block at most."""
Side = Mapping[str, bool]
"""Columns that are sampled; True: their values, False: hashes, which tell only what is equal."""


@dataclass(frozen=True, slots=True)
class Share:
    """One of several samples that are merged.

    Attributes:
        parts: How many there are, about: each keeps so many times fewer rows.
        hash_seed: Of all of them, below 2**32: equal values have equal hashes in each.
    """

    parts: int
    hash_seed: int


class RowSample:
    """The rows with the smallest random priorities (bottom-k sampling; Cohen and Kaplan 2007).

    A row has one priority before and after, so that they can be joined. Samples of parts are merged
    by the same rule. Safe to use from several threads.

    Args:
        before, after: Columns that are sampled.
        seed: Of the priorities; a sample of statistics needs no secret randomness.
        share: What this sample is a part of; None: it is of all rows.
    """

    def __init__(
        self,
        before: Side,
        after: Side,
        seed: int | None = None,
        *,
        share: "Share | None" = None,
        rows: int = MAX_ROWS,
        size: int = MAX_BYTES,
    ) -> None:
        self._sides: Final = (before, after)
        parts = share.parts if share else 1
        self._limits: Final = (max(_FEWEST, rows // parts), max(_FEWEST, size // parts))
        start = int.from_bytes(os.urandom(8), "big") if seed is None else seed
        self._random = np.random.Generator(np.random.PCG64(start))
        self._hash_seed: Final = share.hash_seed if share else start & 0xFFFF_FFFF
        self._bound = _WHOLE
        self._frames: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])
        self._lock = threading.Lock()

    def add(self, source: pl.DataFrame, masked: pl.DataFrame, stays: pl.Series | None) -> None:
        """Look at one block.

        Args:
            source: Its rows before.
            masked: Those that were written.
            stays: Which of the rows before these are, shape (rows before,); None: all.
        """
        with self._lock:
            first = self._random.integers(0, _WHOLE - 1, source.height, np.uint64, endpoint=True)
            few = _WHOLE * _AT_ONCE * self._limits[0] // max(1, source.height)
            bound = self._bound = min(self._bound, few)
        second = first if stays is None else first.compress(stays.to_numpy())
        parts = [
            _picked(frame, side, priorities, bound, self._hash_seed)
            for frame, side, priorities in zip(
                (source, masked), self._sides, (first, second), strict=True
            )
        ]
        with self._lock:
            self._keep(parts)

    def tables(self) -> dict[str, pl.DataFrame]:
        """What is known so far.

        Returns:
            ``before`` and ``after``, each with the column ``PRIORITY``; ``bound``: the priority
            from which on rows are left out, empty where none is.
        """
        with self._lock:
            self._settle()
            before, after = (frames[0] if frames else _NOTHING for frames in self._frames)
            bounds = [] if self._bound == _WHOLE else [self._bound]
            bound = pl.DataFrame({PRIORITY: bounds}, {PRIORITY: pl.UInt64})
            return {"before": before, "after": after, "bound": bound}

    def merge(self, parts: Sequence[Mapping[str, pl.DataFrame]]) -> None:
        """Take in what samples of other rows know, by ``tables``."""
        with self._lock:
            for part in parts:
                # The tightest bound of all holds: above it a part has thrown rows away.
                self._bound = min([self._bound, *part["bound"].get_column(PRIORITY)])
                self._keep([part["before"], part["after"]])
            self._settle()

    def _keep(self, parts: Sequence[pl.DataFrame]) -> None:
        for frames, part in zip(self._frames, parts, strict=True):
            if part.height:
                frames.append(part)
        rows, size = self._limits
        if any(
            sum(frame.height for frame in frames) > 2 * rows
            or sum(frame.estimated_size() for frame in frames) > 2 * size
            for frames in self._frames
        ):
            self._settle()

    def _settle(self) -> None:
        """Throw away what is over the limits, of both sides alike."""
        rows, size = self._limits
        for frames in self._frames:
            if not frames:
                continue
            whole = pl.concat(frames, rechunk=True)
            each = max(1.0, whole.estimated_size() / max(1, whole.height))
            allowed = min(rows, max(1, int(size / each)))
            if whole.height > allowed:
                priorities = whole.get_column(PRIORITY).to_numpy()
                self._bound = min(self._bound, int(np.partition(priorities, allowed)[allowed]))
            frames[:] = [whole]
        if self._bound < _WHOLE:
            for frames in self._frames:
                frames[:] = [frame.filter(pl.col(PRIORITY) < self._bound) for frame in frames]


def _picked(
    frame: pl.DataFrame, side: Side, priorities: NDArray[np.uint64], bound: int, seed: int
) -> pl.DataFrame:
    if bound < _WHOLE:
        places = np.flatnonzero(priorities < np.uint64(bound))
        frame = frame.select(list(side))[places]
        priorities = priorities[places]
    columns = [_bounded(frame.get_column(name), side[name], seed) for name in side]
    return detached(pl.DataFrame([*columns, pl.Series(PRIORITY, priorities, pl.UInt64)]))


def _bounded(values: pl.Series, shown: bool, seed: int) -> pl.Series:
    if not shown:
        hashes = values.hash(seed=seed)
        return hashes.set(values.is_null(), None)
    if column_type(values.dtype) == "String":
        return values.cast(pl.String).str.head(MAX_TEXT)
    return values
