"""Privacy models against what their definitions say of the rows, node by node."""

import math
from collections import Counter as Bag
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward_masking.anonymity.counts import CountTable, count_block, merge
from leeward_masking.anonymity.grouping import CodeArray, IntArray, SubjectArray
from leeward_masking.anonymity.hierarchy import Hierarchy, from_columns
from leeward_masking.anonymity.lattice import make_lattice
from leeward_masking.anonymity.models import (
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    Model,
    TCloseness,
)
from leeward_masking.anonymity.search import Answer, search
from leeward_masking.errors import JobError

LIMITS = [Fraction(0), Fraction(1, 10), Fraction(3, 10), Fraction(1)]


@dataclass(frozen=True)
class Rows:
    """A small table: codes per row, a subject (or none), a sensitive value."""

    hierarchies: list[Hierarchy]
    codes: list[tuple[int, ...]]
    subjects: list[int | None] | None
    values: list[int]
    tree: Hierarchy

    def table(self, rows: slice = slice(None)) -> CountTable:
        sizes = [hierarchy.values for hierarchy in self.hierarchies]
        codes = np.array(self.codes[rows], np.int32).reshape(-1, len(sizes)).T
        values = np.array(self.values[rows], np.int64)
        subjects = None
        if self.subjects is not None:
            given = self.subjects[rows]
            ids = np.array([subject or 0 for subject in given], np.uint64)
            subjects = ids, np.array([subject is not None for subject in given], np.bool_)
        return count_block(codes, sizes, subjects, [(values, self.tree.values)])

    def classes(self, node: tuple[int, ...]) -> list[list[int]]:
        found: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for row, codes in enumerate(self.codes):
            found[self.at(codes, node)].append(row)
        return list(found.values())

    def at(self, codes: tuple[int, ...], node: tuple[int, ...]) -> tuple[int, ...]:
        levels = zip(self.hierarchies, codes, node, strict=True)
        return tuple(int(hierarchy.levels[level][code]) for hierarchy, code, level in levels)

    def size(self, rows: Sequence[int]) -> int:
        if self.subjects is None:
            return len(rows)
        return len({self.subjects[row] for row in rows} - {None})


