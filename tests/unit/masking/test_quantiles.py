"""generalize.quantiles, and the distribution of a column that it needs."""

from collections.abc import Sequence
from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from leeward_masking.transforms.distribution import ROWS, VALUE, Distribution, counts_of, is_sampled
from leeward_masking.transforms.quantiles import Quantiles
from unit.masking.support import NUMBERS, column, refused


def cut(values: pl.Series, count: int) -> pl.Series:
    quantiles = Quantiles("c", values.dtype, count)
    gatherer = quantiles.gatherer()
    gatherer.add(values.to_frame())
    transform, _ = quantiles.finish(quantiles.merge([gatherer.tables()]), 0)
    return transform(values)


@pytest.mark.parametrize(
    ("values", "dtype", "count", "labels"),
    [
        ([4, 1, 3, 2], pl.Int64, 2, [">=3", "<3", ">=3", "<3"]),
        ([1, 2, 3], pl.UInt8, 64, ["<2", "[2, 3)", ">=3"]),
        ([5, 5, 5], pl.Int64, 4, ["*"] * 3),
        ([0, 0, 0, 0, 9], pl.Int64, 4, ["*"] * 5),
        ([0, 0, 0, 9, 9], pl.Int64, 4, ["<9", "<9", "<9", ">=9", ">=9"]),
        ([-inf, nan, None, 0.5, inf], pl.Float64, 3, ["<0.5", None, None, "[0.5, inf)", ">=inf"]),
        ([-0.5, 1.0], pl.Float32, 2, ["<1", ">=1"]),
        ([2**64 - 1, 2**64 - 2], pl.UInt64, 2, [f">={2**64 - 1}", f"<{2**64 - 1}"]),
        ([1], pl.Int64, 2, ["*"]),
        ([None, None], pl.Int64, 2, [None, None]),
        ([], pl.Float64, 2, []),
    ],
)
def test_intervals(values: Sequence[Any], dtype: Any, count: int, labels: list[str]) -> None:
    found = cut(column(values, dtype), count)
    assert found.to_list() == labels
    assert found.dtype == pl.String
    assert found.name == "c"


def test_decimals_are_told_apart_exactly() -> None:
    one, two = Decimal("1" * 20 + ".10"), Decimal("1" * 20 + ".11")
    found = cut(column([one, two], pl.Decimal(38, 2)), 2)
    assert found.to_list() == [f"<{two}", f">={two}"]


@pytest.mark.parametrize("name", NUMBERS)
def test_null_stays_null(name: str) -> None:
    found = cut(NUMBERS[name], 3)
    assert found.is_null().to_list() == NUMBERS[name].is_null().to_list()


def test_equal_numbers_of_rows() -> None:
    numbers = column(np.random.default_rng(1).permutation(10_000).tolist())
    assert set(cut(numbers, 8).value_counts()["count"]) == {1250}


@pytest.mark.parametrize("values", [column(["SECRET"]), column([True]), column([[1]])])
def test_what_holds_no_numbers(values: pl.Series) -> None:
    refused(lambda given: cut(given, 2), values)


class TestDistribution:
    def small(self, dtype: Any = None, max_bytes: int = 1 << 20) -> Distribution:
        return Distribution(dtype or pl.Int64(), max_values=1000, max_bytes=max_bytes)

    def share(self, counts: pl.DataFrame, chosen: pl.Expr) -> float:
        return int(counts.filter(chosen)[ROWS].sum()) / int(counts[ROWS].sum())

    def test_few_values_are_counted_whatever_the_rows(self) -> None:
        found = self.small()
        for _ in range(50):
            found.add(column([1, 2, 2, None] * 100))
        tables = found.tables()
        assert not is_sampled(tables)
        assert counts_of(tables).to_dict(as_series=False) == {VALUE: [1, 2], ROWS: [5000, 10000]}

    @pytest.mark.parametrize("blocks", [1, 10])
    def test_many_values_become_a_sample_of_rows(self, blocks: int) -> None:
        # Half of the rows are 0, which a sample of values instead of rows would not show.
        values = column([number if number % 2 else 0 for number in range(100_000)])
        found = self.small()
        for part in range(blocks):
            found.add(values.slice(part * len(values) // blocks, len(values) // blocks))
        tables = found.tables()
        assert is_sampled(tables)
        counts = counts_of(tables)
        assert 700 < counts[ROWS].sum() <= 2000
        # 0.5 expected, standard deviation at most 0.019.
        assert abs(self.share(counts, pl.col(VALUE) == 0) - 0.5) < 0.1
        assert abs(self.share(counts, pl.col(VALUE) > 50_000) - 0.25) < 0.1

    def test_size_in_memory_is_bounded(self) -> None:
        found = self.small(pl.String(), max_bytes=20_000)
        for block in range(20):
            found.add(column([f"{block}-{number}" + "x" * 100 for number in range(500)]))
        assert sum(frame.estimated_size() for frame in found.tables().values()) < 45_000

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
    def test_parts_counted_and_sampled_are_one(self, order: tuple[int, ...]) -> None:
        parts = [range(40_000), range(40_000, 40_500), range(40_500, 60_500)]
        tables = []
        for part in parts:
            found = self.small()
            found.add(column(list(part)))
            tables.append(found.tables())
        assert [is_sampled(one) for one in tables] == [True, False, True]
        merged = counts_of(self.small().merge([tables[place] for place in order]))
        # 0.34 expected, standard deviation at most 0.018.
        assert abs(self.share(merged, pl.col(VALUE) >= 40_000) - 0.34) < 0.1

    def test_counts_are_merged_exactly(self) -> None:
        tables = []
        for values in ([1, 1, 2], [], [2, 3]):
            found = self.small()
            found.add(column(values, pl.Int64))
            tables.append(found.tables())
        assert counts_of(self.small().merge(tables)).rows() == [(1, 2), (2, 2), (3, 1)]
