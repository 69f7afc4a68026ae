"""randomMask."""

from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from leeward.api.valuetransforms import NumberRange
from leeward_masking.transforms.randommask import RangeMask, suppress
from leeward_masking.values.randomness import WORDS
from unit.masking.support import NUMBERS, column, refused


def ranged(lower: str, upper: str) -> RangeMask:
    return RangeMask(NumberRange(lower=lower, upper=upper))


class TestRandomMask:
    def test_integers_of_the_range_are_equally_likely(self) -> None:
        found = ranged("-2.5", "3")(column([7] * 60_000))
        counts = found.value_counts()
        assert sorted(counts["c"]) == [-2, -1, 0, 1, 2, 3]
        # 10,000 expected of each, standard deviation 91.
        assert counts["count"].is_between(9_300, 10_700).all()

    @pytest.mark.parametrize("name", NUMBERS)
    def test_types_and_nulls_stay(self, name: str) -> None:
        before = NUMBERS[name]
        after = ranged("0", "100")(before)
        assert after.is_null().to_list() == before.is_null().to_list()
        short = before.dtype.is_integer()
        assert after.dtype == (pl.Int64 if short else before.dtype)
        assert after.drop_nulls().is_between(0, 100).all()

    def test_decimals_have_all_their_digits(self) -> None:
        found = ranged("0.10", "0.12")(column([Decimal("5.00")] * 300, pl.Decimal(4, 2)))
        assert set(found.to_list()) == {Decimal("0.10"), Decimal("0.11"), Decimal("0.12")}

    def test_many_digits_are_as_many_as_random_bits_have_room_for(self) -> None:
        found = ranged("0", "1000")(column([None, *[Decimal(1)] * 50], pl.Decimal(38, 18)))
        assert found.dtype == pl.Decimal(38, 18)
        assert found.drop_nulls().n_unique() == 50
        assert found.drop_nulls().is_between(0, 1000).all()

    def test_floats(self) -> None:
        found = ranged("-0.5", "0.5")(column([nan, inf] * 5000))
        assert found.is_between(-0.5, 0.5).all()
        assert abs(found.mean()) < 0.02  # type: ignore[arg-type, operator]
        assert found.n_unique() == 10_000

    def test_one_value(self) -> None:
        assert ranged("4", "4")(column([9, None])).to_list() == [4, None]
        assert ranged("4", "4")(column([9.5, None])).to_list() == [4.0, None]

    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            ([[1, None], [], None, [7]], pl.List(pl.Int16)),
            ([[1.5, None], [], None, [nan]], pl.List(pl.Float64)),
            ([[[1, 2]], [[], None], None, []], pl.List(pl.List(pl.Int64))),
            ([], pl.List(pl.Int64)),
            ([None, None], pl.List(pl.Int64)),
            ([[1.0, None], None], pl.Array(pl.Float32, 2)),
        ],
    )
    def test_numbers_in_lists(self, values: list[Any], dtype: Any) -> None:
        def shape(value: Any) -> Any:
            return [shape(v) for v in value] if isinstance(value, list) else value is None

        before = column(values, dtype)
        after = ranged("100", "200")(before)
        assert after.name == "c"
        assert [shape(v) for v in after.to_list()] == [shape(v) for v in before.to_list()]
        flat = after
        while isinstance(flat.dtype, (pl.List, pl.Array)):
            flat = flat.explode()
        assert flat.drop_nulls().is_between(100, 200).all()

    def test_every_number_in_lists_is_drawn_by_itself(self) -> None:
        lists = column([[0.0, 0.0, 0.0]] * 100)
        assert ranged("0", "1")(lists).explode().n_unique() == 300

    @pytest.mark.parametrize(
        ("values", "dtype", "bounds"),
        [
            (["SECRET"], None, ("0", "1")),
            ([["SECRET"]], None, ("0", "1")),
            ([], pl.List(pl.String), ("0", "1")),
            ([True], None, ("0", "1")),
            ([1], pl.Int64, ("0.2", "0.8")),
            ([1], pl.Int64, ("0", "9999999999999999999")),
            ([1], pl.Int64, ("-9999999999999999999", "9999999999999999999")),
            ([Decimal("1.5")], pl.Decimal(2, 1), ("0", "10")),
        ],
    )
    def test_unsuitable(self, values: Any, dtype: Any, bounds: tuple[str, str]) -> None:
        assert "SECRET" not in refused(ranged(*bounds), column(values, dtype)).message

    @pytest.mark.parametrize(
        "before",
        [
            column(["a", "", "b", None] * 5000),
            column([1, 2, 3, None] * 5000),
            column([[1], [], [None], None] * 5000),
            column([{"a": 1}, {"a": None}, {"a": 2}, None] * 5000),
        ],
        ids=["text", "numbers", "lists", "structs"],
    )
    def test_cells_are_suppressed_with_the_probability(self, before: pl.Series) -> None:
        after = suppress("0.25")(before)
        assert (after.dtype, after.name) == (before.dtype, "c")
        gone = after.null_count() - before.null_count()
        # 3,750 expected of 15,000, standard deviation 53.
        assert 3_350 < gone < 4_150
        left = [(b, a) for b, a in zip(before.to_list(), after.to_list(), strict=True) if a]
        assert all(old == new for old, new in left)

    def test_probabilities_at_the_ends(self) -> None:
        values = column(["a"] * 1000)
        assert suppress("1.0")(values).null_count() == 1000
        assert suppress("0." + "0" * 17 + "1")(values).null_count() == 0
        assert suppress("0.5")(column([], pl.String)).to_list() == []

    def test_the_threshold_is_exact(self) -> None:
        edge = WORDS // 4
        bits = np.array([edge - 1, edge], np.uint64).tobytes()
        assert suppress("0.25", lambda _: bits)(column(["a", "b"])).to_list() == [None, "b"]