def hierarchy(random: np.random.Generator, name: str, values: int, *, closed: bool) -> Hierarchy:
    """Levels that join groups of the one before at random; ``closed``: all of them in the end."""
    columns = [np.arange(values)]
    for _ in range(random.integers(0, 3)):
        groups = int(columns[-1].max()) + 1
        parents = np.sort(random.integers(0, max(1, groups - 1), groups))
        columns.append(parents[columns[-1]])
    if closed:
        columns.append(np.zeros(values, np.int64))
    return from_columns(name, [pl.Series(column) for column in columns])


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Few values and rows, so that all that matters happens often: drawn by a seed."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = random.integers(1, 6, draw(st.integers(1, 3)))
    count = draw(st.sampled_from([0, 1, 5, 12, 24, 40]))
    one_each = draw(st.booleans())
    subjects = random.integers(0, max(1, count // 2), count)
    known = random.random(count) > 0.1
    size = draw(st.integers(1, 4))
    skewed = random.integers(0, size, count) * (random.random(count) > 0.4)
    return Rows(
        [hierarchy(random, f"q{i}", n, closed=draw(st.booleans())) for i, n in enumerate(sizes)],
        [tuple(row) for row in random.integers(0, sizes, (count, len(sizes))).tolist()],
        None
        if one_each
        else [s if k else None for s, k in zip(subjects.tolist(), known, strict=True)],
        skewed.tolist(),
        hierarchy(random, "s", size, closed=True),
    )


def parts(values: Sequence[int], size: int) -> list[float]:
    bag = Bag(values)
    return [bag[value] / len(values) for value in range(size)]


def earth_movers(rows: Rows, kept: Sequence[int], distance: object) -> float:
    """As Li et al. (2007) write it, section 5."""
    size = rows.tree.values
    p = parts([rows.values[row] for row in kept], size)
    q = parts(rows.values, size)
    extra = [a - b for a, b in zip(p, q, strict=True)]
    if distance == "Equal":
        return sum(e for e in extra if e > 0)
    if distance == "Ordered":
        return sum(abs(sum(extra[: i + 1])) for i in range(size)) / max(size - 1, 1)
    top = rows.tree.height - 1
    cost = 0.0
    for level in range(1, top + 1):
        for inner in range(rows.tree.size(level)):
            children: dict[int, float] = defaultdict(float)
            for value in range(size):
                if rows.tree.levels[level][value] == inner:
                    children[int(rows.tree.levels[level - 1][value])] += extra[value]
            positive = sum(e for e in children.values() if e > 0)
            negative = -sum(e for e in children.values() if e < 0)
            cost += level / top * min(positive, negative)
    return cost


def keeps(rows: Rows, kept: list[int], model: Model) -> bool:
    values = [rows.values[row] for row in kept]
    if isinstance(model, KAnonymity):
        return rows.size(kept) >= model.k
    if isinstance(model, DistinctLDiversity):
        return len(set(values)) >= model.l
    if isinstance(model, EntropyLDiversity):
        entropy = -sum(p * math.log(p) for p in parts(values, rows.tree.values) if p)
        return entropy >= math.log(model.l) - 1e-12
    assert isinstance(model, TCloseness)
    return earth_movers(rows, kept, model.distance) <= model.t + 1e-12


def best_by_definition(
    rows: Rows, models: Sequence[Model], limit: Fraction
) -> tuple[float, int] | None:
    """The least loss, and how many steps it takes at the least."""
    found: list[tuple[float, int]] = []
    for node in product(*(range(hierarchy.height) for hierarchy in rows.hierarchies)):
        lost, left_out = 0.0, 0
        for kept in rows.classes(node):
            if not all(keeps(rows, kept, model) for model in models):
                left_out += len(kept)
                lost += len(kept)
                continue
            shares = []
            for h, code, level in zip(rows.hierarchies, rows.codes[kept[0]], node, strict=True):
                members = int(np.count_nonzero(h.levels[level] == h.levels[level][code]))
                shares.append((members - 1) / max(h.values - 1, 1))
            lost += len(kept) * sum(shares) / len(shares)
        if left_out <= limit * len(rows.codes):
            found.append((round(lost / max(len(rows.codes), 1), 6), sum(node)))
    return min(found, default=None)


@st.composite
def several_models(draw: st.DrawFn, rows: Rows) -> list[Model]:
    whole = np.bincount(np.array(rows.values, np.int64), minlength=rows.tree.values)
    models: list[st.SearchStrategy[Model]] = [
        st.builds(KAnonymity, st.integers(1, 6)),
        st.builds(DistinctLDiversity, st.integers(1, 4)),
        st.builds(EntropyLDiversity, st.floats(1.2, 3.5) | st.sampled_from([1.0, 2.0, 3.0])),
    ]
    models += [
        st.builds(
            TCloseness,
            st.floats(0, 0.6) | st.sampled_from([0.0, 0.25, 0.5]),
            st.just(whole),
            st.just(distance),
        )
        for distance in ("Equal", "Ordered", rows.tree)
    ]
    chosen = draw(st.lists(st.sampled_from(range(6)), min_size=1, max_size=2, unique=True))
    return [draw(models[i]) for i in chosen]


def found(
    table: CountTable, rows: Rows, models: Sequence[Model], limit: Fraction, *, prune: bool
) -> Answer | None:
    try:
        return search(table, make_lattice(rows.hierarchies), models, limit, prune=prune)
    except JobError:
        return None


@given(st.data(), tables(), st.sampled_from(LIMITS))
def test_the_search_finds_the_optimum_of_the_definitions(
    data: st.DataObject, rows: Rows, limit: Fraction
) -> None:
    models = data.draw(several_models(rows))
    table = rows.table().settle()
    pruned = found(table, rows, models, limit, prune=True)
    exhaustive = found(table, rows, models, limit, prune=False)
    expected = best_by_definition(rows, models, limit)
    if pruned is None or exhaustive is None or expected is None:
        assert pruned is None
        assert exhaustive is None
        assert expected is None
        return
    assert (pruned.node, pruned.loss) == (exhaustive.node, exhaustive.loss)
    assert pruned.suppressed.tolist() == exhaustive.suppressed.tolist()
    assert pruned.loss == pytest.approx(expected[0], abs=2e-6)
    check_what_is_released(rows, models, limit, pruned)


@given(st.data(), st.integers(0, 2**32), st.sampled_from(LIMITS[:3]), st.integers(20, 200))
def test_pruning_misses_nothing(
    data: st.DataObject, seed: int, limit: Fraction, count: int
) -> None:
    """On lattices that are too large to go through by definition each time."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 8, 4)
    made = [hierarchy(random, f"q{i}", n, closed=True) for i, n in enumerate(sizes)]
    people = random.integers(0, count, count).tolist()
    values = random.integers(0, 4, count) * (random.random(count) > 0.3)
    codes = (random.integers(0, sizes, (count, 4)) * (random.random((count, 4)) > 0.3)).tolist()
    tree = hierarchy(random, "s", 4, closed=True)
    rows = Rows(made, [tuple(row) for row in codes], people, values.tolist(), tree)
    models = data.draw(several_models(rows))
    table = rows.table().settle()
    pruned = found(table, rows, models, limit, prune=True)
    exhaustive = found(table, rows, models, limit, prune=False)
    assert (pruned is None) == (exhaustive is None)
    if pruned and exhaustive:
        assert (pruned.node, pruned.loss) == (exhaustive.node, exhaustive.loss)


def check_what_is_released(
    rows: Rows, models: Sequence[Model], limit: Fraction, answer: Answer
) -> None:
    """Look at the rows that come out, not at counts."""
    count = len(rows.hierarchies)
    codes, stays = answer.apply(np.array(rows.codes, np.int32).reshape(-1, count).T)
    assert codes.T.tolist() == [list(rows.at(code, answer.node)) for code in rows.codes]
    assert int(np.count_nonzero(~stays)) <= limit * len(rows.codes)
    sizes = []
    for kept in rows.classes(answer.node):
        fine = all(keeps(rows, kept, model) for model in models)
        assert {bool(stays[row]) for row in kept} == {fine}
        if fine:
            sizes.append(max(rows.size(kept), 1))
    people = np.maximum(answer.table.subjects()[~answer.suppressed], 1)
    assert sorted(people.tolist()) == sorted(sizes)
    assert answer.table.rows[answer.suppressed].sum() == np.count_nonzero(~stays)


def same(one: CountTable, other: CountTable) -> bool:
    pairs: list[tuple[IntArray | CodeArray | SubjectArray, ...]] = [
        (one.codes, other.codes),
        (one.rows, other.rows),
        (one.settled, other.settled),
        (one.open_entry, other.open_entry),
        (one.open_subject, other.open_subject),
    ]
    for a, b in zip(one.sensitive, other.sensitive, strict=True):
        pairs += [(a.entry, b.entry), (a.value, b.value), (a.rows, b.rows)]
    return all(np.array_equal(a, b) for a, b in pairs)


@given(tables(), st.lists(st.integers(0, 40), max_size=5))
def test_merged_parts_are_the_whole(rows: Rows, cuts: list[int]) -> None:
    ends = sorted({0, len(rows.codes), *(min(cut, len(rows.codes)) for cut in cuts)})
    pieces = [rows.table(slice(a, b)) for a, b in pairwise(ends)]
    pieces.append(rows.table(slice(0, 0)))
    whole = rows.table()
    assert same(merge(pieces), whole)
    one_by_one = pieces[-1]
    for piece in reversed(pieces[:-1]):
        one_by_one = merge([piece, one_by_one])
    assert same(one_by_one, whole)


@given(st.data(), tables())
def test_rolling_up_is_counting_again(data: st.DataObject, rows: Rows) -> None:
    """Also in two steps, and settled before or after."""
    lattice = make_lattice(rows.hierarchies)
    coarse = tuple(data.draw(st.integers(0, height - 1)) for height in lattice.shape)
    middle = tuple(data.draw(st.integers(0, level)) for level in coarse)
    table = rows.table().settle()
    rolled = lattice.generalize(table, lattice.bottom, coarse)
    twice = lattice.generalize(lattice.generalize(table, lattice.bottom, middle), middle, coarse)
    assert same(rolled, twice)
    assert sorted(rolled.subjects().tolist()) == sorted(map(rows.size, rows.classes(coarse)))
    assert sorted(rolled.rows.tolist()) == sorted(map(len, rows.classes(coarse)))
