"""How far the rows as they are written can be told apart: measured, not taken from the search.

A linkage attack: somebody who knows the quasi-identifiers of everybody in the source joins them
with a table, and names, for each person, one of those who are alike there at random. Each class
that is there then gives one right answer on average, whatever its size.

The risks are those of El Emam and Dankar (2008) and Dankar and El Emam (2010): of one person who is
known to be in the table (prosecutor), and of as many as possible (marketer).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl

from leeward_masking.anonymity.grouping import BoolArray, FloatArray
from leeward_masking.privacymodel.classes import distinct, encode, stable_hash

SAMPLE: Final = 1 << 20
"""Pairs of class and subject that are kept, at most; some 16 MB."""
MOST_PER_CLASS: Final = 1 << 10
_RANGE: Final = 1 << 64
_MIXED: Final = np.uint64(0x9E3779B97F4A7C15)
_MISSING: Final = 0xBF58476D1CE4E5B9
_AT_RISK: Final = 20
_DEVIATIONS: Final = 6
"""Standard deviations, of one in the root of ``MOST_PER_CLASS`` each, that no estimate is off."""
_CLASS, _SUBJECT, _ROWS = "class", "subject", "rows"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Classes of one table, in subjects.

    Attributes:
        classes: How many.
        smallest, largest: Sizes; 0 where there is no class.
        mean: Mean size.
        risk_highest: 1 / size of the smallest class.
        risk_mean: Of a subject, on average: the share of subjects whom a guess finds.
        at_risk: Share of subjects in classes of fewer than 20.
        unique: Share of subjects who are alone in their class.
        estimated: Whether classes were sampled, or people of the largest ones.
    """

    classes: int
    smallest: int
    largest: int
    mean: float
    risk_highest: float
    risk_mean: float
    at_risk: float
    unique: float
    estimated: bool


