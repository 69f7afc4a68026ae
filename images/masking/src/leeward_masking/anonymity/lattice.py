"""The lattice of generalizations, and what each costs.

A node names a level per attribute. Node a is finer than b where no level of a is above that of b;
the classes of b are then unions of classes of a.

The loss is the Loss Metric of Iyengar (2002), also known as normalised certainty penalty: of a
cell with a group of m out of M values (m - 1) / (M - 1), of a suppressed one 1; weighted over
attributes, averaged over rows. It is kept in whole numbers of 2^-28, so that sums do not depend on
their order and two searches find the very same loss.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from leeward_masking.anonymity.counts import CountTable
from leeward_masking.anonymity.grouping import IntArray
from leeward_masking.anonymity.hierarchy import Hierarchy
from leeward_masking.errors import JobError

Node: TypeAlias = tuple[int, ...]

MAX_NODES: Final = 1 << 22
MAX_ATTRIBUTES: Final = 32
MAX_ROWS: Final = 1 << 32
UNIT: Final = 1 << 28
"""Loss of a row that is suppressed, before rounding of the weights."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """The nodes over some hierarchies, and the losses of cells.

    Attributes:
        hierarchies: One per quasi-identifier.
        cells: Per attribute and level the loss of a cell with each code; shapes (codes,).
        row: Loss of a suppressed row.
    """

    hierarchies: tuple[Hierarchy, ...]
    cells: tuple[tuple[IntArray, ...], ...]
    row: int

    @property
    def shape(self) -> tuple[int, ...]:
        """How many levels each attribute has."""
        return tuple(hierarchy.height for hierarchy in self.hierarchies)

    @property
    def bottom(self) -> Node:
        """The values as they are."""
        return (0,) * len(self.hierarchies)

    def generalize(self, table: CountTable, fine: Node, coarse: Node) -> CountTable:
        """Roll the counts of a node up to one that is coarser."""
        codes = table.codes.copy()
        for attribute, hierarchy in enumerate(self.hierarchies):
            low, high = fine[attribute], coarse[attribute]
            if low != high:
                codes[attribute] = hierarchy.between(low, high)[codes[attribute]]
        sizes = tuple(
            hierarchy.size(level) for hierarchy, level in zip(self.hierarchies, coarse, strict=True)
        )
        return table.joined(codes, sizes)

    def class_losses(self, table: CountTable, node: Node) -> IntArray:
        """The loss of one row of each class, where it is not suppressed; shape (classes,)."""
        losses = np.zeros(len(table), np.int64)
        for attribute, level in enumerate(node):
            losses += self.cells[attribute][level][table.codes[attribute]]
        return losses

    def base_losses(self, table: CountTable) -> IntArray:
        """The loss of every node if nothing were suppressed; shape ``shape``.

        Args:
            table: That of the bottom.
        """
        base = np.zeros(self.shape, np.int64)
        for attribute, hierarchy in enumerate(self.hierarchies):
            rows = np.bincount(table.codes[attribute], table.rows, hierarchy.values)
            whole = rows.astype(np.int64)
            losses = [
                int(whole @ self.cells[attribute][level][codes])
                for level, codes in enumerate(hierarchy.levels)
            ]
            axis = [1] * len(self.hierarchies)
            axis[attribute] = hierarchy.height
            base += np.array(losses, np.int64).reshape(axis)
        return base

    def ranks(self) -> IntArray:
        """A number per node that settles ties: few steps first, then the first attributes fine."""
        steps = np.zeros(self.shape, np.int64)
        for levels in np.indices(self.shape, sparse=True):
            steps += levels
        order: npt.NDArray[np.int64] = np.arange(steps.size).reshape(self.shape)
        return steps * steps.size + order


def make_lattice(
    hierarchies: Sequence[Hierarchy], weights: Sequence[float] | None = None
) -> Lattice:
    """The lattice over these hierarchies.

    Args:
        hierarchies: One per quasi-identifier, at least one.
        weights: How much the loss of each attribute counts; None: all the same.

    Raises:
        JobError: ``InvalidConfig``: too many nodes, no attribute, or a weight that is no weight.
    """
    if not hierarchies:
        raise _invalid("there is no quasi-identifier", "name at least one column")
    nodes = math.prod(hierarchy.height for hierarchy in hierarchies)
    if nodes > MAX_NODES or len(hierarchies) > MAX_ATTRIBUTES:
        raise _invalid(
            f"{len(hierarchies)} quasi-identifiers with {nodes:,} combinations of levels are more"
            f" than can be searched ({MAX_ATTRIBUTES}; {MAX_NODES:,})",
            "name fewer columns, or give them fewer levels",
        )
    given = [1.0] * len(hierarchies) if weights is None else list(weights)
    if len(given) != len(hierarchies) or not all(math.isfinite(w) and w > 0 for w in given):
        raise _invalid(
            "weights must be numbers above 0, one per quasi-identifier", "correct the weights"
        )
    shares = [round(UNIT * weight / math.fsum(given)) for weight in given]
    cells = []
    for hierarchy, share in zip(hierarchies, shares, strict=True):
        others = max(hierarchy.values - 1, 1)
        members = [np.bincount(codes) for codes in hierarchy.levels]
        cells.append(tuple(np.rint((m - 1) / others * share).astype(np.int64) for m in members))
    return Lattice(tuple(hierarchies), tuple(cells), sum(shares))


def _invalid(fault: str, remedy: str) -> JobError:
    return JobError("InvalidConfig", f"privacyModel: {fault}", remedy)
