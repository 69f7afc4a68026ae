"""randomMask.distribution."""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from leeward_masking.transforms.owndistribution import OwnDistribution
from unit.masking.support import NUMBERS, column, refused


def drawn(values: pl.Series, min_rows: int = 1, *, of: pl.Series | None = None) -> pl.Series:
    made = OwnDistribution("c", values.dtype, min_rows)
    gatherer = made.gatherer()
    gatherer.add(values.to_frame())
    transform, _ = made.finish(made.merge([gatherer.tables()]), 0)
    return transform(values if of is None else of)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "a", "a", "b", None], pl.String),
        (["a", "a", "a", "b", None], pl.Categorical),
        (["a", "a", "a", "b", None], pl.Enum(["b", "a", "c"])),
        ([True, True, True, False, None], pl.Boolean),
        ([3, 3, 3, -7, None], pl.Int8),
        ([2**64 - 1, 2**64 - 1, 2**64 - 1, 5, None], pl.UInt64),
        ([0.1, 0.1, 0.1, inf, None], pl.Float64),
        ([Decimal("0.10")] * 3 + [Decimal("-7.25"), None], pl.Decimal(6, 2)),
        ([dt.date(2026, 1, 31)] * 3 + [dt.date(1, 1, 1), None], pl.Date),
        ([dt.time(9)] * 3 + [dt.time(10), None], pl.Time),
        ([dt.datetime(2026, 1, 31)] * 3 + [dt.datetime(9999, 1, 1), None], pl.Datetime("us")),
        (
            [dt.datetime(2026, 1, 31)] * 3 + [dt.datetime(1999, 1, 1), None],
            pl.Datetime("ms", "UTC"),
        ),
    ],
)
def test_values_are_drawn_as_often_as_they_are_there(values: Sequence[Any], dtype: Any) -> None:
    before = column(list(values) * 2000, dtype)
    after = drawn(before)
    assert after.dtype == before.dtype
    assert after.name == "c"
    assert after.is_null().to_list() == before.is_null().to_list()
    assert set(after.drop_nulls().unique()) == set(before.drop_nulls().unique())
    # 6,000 expected of 8,000, standard deviation 39.
    assert 5800 < (after == before[0]).sum() < 6200
    assert (after != before).sum() > 1500


@pytest.mark.parametrize("name", NUMBERS)
def test_types_and_nulls_stay(name: str) -> None:
    before = NUMBERS[name]
    after = drawn(before)
    assert after.dtype == before.dtype
    assert after.is_null().to_list() == before.is_null().to_list()


def test_rare_texts_are_not_drawn() -> None:
    before = column(["frequent"] * 5 + ["also"] * 7 + ["SECRET"] * 4)
    assert set(drawn(before, 5, of=column(["x"] * 1000))) == {"frequent", "also"}
    assert "SECRET" not in refused(lambda given: drawn(given, 20), before).message


@pytest.mark.parametrize(
    "dtype", [pl.Int64, pl.Float64, pl.Decimal(12, 3), pl.Date, pl.Datetime("us", "UTC")]
)
def test_numbers_between_rare_ones_are_drawn(dtype: Any) -> None:
    spread = column(np.random.default_rng(1).normal(20_000, 5_000, 20_000).astype(int).tolist())
    before = spread.cast(dtype)
    after = drawn(before, 100)
    numbers = after.to_physical().cast(pl.Float64) / (1000 if after.dtype.is_decimal() else 1)
    assert not set(after) <= set(before)
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        wanted = np.quantile(spread.to_numpy(), share)
        # The rank of a quantile of 20,000 draws has a standard deviation of 0.35 %.
        assert abs((numbers < wanted).mean() - share) < 0.03


def test_no_stretch_is_of_few_rows() -> None:
    """Where all is rare, what is drawn spans at least as many rows as a value needs."""
    before = column([*range(90), 10**9])
    after = drawn(before, 10, of=column([0] * 5000))
    # The outlier alone is one in 5e7 of its stretch, from which a quarter of draws come.
    assert 10**9 not in set(after)
    assert (after > 1000).any()


def test_what_is_not_a_number_and_what_has_no_end() -> None:
    before = column([nan, nan, inf, -inf, 1.0, 2.0, 1.7e308, -1.7e308])
    after = drawn(before, 4, of=column([nan] * 500))
    assert after.is_finite().all()
    assert after.is_between(-1.7e308, 1.7e308).all()


def test_one_value_and_no_value() -> None:
    assert drawn(column([7, 7, None])).to_list() == [7, 7, None]
    assert drawn(column([None, None], pl.Int64)).to_list() == [None, None]
    assert drawn(column([], pl.String)).to_list() == []
    assert drawn(column([[], None], pl.List(pl.Int64)), 5).to_list() == [[], None]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[1, None], [], None, [7]], pl.List(pl.Int16)),
        ([["a", None], [], None, ["b"]], pl.List(pl.String)),
        ([[[1, 2]], [[], None], None, []], pl.List(pl.List(pl.Int64))),
        ([[1.0, None], None], pl.Array(pl.Float32, 2)),
    ],
)
def test_what_lists_hold(values: Sequence[Any], dtype: Any) -> None:
    def shape(value: Any) -> Any:
        return [shape(v) for v in value] if isinstance(value, list) else value is None

    def leaves(value: Any) -> list[Any]:
        return [leaf for v in value for leaf in leaves(v)] if isinstance(value, list) else [value]

    before = column(list(values) * 50, dtype)
    after = drawn(before)
    assert after.dtype == before.dtype
    assert shape(after.to_list()) == shape(before.to_list())
    assert set(leaves(after.to_list())) == set(leaves(before.to_list()))
    assert after.to_list() != before.to_list() or before.dtype.base_type() == pl.Array


@pytest.mark.parametrize(
    "values", [column([{"a": "SECRET"}]), column([b"SECRET"]), column([[{"a": 1}]])]
)
def test_what_has_no_distribution(values: pl.Series) -> None:
    assert "SECRET" not in refused(drawn, values).message


@pytest.mark.parametrize("nest", [lambda v: v, lambda v: [v]], ids=["lists", "lists of lists"])
def test_what_one_row_has_often_is_not_that_of_many(nest: Callable[[Any], Any]) -> None:
    before = column([nest(["rare"] * 20), *[nest(["usual", None])] * 50])
    after = drawn(before, 5)
    assert "rare" not in str(after.to_list())
