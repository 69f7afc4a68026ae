"""shuffle."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from math import inf, nan
from typing import Any

import polars as pl
import pytest

from leeward.api.valuetransforms import Shuffle
from leeward_masking.errors import JobError
from leeward_masking.transforms.gathering import Tables
from leeward_masking.transforms.shuffle import ShuffleGathering
from unit.masking.support import Volume, column, keep, rule


def gathering(frame: pl.DataFrame, max_bytes: int = 1 << 20, **given: Any) -> ShuffleGathering:
    shuffle = Shuffle.model_validate(given)
    return ShuffleGathering("c", frame.schema["c"], shuffle, frame.schema, max_bytes=max_bytes)


def gathered(made: ShuffleGathering, *blocks: pl.DataFrame) -> Tables:
    gatherer = made.gatherer()
    for block in blocks:
        gatherer.add(block)
    return gatherer.tables()


def shuffled(frame: pl.DataFrame, *, blocks: int = 1, **given: Any) -> pl.Series:
    made = gathering(frame, **given)
    height = -(-frame.height // blocks)
    cut = [frame.slice(start, height) for start in range(0, frame.height, height)]
    transform, _ = made.finish(made.merge([gathered(made, *cut)]), 0)
    within = given.get("within", [])
    # Later blocks first: they may be masked in any order.
    masked = [transform(b["c"], *(b[name] for name in within)) for b in reversed(cut)]
    return pl.concat(reversed(masked))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, 2, None, 5], pl.Int64),
        (["a", "", None, "Žofie 😀", "a text that is longer than twelve bytes"], pl.String),
        ([[1, 2], [], None, [None]], pl.List(pl.Int64)),
        ([{"a": 1}, {"a": None}, None], pl.Struct({"a": pl.Int64})),
        ([b"\x00", None], pl.Binary),
        (["x", "y", None], pl.Categorical),
        ([True, False, True], pl.Boolean),
    ],
)
def test_all_values_and_nulls_are_still_there(values: Sequence[Any], dtype: Any) -> None:
    before = column(values, dtype)
    after = shuffled(before.to_frame(), blocks=2)
    assert after.dtype == before.dtype
    assert after.name == "c"
    assert Counter(map(str, after.to_list())) == Counter(map(str, before.to_list()))


def test_every_order_is_equally_likely() -> None:
    frame = pl.DataFrame({"c": [1, 2, 3]})
    found = Counter(tuple(shuffled(frame).to_list()) for _ in range(600))
    assert set(found) == set(permutations([1, 2, 3]))
    # 100 expected of each, standard deviation 9.
    assert all(50 < count < 150 for count in found.values())


def test_every_order_within_groups_is_equally_likely() -> None:
    frame = pl.DataFrame({"c": [1, 2, 3, 4], "g": ["a", None, "a", None]})
    found = Counter(tuple(shuffled(frame, within=["g"], blocks=2).to_list()) for _ in range(400))
    assert set(found) == {(1, 2, 3, 4), (3, 2, 1, 4), (1, 4, 3, 2), (3, 4, 1, 2)}
    # 100 expected of each, standard deviation 9.
    assert all(50 < count < 150 for count in found.values())


@pytest.mark.parametrize("blocks", [1, 7])
def test_values_stay_in_their_groups(blocks: int) -> None:
    rows = range(3000)
    frame = pl.DataFrame(
        {
            "c": rows,
            "ward": [row % 5 for row in rows],
            "sex": [None if row % 2 else "x" for row in rows],
        }
    )
    after = shuffled(frame, within=["ward", "sex"], blocks=blocks)
    assert sorted(after.to_list()) == list(rows)
    assert (after % 10 == frame["c"] % 10).all()
    moved = int((after != frame["c"]).sum())
    # One in each of ten groups is expected to stay.
    assert moved > 2950


@pytest.mark.parametrize("group", [nan, inf, None])
@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_not_a_number_makes_a_group(group: float | None, dtype: Any) -> None:
    groups = pl.Series("g", [group, group, 0.0, -0.0], dtype)
    frame = pl.DataFrame({"c": [1, 2, 3, 4], "g": groups})
    for rows in (frame, frame.head(2)):
        after = shuffled(rows, within=["g"], blocks=rows.height)
        assert set(after.head(2)) == {1, 2}
        assert set(after.tail(-2)) == set(rows["c"].tail(-2))


def test_groups_that_are_too_small() -> None:
    frame = pl.DataFrame({"c": ["SECRET", "b", "c"], "g": [1, 2, 2]})
    with pytest.raises(JobError) as caught:
        shuffled(frame, within=["g"])
    assert (caught.value.code, caught.value.column) == ("UnsuitableColumn", "c")
    assert "1 of its groups have fewer than 2 rows" in caught.value.message
    assert "SECRET" not in caught.value.message
    redacted = shuffled(frame, within=["g"], unsuitable="Redact")
    assert redacted[0] is None
    assert set(redacted[1:]) == {"b", "c"}
    assert shuffled(frame, min_group=4, unsuitable="Redact").to_list() == [None] * 3
    lists = pl.DataFrame({"c": [[1]]})
    assert shuffled(lists, unsuitable="Redact").to_list() == [None]
    with pytest.raises(JobError):
        shuffled(lists)


@pytest.mark.parametrize(
    ("within", "wrong"), [("c", "groups of its own values"), ("l", "it makes no groups")]
)
def test_columns_that_make_no_groups(within: str, wrong: str) -> None:
    with pytest.raises(JobError) as caught:
        gathering(pl.DataFrame({"c": [1], "l": [[1]]}), within=[within])
    assert (caught.value.code, caught.value.column) == ("UnsuitableColumn", within)
    assert wrong in caught.value.message


def test_what_does_not_fit_in_memory() -> None:
    frame = pl.DataFrame({"c": range(1000)})
    made = gathering(frame, max_bytes=12_000)
    tables = gathered(made, frame)
    works: list[Callable[[], Tables]] = [
        lambda: gathered(made, frame, frame),
        lambda: made.merge([tables, tables]),
    ]
    for work in works:
        with pytest.raises(JobError) as caught:
            work()
        assert (caught.value.code, caught.value.column) == ("TooLarge", "c")
        assert "randomMask.distribution" in caught.value.remedy


def test_parts_take_values_of_the_whole_each_once() -> None:
    """As workers do it: gathered apart, merged once, masked apart."""
    rows = range(900)
    frame = pl.DataFrame({"c": rows, "g": [min(row // 200, 3) for row in rows]})
    made = gathering(frame, within=["g"])
    parts = [frame.slice(start, 300) for start in (0, 300, 600)]
    merged = made.merge([gathered(made, part) for part in parts])
    masked = []
    for number in (2, 0, 1):
        transform, _ = made.finish(merged, number)
        masked.append(transform(parts[number]["c"], parts[number]["g"]))
    after = pl.concat([masked[1], masked[2], masked[0]])
    assert sorted(after.to_list()) == list(rows)
    assert [min(value // 200, 3) for value in after] == frame["g"].to_list()
    crossed = [value for value in after[:300] if value >= 300]
    assert crossed


def test_other_rows_than_were_gathered() -> None:
    frame = pl.DataFrame({"c": [1, 2, 3, 4], "g": ["a", "a", "b", "b"]})
    made = gathering(frame, within=["g"])
    merged = made.merge([gathered(made, frame)])
    for groups in (["a", "a", "a", "b"], ["a", "a", "b", "SECRET"]):
        transform, _ = made.finish(merged, 0)
        with pytest.raises(JobError) as caught:
            transform(frame["c"], pl.Series("g", groups))
        assert caught.value.code == "SourceChanged"


def test_a_job_that_shuffles(volume: Volume) -> None:
    frame = pl.DataFrame({"pay": range(400), "ward": ["A", "B"] * 200, "zip": [1] * 400})
    path = volume.write_frame(frame, rows=30)
    rules = [rule("pay", "shuffle", {"within": ["ward"]}), keep("ward")]
    result = volume.mask(volume.source(path, frame.schema), rules)
    masked = volume.masked()
    assert sorted(masked["pay"].to_list()) == list(range(400))
    assert (masked["pay"] % 2 == frame["pay"] % 2).all()
    assert result.report is not None
    assert result.report.columns[0].changed > 380
    assert result.report.columns[0].note == "all values are still there, in other rows"


def test_a_group_column_that_is_missing(volume: Volume) -> None:
    frame = pl.DataFrame({"pay": [1, 2]})
    path = volume.write_frame(frame)
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, frame.schema), [rule("pay", "shuffle", {"within": ["no"]})])
    assert (caught.value.code, caught.value.column) == ("ColumnMissing", "no")
