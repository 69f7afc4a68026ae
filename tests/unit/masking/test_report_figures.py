"""What the large report is reckoned from: distributions, utility, relations, and the sample."""

import datetime

import numpy as np
import polars as pl
import pytest

from leeward.formats.report import THRESHOLD, Distribution
from leeward_masking.report.distributions import frequencies, scale_of, spread, summary
from leeward_masking.report.relations import relations
from leeward_masking.report.sample import PRIORITY, RowSample
from leeward_masking.report.utility import outliers, utility

# --- distributions ------------------------------------------------------------------------------


def drawn(values: pl.Series) -> Distribution:
    return spread(values, scale_of([values]))


def test_small_counts_are_hidden_and_cannot_be_reckoned() -> None:
    numbers = pl.Series([*range(1000), *[5000] * 3])
    shown = drawn(numbers)
    few = [bar for bar in shown.bars if bar.rows is None]
    assert len(few) >= 2
    assert not any(bar.rows is not None and 0 < bar.rows < THRESHOLD for bar in shown.bars)
    values = pl.Series(["a"] * 50 + ["b"] * 20 + ["c"] * 2)
    pooled = drawn(values)
    assert [(bar.label, bar.rows) for bar in pooled.bars] == [("a", 50)]
    assert (pooled.other_values, pooled.other_rows) == (2, 22)


def test_where_a_scale_ends_does_not_tell_of_one_row() -> None:
    numbers = [float(number) for number in range(2000)]
    bars = [bar.label for bar in drawn(pl.Series(numbers)).bars]
    assert [bar.label for bar in drawn(pl.Series([*numbers, 987_654.321])).bars] == bars
    assert not any("987" in label for label in bars)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([], dtype=pl.Float64),
        pl.Series([None, None], dtype=pl.Int64),
        pl.Series([float("nan"), float("inf"), 1.0, None]),
        pl.Series([5] * 100),
        pl.Series([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)] * 50),
        pl.Series([datetime.date(1, 1, 1) + datetime.timedelta(days=d * 3000) for d in range(900)]),
        pl.Series([2**63, 2**64 - 1] * 20, dtype=pl.UInt64),
        pl.Series([number * 1e300 for number in range(50)]),
        pl.Series([number * 1e-300 for number in range(50)]),
        pl.Series([True, False, None] * 9),
        pl.Series([""] * 20),
        pl.Series([datetime.time(9, 30)] * 20),
    ],
    ids=lambda values: f"{values.dtype}-{len(values)}",
)
def test_columns_of_every_kind_can_be_drawn(values: pl.Series) -> None:
    shown = drawn(values)
    total = sum(bar.rows or 0 for bar in shown.bars) + shown.other_rows + shown.missing
    assert total <= len(values)
    summary(values)
    outliers(values)
    assert 0 <= float(utility(values, values).loss) <= 1


@pytest.mark.parametrize("rows", [60, 150, 1_000])
def test_no_figure_depends_on_a_few_rows(rows: int) -> None:
    """A mean times the number of rows would tell the value of the one that is far from all."""
    usual = [number % 50 for number in range(rows)]
    near, far = (pl.Series([*usual, *[end] * 5]) for end in (49, 987_654_321))
    assert summary(far) == summary(near)
    scale = scale_of((far, far))
    assert scale is not None
    assert scale == scale_of((near, near))
    assert scale.borders[-1] <= 50


def test_bars_of_dates_are_in_order_and_hold_all() -> None:
    days = pl.Series([datetime.date(2020, 1, 1) + datetime.timedelta(d) for d in range(500)])
    shown = drawn(days)
    assert shown.kind == "Dates"
    assert sum(bar.rows or 0 for bar in shown.bars) == 500
    assert shown.bars[1].label.startswith("2020-01")


def test_frequencies_tell_how_many_share_a_value() -> None:
    values = pl.Series(["a"] * 120 + ["b"] * 15 + ["c"] * 3 + ["d"] + [None] * 2)
    assert [bar.rows for bar in frequencies(values).bars] == [1, 3, 15, 120]
    assert frequencies(values).missing == 2


# --- utility ------------------------------------------------------------------------------------


def loss(before: pl.Series, after: pl.Series) -> float:
    return float(utility(before, after).loss)


