"""The node of least loss on the lattice at which a table keeps to the models.

Exact. What is pruned, and why that is sound, stands in ADR 0017; in short, with ``base`` the loss
of a node if nothing were suppressed, and ``penalty`` what suppression adds to it:

- ``base`` is known for all nodes beforehand, and a loss is never below it (Iyengar's metric).
- For monotone models, what is suppressed at a node is suppressed at every finer one, where it costs
  no less: the penalty of a node holds for all that are finer, too, without end where too many rows
  are suppressed (predictive tagging: El Emam et al. 2009, Kohlmayer et al. 2012, with losses).
- Where nothing may be suppressed, that holds for all models here.
- Other models give the penalty of the monotone model that they imply.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from leeward_masking.anonymity.counts import CountTable
from leeward_masking.anonymity.grouping import BoolArray, CodeArray, IntArray, group
from leeward_masking.anonymity.lattice import MAX_ROWS, Lattice, Node
from leeward_masking.anonymity.models import Model, broken_by
from leeward_masking.errors import JobError

_NEVER: Final = 1 << 61
_CACHED: Final = 3
"""Entries of tables kept to roll up from, in times of those of the bottom."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be done.

    Attributes:
        lattice: The lattice that was searched.
        node: Level per quasi-identifier.
        loss: Loss Metric, from 0 (nothing changed) to 1 (nothing left).
        table: The classes.
        suppressed: Which of them are to be left out, with all their rows; shape (classes,).
        evaluated: How many nodes were looked at.
    """

    lattice: Lattice
    node: Node
    loss: float
    table: CountTable
    suppressed: BoolArray
    evaluated: int

    def levels(self) -> dict[str, int]:
        """The level of each column."""
        names = (hierarchy.name for hierarchy in self.lattice.hierarchies)
        return dict(zip(names, self.node, strict=True))

    def apply(self, codes: CodeArray) -> tuple[CodeArray, BoolArray]:
        """Generalize a block of the rows that were counted.

        Args:
            codes: Codes at level 0; shape (attributes, rows).

        Returns:
            The codes at the levels of the answer, and which rows stay; shapes (attributes, rows)
            and (rows,).
        """
        coarse = np.stack(
            [
                hierarchy.levels[level][column]
                for hierarchy, level, column in zip(
                    self.lattice.hierarchies, self.node, codes, strict=True
                )
            ]
        )
        left_out = self.table.codes[:, self.suppressed]
        numbers, count = group(
            list(np.concatenate([left_out, coarse], axis=1)), list(self.table.sizes)
        )
        out = np.zeros(count, np.bool_)
        out[numbers[: left_out.shape[1]]] = True
        return coarse, ~out[numbers[left_out.shape[1] :]]


def search(
    table: CountTable,
    lattice: Lattice,
    models: Sequence[Model],
    suppression_limit: Fraction = Fraction(0),
    *,
    prune: bool = True,
) -> Answer:
    """Find the node of least loss; of equal ones that with fewest steps, then the first.

    Args:
        table: Counts at the bottom of the lattice, settled.
        lattice: Over the attributes of the table.
        models: All of them must be kept.
        suppression_limit: Share of rows that may be left out, from 0 to 1.
        prune: False: look at every node. The answer is the same.

    Raises:
        JobError: ``PrivacyModelUnmet``: no node keeps to the models; ``TooLarge``: too many rows.
        ValueError: The table is not of this lattice, or the limit not a share.
    """
    if table.sizes != tuple(hierarchy.values for hierarchy in lattice.hierarchies):
        raise ValueError("the table must count the values of the lattice's hierarchies")
    if not 0 <= suppression_limit <= 1:
        raise ValueError("the suppression limit must be from 0 to 1")
    if table.total > MAX_ROWS:
        raise JobError("TooLarge", f"privacyModel: more than {MAX_ROWS:,} rows", "split the data")
    state = _Search(table, lattice, models, int(suppression_limit * table.total))
    if prune:
        state.prune()
    else:
        for node in np.ndindex(lattice.shape):
            state.evaluate(node)
    return state.answer()


class _Tables:
    """Tables of nodes that were looked at, to roll coarser ones up from."""

    def __init__(self, lattice: Lattice, bottom: CountTable) -> None:
        self._lattice = lattice
        self._bottom = bottom
        self._kept: OrderedDict[Node, CountTable] = OrderedDict()
        self._room = _CACHED * (bottom.entries + 1)

    def at(self, node: Node) -> CountTable:
        """The table of a node, from the smallest one at hand that is finer."""
        source, table = self._lattice.bottom, self._bottom
        for finer, candidate in self._kept.items():
            if candidate.entries < table.entries and _is_finer(finer, node):
                source, table = finer, candidate
        if source in self._kept:
            self._kept.move_to_end(source)
        if source == node:
            return table
        rolled = self._lattice.generalize(table, source, node)
        self._kept[node] = rolled
        self._room -= rolled.entries
        while self._room < 0:
            self._room += self._kept.popitem(last=False)[1].entries
        return rolled


class _Search:
    """Losses known so far, and what they leave to look at."""

    def __init__(
        self, table: CountTable, lattice: Lattice, models: Sequence[Model], allowed: int
    ) -> None:
        self._lattice = lattice
        self._models = models
        self._monotone = [weaker for model in models if (weaker := model.monotone()) is not None]
        self._rows = table.total
        self._allowed = allowed
        self._tables = _Tables(lattice, table)
        self._base = lattice.base_losses(table)
        self._ranks = lattice.ranks()
        self._floor = self._base.copy()
        """A bound below the loss of each node that was not looked at; ``_NEVER`` of the others."""
        self._best: tuple[int, int] = (_NEVER, 0)
        self._best_node: Node | None = None
        self._evaluated = 0

    def evaluate(self, node: Node) -> bool:
        """Look at a node; whether it is the best so far."""
        self._evaluated += 1
        table = self._tables.at(node)
        broken = broken_by(self._models, table)
        losses = self._lattice.class_losses(table, node)
        self._learn(node, self._implied(table, broken, losses))
        self._floor[node] = _NEVER
        if int(table.rows[broken].sum()) > self._allowed:
            return False
        loss = int(self._base[node]) + self._penalty(table, broken, losses)
        if (loss, int(self._ranks[node])) >= self._best and self._best_node is not None:
            return False
        self._best, self._best_node = (loss, int(self._ranks[node])), node
        return True

    def _penalty(self, table: CountTable, broken: BoolArray, losses: IntArray) -> int:
        """What leaving these classes out adds to the loss."""
        return int(table.rows[broken] @ (self._lattice.row - losses[broken]))

    def _implied(self, table: CountTable, broken: BoolArray, losses: IntArray) -> int:
        """A penalty that every finer node has, too."""
        if self._allowed:
            broken = broken_by(self._monotone, table)
        if int(table.rows[broken].sum()) > self._allowed:
            return _NEVER
        return self._penalty(table, broken, losses)

    def _learn(self, node: Node, penalty: int) -> None:
        if not penalty:
            return
        finer = tuple(slice(level + 1) for level in node)
        bound = np.minimum(self._base[finer] + penalty, _NEVER)
        np.maximum(self._floor[finer], bound, out=self._floor[finer])

    def prune(self) -> None:
        """Look at nodes until no other one can be better."""
        self._halve(list(self._chain()))
        volume = np.ones(self._lattice.shape)
        for levels in np.indices(self._lattice.shape, sparse=True):
            volume *= levels + 1
        while True:
            while self._best_node is not None and self._descend(self._best_node):
                pass
            left = self._open()
            if not left.any():
                return
            # The one with most nodes below: if it fails, all of these are settled at once.
            place = int(np.argmax(np.where(left, volume, 0)))
            self.evaluate(tuple(int(i) for i in np.unravel_index(place, left.shape)))

    def _open(self) -> BoolArray:
        loss, rank = self._best
        left: BoolArray = (self._floor < loss) | ((self._floor == loss) & (self._ranks < rank))
        return left

    def _chain(self) -> Iterator[Node]:
        """From the top to the bottom, by the step that saves most each time."""
        node = tuple(height - 1 for height in self._lattice.shape)
        yield node
        while any(node):
            node = min(_finer_by_one(node), key=lambda finer: int(self._base[finer]))
            yield node

    def _halve(self, chain: list[Node]) -> None:
        """Find a good node on a chain, so that much of the lattice is too dear from the start."""
        low, high = 0, len(chain) - 1
        self.evaluate(chain[0])
        while low < high:
            middle = (low + high + 1) // 2
            if self._floor[chain[middle]] < _NEVER and self.evaluate(chain[middle]):
                low = middle
            else:
                high = middle - 1

    def _descend(self, node: Node) -> bool:
        """Look at the neighbours below; whether one of them is better."""
        finer = [below for below in _finer_by_one(node) if self._open()[below]]
        for below in sorted(finer, key=lambda below: int(self._floor[below])):
            if self._open()[below] and self.evaluate(below):
                return True
        return False

    def answer(self) -> Answer:
        """The best node that was found."""
        if self._best_node is None:
            raise JobError(
                "PrivacyModelUnmet",
                f"privacyModel: no levels of the hierarchies keep to it, even if {self._allowed:,}"
                f" of {self._rows:,} rows are suppressed",
                "raise kAnonymity.maxSuppression, ask for less (a smaller k or l, a larger t), or"
                " mask a source with more people",
            )
        table = self._tables.at(self._best_node)
        most = self._rows * self._lattice.row
        return Answer(
            lattice=self._lattice,
            node=self._best_node,
            loss=self._best[0] / most if most else 0.0,
            table=table,
            suppressed=broken_by(self._models, table),
            evaluated=self._evaluated,
        )


def _is_finer(fine: Node, coarse: Node) -> bool:
    return all(low <= high for low, high in zip(fine, coarse, strict=True))


def _finer_by_one(node: Node) -> list[Node]:
    return [
        (*node[:axis], level - 1, *node[axis + 1 :]) for axis, level in enumerate(node) if level
    ]
