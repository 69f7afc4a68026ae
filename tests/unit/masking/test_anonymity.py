"""Privacy models: examples of the papers, edges, and what is refused."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from leeward_masking.anonymity.counts import CountTable, count_block, merge
from leeward_masking.anonymity.hierarchy import Hierarchy, from_columns
from leeward_masking.anonymity.lattice import make_lattice
from leeward_masking.anonymity.models import (
    EntropyLDiversity,
    KAnonymity,
    Model,
    TCloseness,
)
from leeward_masking.anonymity.search import Answer, search
from leeward_masking.errors import JobError

NONE = Fraction(0)


def table(
    codes: list[list[int]], sizes: list[int], values: list[int] | None = None, size: int = 0
) -> CountTable:
    sensitive = [] if values is None else [(np.array(values), size)]
    return count_block(np.array(codes, np.int32), sizes, None, sensitive).settle()


def two_levels(values: int, name: str = "q") -> Hierarchy:
    return from_columns(name, [pl.Series(range(values))]).with_any()


def answer(codes: list[int], values: int, models: list[Model], limit: Fraction = NONE) -> Answer:
    return search(table([codes], [values]), make_lattice([two_levels(values)]), models, limit)


# --- models --------------------------------------------------------------------------------------

SALARIES = list(range(9))
"""3k to 11k: the example of Li et al. (2007), section 5."""


@pytest.mark.parametrize(("kept", "distance"), [([0, 1, 2], 0.375), ([3, 5, 8], 1 / 6)])
def test_ordered_distance_of_the_paper(kept: list[int], distance: float) -> None:
    whole = np.ones(9, np.int64)
    made = table([[0] * 3], [1], kept, 9)
    assert TCloseness(0.5, whole, "Ordered").distances(made) == pytest.approx(distance)


def test_hierarchical_distance_grows_with_the_level_where_values_meet() -> None:
    tree = from_columns("s", [pl.Series(range(4)), pl.Series([0, 0, 1, 1])]).with_any()
    half = np.array([1, 1, 0, 0])
    near = table([[0]], [1], [0], 4)
    assert TCloseness(1, half, tree).distances(near) == pytest.approx(0.25)
    assert TCloseness(1, half[::-1], tree).distances(near) == pytest.approx(1)
    assert TCloseness(1, half, "Equal").distances(near) == pytest.approx(0.5)


@pytest.mark.parametrize("model", [EntropyLDiversity(1.8), TCloseness(0.2, np.array([5, 5]))])
def test_a_class_that_keeps_to_a_model_is_not_lost_with_the_one_it_would_join(
    model: Model,
) -> None:
    """Joined, both break it: more is suppressed above than below, and the search looks below."""
    codes = [0, 0, 1, 1, *([2] * 6)]
    counts = table([codes], [3], [0, 1, 0, 0, 0, 0, 1, 1, 1, 1], 2)
    lattice = make_lattice(
        [from_columns("q", [pl.Series(["a", "b", "c"]), pl.Series(["x", "x", "y"])])]
    )
    found = search(counts, lattice, [model], Fraction(1, 5))
    assert found.node == (0,)
    assert found.suppressed.tolist() == [False, True, False]


@pytest.mark.parametrize("make", [lambda: KAnonymity(0), lambda: EntropyLDiversity(float("nan"))])
def test_a_model_that_asks_for_nothing_is_refused(make: type) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        make()


# --- the search ----------------------------------------------------------------------------------


def test_rows_of_one_subject_are_one() -> None:
    codes = np.array([[0, 0, 1, 1]], np.int32)
    known = np.ones(4, np.bool_)
    one = count_block(codes, [2], (np.array([7, 7, 7, 8], np.uint64), known)).settle()
    assert one.subjects().tolist() == [1, 2]
    lattice = make_lattice([two_levels(2)])
    assert search(one, lattice, [KAnonymity(2)]).node == (1,)
    assert lattice.generalize(one, (0,), (1,)).subjects().tolist() == [2]
    with pytest.raises(JobError):
        search(one, lattice, [KAnonymity(3)])


def test_a_row_without_a_subject_counts_for_none() -> None:
    codes = np.zeros((1, 3), np.int32)
    subjects = np.array([1, 2, 3], np.uint64), np.array([True, True, False])
    assert count_block(codes, [1], subjects).settle().subjects().tolist() == [2]


def test_more_than_there_are() -> None:
    with pytest.raises(JobError, match=r"even if 1 of 3 rows .*suppressed") as refused:
        answer([0, 1, 1], 2, [KAnonymity(4)], Fraction(1, 2))
    assert refused.value.code == "PrivacyModelUnmet"
    everything = answer([0, 1, 1], 2, [KAnonymity(4)], Fraction(1))
    assert (everything.node, everything.loss) == ((0,), 1.0)
    assert everything.suppressed.all()


def test_all_unique_one_row_all_equal_no_row() -> None:
    unique = answer([0, 1, 2], 3, [KAnonymity(2)])
    assert (unique.levels(), unique.loss) == ({"q": 1}, 1.0)
    assert answer([0], 1, [KAnonymity(1)]).loss == 0
    equal = answer([1, 1, 1], 3, [KAnonymity(3)])
    assert (equal.node, equal.loss, equal.suppressed.tolist()) == ((0,), 0, [False])
    nothing = answer([], 3, [KAnonymity(9)])
    assert (nothing.node, nothing.loss, len(nothing.table)) == ((0,), 0, 0)


def test_weights_say_which_column_stays() -> None:
    codes = [[0, 0, 1, 1], [0, 1, 0, 1]]
    made = [two_levels(2, "a"), two_levels(2, "b")]
    for weights, levels in [((1, 2), {"a": 1, "b": 0}), ((2, 1), {"a": 0, "b": 1})]:
        lattice = make_lattice(made, weights)
        found = search(table(codes, [2, 2]), lattice, [KAnonymity(2)])
        assert found.levels() == levels
        assert found.loss == pytest.approx(1 / 3)


def test_more_combinations_than_64_bits() -> None:
    random = np.random.default_rng(1)
    codes = random.integers(0, 100_000, (8, 50)).astype(np.int32)
    doubled = np.concatenate([codes, codes[:, ::-1]], axis=1)
    counted = count_block(doubled, [100_000] * 8)
    assert counted.rows.tolist() == [2] * 50
    assert counted.codes.T.tolist() == sorted(codes.T.tolist())


def test_too_much_is_refused() -> None:
    with pytest.raises(JobError, match="more than 3 combinations") as refused:
        merge([table([[0, 1]], [9]), table([[2, 3]], [9])], limit=3)
    assert refused.value.code == "TooLarge"
    tall = from_columns("q", [pl.Series(range(2))] * 9).with_any()
    with pytest.raises(JobError, match="combinations of levels"):
        make_lattice([tall] * 7)
    with pytest.raises(JobError, match="no quasi-identifier"):
        make_lattice([])
    with pytest.raises(JobError, match="weights"):
        make_lattice([tall], [0.0])


# --- hierarchies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([["a", "b", "a"]], "has value 3 twice"),
        ([["a", "b", "c"], ["x", "x", "y"], ["p", "q", "q"]], "puts value 2 with another one at"),
        ([["a", "b"], ["x"]], "has 1 values at level 1 and 2 at level 0"),
        ([], "has no levels"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(columns: list[list[str]], message: str) -> None:
    with pytest.raises(JobError, match=message) as refused:
        from_columns("q", [pl.Series(column) for column in columns])
    assert refused.value.code == "InvalidConfig"