def test_loss_is_none_for_kept_all_for_gone_and_between_for_coarser() -> None:
    wards = pl.Series(["a", "b", "c", "d"] * 50)
    assert loss(wards, wards) == 0
    assert loss(wards, pl.Series([None] * 200, dtype=pl.String)) == 1
    halves = wards.replace({"b": "a", "d": "c"})
    assert loss(wards, halves) == pytest.approx(0.5)
    shuffled = pl.Series(np.random.default_rng(1).permutation(wards.to_numpy()))
    assert loss(wards, shuffled) > 0.9
    numbers = pl.Series(np.random.default_rng(2).normal(size=2000))
    noisy = numbers + pl.Series(np.random.default_rng(3).normal(size=2000))
    assert 0.4 < loss(numbers, noisy) < 0.6


def test_outliers_that_are_left_are_counted() -> None:
    stays = pl.Series([*range(1, 101), 5000])
    found = outliers(stays)
    assert found is not None
    assert found.rows == 1
    assert "topBottomCode with top" in found.remedy
    assert "5000" not in found.model_dump_json()
    assert outliers(stays.clip(0, 100)) is None


def test_what_columns_tell_of_each_other_is_compared() -> None:
    random = np.random.default_rng(4)
    age = random.uniform(20, 80, 3000)
    before = pl.DataFrame({"age": age, "stay": age / 4 + random.normal(0, 1, 3000), "one": 1.0})
    after = before.with_columns(stay=pl.Series(random.permutation(before["stay"].to_numpy())))
    found = relations(before, after, ["age", "stay", "one", "nowhere"])
    assert found is not None
    (pair,) = found.tables[0].rows
    assert pair[0] == "age, stay"
    assert float(pair[1]) > 0.9
    assert abs(float(pair[2])) < 0.1
    assert relations(before.head(50), after.head(50), ["age", "stay"]) is None
    assert relations(before, after, ["age", "one"]) is None


# --- sample -------------------------------------------------------------------------------------


def sampled(count: int, limit: int, seed: int = 1, first: int = 0) -> RowSample:
    sample = RowSample({"n": True}, {"n": True}, seed, rows=limit)
    frame = pl.DataFrame({"n": pl.Series(range(first, first + count))})
    for block in frame.iter_slices(100):
        sample.add(block, block * 2, None)
    return sample


def test_a_sample_is_bounded_uniform_and_joined_by_row() -> None:
    tables = sampled(20_000, 500).tables()
    before, after = tables["before"], tables["after"]
    assert 1 < before.height <= 500
    joined = before.join(after, on=PRIORITY)
    assert joined.height == before.height
    assert (joined["n"] * 2 == joined["n_right"]).all()
    # Uniform: the mean of 500 of 20,000 is within five standard errors.
    assert abs(float(before["n"].mean()) - 10_000) < 5 * 5774 / 500**0.5  # type: ignore[arg-type]


def test_bytes_bound_a_sample_too() -> None:
    sample = RowSample({"t": True}, {"t": True}, 1, size=100_000)
    frame = pl.DataFrame({"t": ["x" * 180] * 1000})
    for _ in range(20):
        sample.add(frame, frame, None)
    assert sample.tables()["before"].estimated_size() <= 100_000


def test_samples_of_parts_make_the_sample_of_the_whole() -> None:
    merged = RowSample({"n": True}, {"n": True}, 9, rows=500)
    merged.merge([sampled(20_000, 500, 1).tables(), sampled(200, 500, 2, 20_000).tables()])
    whole = merged.tables()["before"]
    assert whole.height <= 500
    # 200 of 20,200 rows: they are no more likely to stay than the others.
    assert whole.filter(pl.col("n") >= 20_000).height < 25


def test_rows_that_are_left_out_do_not_part_the_others() -> None:
    sample = RowSample({"n": True}, {"n": False}, 1)
    frame = pl.DataFrame({"n": range(100)})
    stays = frame["n"] % 2 == 0
    sample.add(frame, frame.filter(stays), stays)
    tables = sample.tables()
    before, after = tables["before"], tables["after"]
    assert (before.height, after.height) == (100, 50)
    assert after["n"].dtype == pl.UInt64
    assert set(after.join(before, on=PRIORITY)["n_right"]) == set(range(0, 100, 2))
