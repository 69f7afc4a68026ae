"""Privacy models: which classes of equal quasi-identifiers may not be told apart as they are.

Each model says which classes break it, from a table of counts. A model is *monotone* where joining
a class that keeps it with any other gives one that keeps it; ADR 0017 says what follows from that.
All are heuristics: they bound what one table tells, to somebody who knows the quasi-identifiers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from leeward_masking.anonymity.counts import CountTable, SensitiveCounts
from leeward_masking.anonymity.grouping import BoolArray, FloatArray, IntArray
from leeward_masking.anonymity.hierarchy import Hierarchy

TOLERANCE: Final = 1e-12
"""What rounding may add to an entropy or a distance."""
_CHUNK: Final = 1 << 20


class Model(Protocol):
    """What a class must keep to. Classes that all keep to it must do so joined, too."""

    def broken(self, table: CountTable) -> BoolArray:
        """Which classes break the model; shape (classes,)."""
        ...

    def monotone(self) -> "Model | None":
        """The strictest monotone model that this one implies: itself, a weaker one, or none."""
        ...


@dataclass(frozen=True, slots=True)
class KAnonymity:
    """At least k distinct subjects in each class (Sweeney 2002).

    Raises:
        ValueError: ``k`` is below 1.
    """

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError("k must be at least 1")

    def broken(self, table: CountTable) -> BoolArray:
        """Classes with fewer than k subjects; shape (classes,)."""
        return table.subjects() < self.k

    def monotone(self) -> Model:
        """Itself: subjects do not get fewer when classes join."""
        return self


@dataclass(frozen=True, slots=True)
class DistinctLDiversity:
    """At least l values of a sensitive attribute in each class (Machanavajjhala et al. 2007).

    Attributes:
        attribute: Which of the table's sensitive attributes.

    Raises:
        ValueError: ``l`` is below 1.
    """

    l: int  # noqa: E741 - its name in the literature
    attribute: int = 0

    def __post_init__(self) -> None:
        if self.l < 1:
            raise ValueError("l must be at least 1")

    def broken(self, table: CountTable) -> BoolArray:
        """Classes with fewer than l values; shape (classes,)."""
        return np.bincount(table.sensitive[self.attribute].entry, minlength=len(table)) < self.l

    def monotone(self) -> Model:
        """Itself: values do not get fewer when classes join."""
        return self


@dataclass(frozen=True, slots=True)
class EntropyLDiversity:
    """Entropy of the sensitive values of each class at least log l (Machanavajjhala et al. 2007).

    The distribution is that of the rows.

    Attributes:
        l: At least 1; need not be whole.
        attribute: Which of the table's sensitive attributes.

    Raises:
        ValueError: ``l`` is below 1.
    """

    l: float  # noqa: E741 - its name in the literature
    attribute: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.l) and self.l >= 1):
            raise ValueError("l must be a number of at least 1")

    def broken(self, table: CountTable) -> BoolArray:
        """Classes with less entropy; shape (classes,)."""
        counts = table.sensitive[self.attribute]
        parts = counts.rows / table.rows[counts.entry]
        entropy = np.bincount(counts.entry, -parts * np.log(parts), len(table))
        return entropy < math.log(self.l) - TOLERANCE

    def monotone(self) -> Model:
        """Distinct l-diversity: n values have an entropy of log n at most."""
        return DistinctLDiversity(math.ceil(self.l * (1 - 1e-9)), self.attribute)


@dataclass(frozen=True, slots=True)
class TCloseness:
    """Distribution of a sensitive attribute in each class within t of that in the whole table.

    The distance is the earth mover's (Li et al. 2007), of rows. Distances between values are from
    0 to 1: equal (1 between any two), ordered (ranks, divided by the most), hierarchical (level
    where two values meet, divided by the last level).

    Attributes:
        t: From 0 to 1.
        whole: Rows per value in the whole table, suppressed ones included; shape (values,).
        distance: ``Equal``, ``Ordered`` (codes are ranks), or a hierarchy over the values that
            ends with one group.
        attribute: Which of the table's sensitive attributes.

    Raises:
        ValueError: ``t`` is not from 0 to 1, or the hierarchy has other values or several last
            groups.
    """

    t: float
    whole: IntArray
    distance: Literal["Equal", "Ordered"] | Hierarchy = "Equal"
    attribute: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.t <= 1:
            raise ValueError("t must be from 0 to 1")
        if isinstance(self.distance, Hierarchy) and (
            self.distance.values != len(self.whole)
            or self.distance.height < 2
            or self.distance.size(self.distance.height - 1) != 1
        ):
            raise ValueError("the hierarchy must have all values, and end with one group")

    def broken(self, table: CountTable) -> BoolArray:
        """Classes farther away; shape (classes,)."""
        return self.distances(table) > self.t + TOLERANCE

    def monotone(self) -> None:
        """None: a class that is close may join one that is far."""

    def distances(self, table: CountTable) -> FloatArray:
        """The distance of each class; shape (classes,), from 0 to 1."""
        counts = table.sensitive[self.attribute]
        if self.distance == "Ordered":
            return _ordered(counts, table.rows, self.whole)
        if self.distance == "Equal":
            return _equal(counts, table.rows, self.whole)
        # Moving mass costs 1/2H per step of the tree, up or down, so the sum over levels below the
        # last of half the difference of the groups is Li's sum over inner nodes.
        last = self.distance.height - 1
        distance = np.zeros(len(table))
        for level in range(last):
            groups = self.distance.levels[level]
            size = self.distance.size(level)
            joined = SensitiveCounts.of(
                size, counts.entry, groups[counts.value].astype(np.int64), counts.rows, len(table)
            )
            whole = np.bincount(groups, self.whole, size).astype(np.int64)
            distance += _equal(joined, table.rows, whole)
        return distance / last


def broken_by(models: Sequence[Model], table: CountTable) -> BoolArray:
    """Classes that break any of the models; shape (classes,)."""
    broken = np.zeros(len(table), np.bool_)
    for model in models:
        broken |= model.broken(table)
    return broken


def _equal(counts: SensitiveCounts, rows: IntArray, whole: IntArray) -> FloatArray:
    """Half the sum of absolute differences, by the values that the class has."""
    parts = counts.rows / rows[counts.entry]
    common = np.minimum(parts, (whole / max(int(whole.sum()), 1))[counts.value])
    distance: FloatArray = np.maximum(0.0, 1.0 - np.bincount(counts.entry, common, len(rows)))
    return distance


def _ordered(counts: SensitiveCounts, rows: IntArray, whole: IntArray) -> FloatArray:
    """The sum of absolute differences of the cumulated distributions, divided by values - 1."""
    size = counts.size
    if size < 2:
        return np.zeros(len(rows))
    total = np.cumsum(whole / max(int(whole.sum()), 1))
    distance = np.empty(len(rows))
    step = max(1, _CHUNK // size)
    for start in range(0, len(rows), step):
        stop = min(start + step, len(rows))
        first, last = np.searchsorted(counts.entry, [start, stop])
        place = (counts.entry[first:last] - start) * size + counts.value[first:last]
        held = np.bincount(place, counts.rows[first:last], (stop - start) * size)
        dense = held.reshape(stop - start, size) / rows[start:stop, None]
        distance[start:stop] = np.abs(np.cumsum(dense, axis=1) - total).sum(axis=1) / (size - 1)
    return distance