class ClassSample:
    """Sizes of classes in bounded memory: exact up to ``SAMPLE`` pairs, then of some classes.

    Of classes those with the smallest hashes are kept, of subjects of a class likewise (KMV, as in
    ``stats.DistinctSketch``). So samples of parts can be merged.

    Args:
        by_subject: Whether sizes are in distinct subjects; else in rows.
    """

    def __init__(self, *, by_subject: bool, sample: int = SAMPLE) -> None:
        self._by_subject = by_subject
        self._sample = sample
        self._bound = _RANGE
        self._capped = False
        self._parts: list[pl.DataFrame] = []
        self._waiting = 0

    def add(self, quasi_identifiers: pl.DataFrame, subjects: pl.Series | None) -> None:
        """Count a block of rows.

        Args:
            quasi_identifiers: Columns that make the classes.
            subjects: 64 bits each, null where nobody knows; None: in rows.
        """
        classes = _class_ids(quasi_identifiers)
        if subjects is None:
            pairs = pl.DataFrame({_CLASS: classes, _ROWS: np.ones(len(classes), np.int64)})
        else:
            pairs = pl.DataFrame({_CLASS: classes, _SUBJECT: subjects})
        self._take(self._folded(self._below(pairs)))

    def tables(self) -> dict[str, pl.DataFrame]:
        """What it knows so far, to be stored."""
        self._compact()
        limits = {"bound": [min(self._bound, _RANGE - 1)], "capped": [self._capped]}
        schema = {"bound": pl.UInt64, "capped": pl.Boolean}
        return {"pairs": self._pairs(), "limits": pl.DataFrame(limits, schema)}

    @classmethod
    def merged(
        cls,
        parts: Sequence[Mapping[str, pl.DataFrame]],
        *,
        by_subject: bool,
        sample: int = SAMPLE,
    ) -> Self:
        """One sample of several that counted different rows."""
        whole = cls(by_subject=by_subject, sample=sample)
        for part in parts:
            bound, capped = part["limits"].row(0)
            whole._bound = min(whole._bound, bound) if bound < _RANGE - 1 else whole._bound
            whole._capped |= capped
        for part in parts:
            whole._take(part["pairs"])
        return whole

    def exposure(self) -> Exposure:
        """What the sample says of all classes."""
        self._compact()
        sizes, _ = self._sizes()
        scale = _RANGE / self._bound
        subjects = float(sizes.sum())
        estimated = scale > 1 or self._capped
        if not len(sizes):
            return Exposure(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, estimated=estimated)
        return Exposure(
            classes=round(len(sizes) * scale),
            smallest=round(sizes.min()),
            largest=round(sizes.max()),
            mean=subjects / len(sizes),
            risk_highest=float(1 / sizes.min()),
            risk_mean=len(sizes) / subjects,
            at_risk=float(sizes[sizes < _AT_RISK].sum()) / subjects,
            unique=float(np.count_nonzero(sizes == 1)) / subjects,
            estimated=estimated,
        )

    def breaks(self, k: int) -> bool:
        """Whether a class of the sample surely has fewer than ``k`` subjects.

        Of an estimated size, that is: even ``_DEVIATIONS`` standard deviations above.
        """
        self._compact()
        sizes, estimated = self._sizes()
        most = np.where(estimated, sizes * (1 + _DEVIATIONS / MOST_PER_CLASS**0.5), sizes)
        return bool((most < k).any())

    def _take(self, pairs: pl.DataFrame) -> None:
        self._parts.append(self._below(pairs))
        self._waiting += self._parts[-1].height
        if self._waiting > self._sample:
            self._compact()

    def _below(self, pairs: pl.DataFrame) -> pl.DataFrame:
        return pairs if self._bound == _RANGE else pairs.filter(pl.col(_CLASS) < self._bound)

    def _folded(self, pairs: pl.DataFrame) -> pl.DataFrame:
        if not self._by_subject:
            return pairs.group_by(_CLASS).agg(pl.col(_ROWS).sum())
        return pairs.unique()

    def _pairs(self) -> pl.DataFrame:
        if self._parts:
            return self._parts[0]
        second = {_SUBJECT: pl.UInt64} if self._by_subject else {_ROWS: pl.Int64}
        return pl.DataFrame(schema={_CLASS: pl.UInt64, **second})

    def _compact(self) -> None:
        """Keep each pair once; of too many, fewer of large classes, then fewer classes."""
        pairs = self._folded(self._below(pl.concat([self._pairs().clear(), *self._parts])))
        if self._by_subject and (self._capped or pairs.height > self._sample // 2):
            # Once and again: a size is estimated from the smallest hashes of all, and no others.
            pairs = self._without_most_of_large_classes(pairs)
        while pairs.height > self._sample // 2:
            self._bound //= 2
            pairs = self._below(pairs)
        self._parts, self._waiting = [pairs], 0

    def _without_most_of_large_classes(self, pairs: pl.DataFrame) -> pl.DataFrame:
        counts = pairs.group_by(_CLASS).len()
        large = counts.filter(pl.col("len") > MOST_PER_CLASS).select(_CLASS)
        if large.is_empty():
            return pairs
        self._capped = True
        rank = pl.col(_SUBJECT).rank("ordinal").over(_CLASS)
        few = pairs.join(large, on=_CLASS, how="semi").filter(
            rank.is_null() | (rank <= MOST_PER_CLASS)
        )
        return pl.concat([pairs.join(large, on=_CLASS, how="anti"), few])

    def _sizes(self) -> tuple[FloatArray, BoolArray]:
        """Size per class of the sample, and whether it is an estimate.

        A class without any known subject counts as one subject.
        """
        pairs = self._pairs()
        if not self._by_subject:
            rows: FloatArray = pairs[_ROWS].cast(pl.Float64).to_numpy()
            return rows, np.zeros(len(rows), np.bool_)
        known = pl.col(_SUBJECT).count().alias("known")
        last = pl.col(_SUBJECT).max().alias("last")
        classes = pairs.group_by(_CLASS).agg(known, last)
        counts = classes["known"].cast(pl.Float64).to_numpy()
        last_hash = classes["last"].cast(pl.Float64).fill_null(1.0).to_numpy()
        estimate = (MOST_PER_CLASS - 1) / (last_hash + 1) * _RANGE
        capped: BoolArray = self._capped & (counts >= MOST_PER_CLASS)
        # So many were seen, whatever the estimate says.
        sizes: FloatArray = np.where(capped, np.maximum(estimate, counts), counts)
        return np.maximum(sizes, 1.0), capped


def _class_ids(quasi_identifiers: pl.DataFrame) -> pl.Series:
    """64 bits per row, equal for equal rows, on every machine."""
    ids = np.zeros(quasi_identifiers.height, np.uint64)
    for column in quasi_identifiers.iter_columns():
        known = distinct(column)
        hashes = stable_hash(known).fill_null(_MISSING).to_numpy()
        ids = (ids ^ hashes[encode(column, known)]) * _MIXED
        ids ^= ids >> np.uint64(32)
    return pl.Series(_CLASS, ids)
