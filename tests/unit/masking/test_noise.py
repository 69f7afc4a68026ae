"""noise, and the random numbers that it is made of."""

import math
from decimal import Decimal
from math import inf, nan
from typing import Any

import numpy as np
import polars as pl
import pytest

from leeward.api.valuetransforms import Noise
from leeward_masking.transforms.noise import NoiseMask
from leeward_masking.values.randomness import WORDS, below, gaussian, laplace, uniform
from unit.masking.support import NUMBERS, column, refused


def noise(**parameters: Any) -> NoiseMask:
    return NoiseMask(Noise.model_validate({"scale": "1"} | parameters))


WIDE: dict[str, pl.DataType] = {
    "integers": pl.Int64(),
    "decimals": pl.Decimal(20, 3),
    "floats": pl.Float64(),
}


class TestNoise:
    @pytest.mark.parametrize("distribution", ["Laplace", "Gaussian"])
    @pytest.mark.parametrize("name", NUMBERS)
    def test_types_and_nulls_stay(self, distribution: str, name: str) -> None:
        before = NUMBERS[name]
        after = noise(distribution=distribution)(before)
        assert after.name == "c"
        assert after.is_null().to_list() == before.is_null().to_list()
        wide = {"short integers": pl.Int64(), "decimals": pl.Decimal(38, 2)}
        assert after.dtype == wide.get(name, before.dtype)

    @pytest.mark.parametrize(
        ("distribution", "deviation", "mean_size"),
        [("Laplace", 2**0.5, 1.0), ("Gaussian", 1.0, (2 / math.pi) ** 0.5)],
    )
    @pytest.mark.parametrize("kind", ["integers", "decimals", "floats"])
    def test_the_distribution_is_that_of_the_scale(
        self, distribution: str, deviation: float, mean_size: float, kind: str
    ) -> None:
        before = column([1000] * 100_000).cast(WIDE[kind])
        added = noise(scale="40", distribution=distribution)(before).cast(pl.Float64) - 1000
        # Seven standard errors: that one is beyond by chance has a probability below 1e-10.
        assert abs(added.mean()) < 7 * 40 * deviation / 100_000**0.5  # type: ignore[arg-type]
        assert added.std() == pytest.approx(40 * deviation, rel=0.04)
        assert added.abs().mean() == pytest.approx(40 * mean_size, rel=0.025)

    def test_every_value_has_noise_of_its_own_and_every_run_another(self) -> None:
        same = column([0.0] * 1000)
        first, second = noise()(same), noise()(same)
        assert first.n_unique() > 990
        assert (first == second).sum() < 10

    def test_integers_beyond_the_precision_of_floats_are_added_exactly(self) -> None:
        large = column([2**53 + 1] * 200)
        found = noise(scale="3")(large)
        assert any(value % 2 for value in found.to_list())
        assert any(value % 2 == 0 for value in found.to_list())

    def test_results_stay_within_their_type(self) -> None:
        ends = column([-(2**63), 2**63 - 1] * 50)
        assert noise(scale="9" * 19)(ends).null_count() == 0
        low = noise(scale="1000")(column([0] * 50, pl.UInt64))
        assert low.min() == 0
        most = Decimal("9" * 20 + "." + "9" * 18)
        wide = noise(scale="9" * 19)(column([most] * 50, pl.Decimal(38, 18)))
        assert wide.null_count() == 0

    @pytest.mark.parametrize("step", ["0.1", "0.25", "7"])
    @pytest.mark.parametrize("dtype", [pl.Float64, pl.Decimal(20, 4)])
    def test_rounded_decimals_are_shown_as_such(self, step: str, dtype: Any) -> None:
        found = noise(scale="5", roundTo=step)(column([3.0] * 500).cast(dtype))
        for text in found.cast(pl.String).to_list():
            assert Decimal(text) % Decimal(step) == 0
        assert "-0.0" not in found.cast(pl.String).to_list()

    def test_rounded_integers(self) -> None:
        found = noise(scale="30", roundTo="5")(column([-7, 12] * 100)).to_list()
        assert {value % 5 for value in found} == {0}
        # Rounded to the nearest, not always down.
        exact = noise(scale="0.000001", roundTo="5")(column([-8, -7, 7, 8, 12, 13]))
        assert exact.to_list() == [-10, -5, 5, 10, 10, 15]

    def test_clamped_after_rounding(self) -> None:
        found = noise(scale="1000", roundTo="10", lower="3", upper="120")(column([50] * 200))
        assert {3, 120} <= set(found.to_list())
        assert all(3 <= value <= 120 for value in found.to_list())
        floats = noise(scale="1000", lower="0.1")(column([0.0] * 100))
        assert floats.min() == 0.1

    def test_not_a_number_and_infinities(self) -> None:
        for parameters in ({}, {"roundTo": "0.5"}):
            found = noise(**parameters)(column([nan, inf, -inf])).to_list()
            assert math.isnan(found[0])
            assert found[1:] == [inf, -inf]
        clamped = noise(lower="0", upper="9")(column([inf, -inf]))
        assert clamped.to_list() == [9, 0]

    def test_huge_and_tiny_floats(self) -> None:
        huge = column([1e308, -1e308])
        tiny_noise = noise(scale="0." + "0" * 17 + "1", roundTo="0." + "0" * 17 + "1")
        assert tiny_noise(huge).to_list() == huge.to_list()
        assert tiny_noise(column([5e-324])).null_count() == 0

    def test_the_last_bits_of_a_float_tell_nothing(self) -> None:
        """Sums are multiples of a power of two that does not depend on the value."""
        found = noise(scale="3")(column([0.1, 1 / 3, 1e-9] * 300)).to_numpy()
        grid = 2.0**-19
        assert (np.rint(found / grid) * grid == found).all()

    @pytest.mark.parametrize(
        ("parameters", "values", "words"),
        [
            ({}, column(["SECRET"]), "holds no numbers"),
            ({}, column([[1]]), "holds no numbers"),
            ({"roundTo": "0.5"}, column([1]), "holds whole numbers, and roundTo has more"),
            ({"lower": "0.5"}, column([1]), "and lower has more: shorten lower"),
            (
                {"upper": "0.555"},
                column([Decimal("1.50")], pl.Decimal(4, 2)),
                "numbers with 2 digits after the point, and upper has more",
            ),
        ],
    )
    def test_unsuitable(self, parameters: Any, values: pl.Series, words: str) -> None:
        assert words in refused(noise(**parameters), values).message


class TestRandomness:
    def test_uniform_is_never_zero(self) -> None:
        ends = uniform(np.array([0, WORDS - 1], np.uint64))
        assert ends.tolist() == [2.0**-53, 1.0]
        assert laplace(1, lambda n: bytes(n))[0] == pytest.approx(-53 * math.log(2))
        assert np.isfinite(gaussian(3, lambda n: bytes(n))).all()

    def test_words_that_would_favour_some_numbers_are_drawn_again(self) -> None:
        drawn = iter([[WORDS - 1, 7], [WORDS - 1], [5]])
        found = below(10, 2, lambda _: np.array(next(drawn), np.uint64).tobytes())
        assert found.tolist() == [5, 7]
        assert below(WORDS, 1, lambda n: b"\xff" * n).tolist() == [WORDS - 1]
        assert below(1, 2, lambda n: b"\xff" * n if n == 0 else bytes(n)).tolist() == [0, 0]
