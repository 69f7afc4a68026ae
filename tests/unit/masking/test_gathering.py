"""Rules that must know all rows: the source is read twice, and must be the same both times."""

from pathlib import Path

import polars as pl
import pytest

from leeward.formats.jobconfig import RuleConfig
from leeward.formats.result import ColumnReport, Result
from leeward_masking.errors import FIRST, JobError
from leeward_masking.progress import Progress
from leeward_masking.rules.plan import MaskPlan, compile_plan
from leeward_masking.transforms.gathering import gather, merged
from unit.masking.support import MATERIAL, Volume, keep, rule

FRAME = pl.DataFrame({"income": list(range(200)), "ward": ["A", None] * 100})
QUARTERS = rule("income", "generalize", {"quantiles": 4})


def reported(result: Result, name: str) -> ColumnReport:
    assert result.report is not None
    return next(column for column in result.report.columns if column.name == name)


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("form", ["Parquet", "CSV"])
def test_quantiles_of_all_rows(volume: Volume, sealed: bool, form: str) -> None:
    if form == "CSV":
        path = volume.write("a.csv", FRAME.write_csv().encode(), sealed=sealed)
    else:
        path = volume.write_frame(FRAME, sealed=sealed, rows=7)
    result = volume.mask(volume.source(path, FRAME.schema), [QUARTERS, keep("ward")])
    labels = ["<50", "[50, 100)", "[100, 150)", ">=150"]
    assert volume.masked()["income"].to_list() == [labels[row // 50] for row in range(200)]
    assert volume.masked()["ward"].equals(FRAME["ward"])
    column = reported(result, "income")
    assert (column.changed, column.distinct_after) == (200, 4)
    assert column.note == "the borders of the intervals are values of the column"
    assert result.source is not None
    assert result.source.rows == 200


class Meddling(Progress):
    """Does something as soon as the first blocks of the source were read."""

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__()
        self.path, self.data = path, data
        self.seen: list[tuple[int, int]] = []

    def advance(self, done: int) -> None:
        if not self.seen:
            self.path.write_bytes(self.data)
        self.seen.append((done, self.report().total))
        super().advance(done)


def parquet(frame: pl.DataFrame, folder: Path) -> bytes:
    path = folder / "other.parquet"
    frame.write_parquet(path)
    return path.read_bytes()


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        FRAME.with_columns(pl.col("income").reverse()),
        FRAME.with_columns(pl.col("income").cast(pl.Float64)),
        FRAME.rename({"ward": "zone"}),
    ],
    ids=["values", "types", "names"],
)
def test_source_that_is_changed_between_the_readings(
    volume: Volume, other: pl.DataFrame, pinned: bool
) -> None:
    path = volume.write("a.parquet", parquet(FRAME, volume.folder))
    digest = volume.inspect(path).source.digest if pinned else None  # type: ignore[union-attr]
    volume.progress = Meddling(path, parquet(other, volume.folder))
    with pytest.raises(JobError) as caught:
        volume.mask(volume.source(path, FRAME.schema, digest=digest), [QUARTERS, keep("ward")])
    assert caught.value.code == "SourceChanged"
    assert volume.nothing_written()


def test_progress_is_of_both_readings(volume: Volume) -> None:
    path = volume.write_frame(FRAME, rows=20)
    meddling = Meddling(path, path.read_bytes())
    volume.progress = meddling
    volume.mask(volume.source(path, FRAME.schema), [QUARTERS, keep("ward")])
    size = path.stat().st_size
    done = [done for done, _ in meddling.seen]
    assert {total for _, total in meddling.seen} == {2 * size}
    assert done == sorted(done)
    assert done[0] < size < done[-1] <= 2 * size


def test_types_that_do_not_suit_are_told_before_anything_is_gathered(volume: Volume) -> None:
    path = volume.write_frame(FRAME)
    meddling = Meddling(path, path.read_bytes())
    volume.progress = meddling
    for wrong in (
        [QUARTERS, rule("ward", "generalize", {"dateTo": "Year"})],
        [rule("ward", "generalize", {"quantiles": 2}), keep("income")],
    ):
        with pytest.raises(JobError) as caught:
            volume.mask(volume.source(path, FRAME.schema), wrong)
        assert (caught.value.code, caught.value.column) == ("UnsuitableColumn", "ward")
        assert meddling.seen == []


def test_parts_are_gathered_apart_and_merged() -> None:
    """As workers do it, each on its part of the source."""

    def plan() -> MaskPlan:
        return compile_plan([QUARTERS], FRAME.select("income").schema, lambda role: MATERIAL)

    parts = []
    for start in (150, 0, 50):
        gatherer = plan().gatherings[0].gatherer()
        gatherer.add(FRAME.slice(start, 25))
        gatherer.add(FRAME.slice(start + 25, 75 if start == 50 else 25))
        parts.append(gatherer.tables())
    whole = plan()
    (gathering,) = whole.gatherings
    finished = whole.finished({gathering.name: gathering.merge(parts)})
    assert finished.gatherings == ()
    masked = finished.mask(FRAME).frame["income"]
    assert masked.value_counts()["count"].to_list() == [50] * 4


def test_only_the_rows_that_a_rule_is_for_are_gathered(volume: Volume) -> None:
    def when(name: str, transform: str, **parameters: object) -> RuleConfig:
        made = rule(name, transform, parameters).model_dump(by_alias=True, exclude_none=True)
        made["rule"] |= {"when": {"column": "ward", "equals": "A"}, "otherwise": {"keep": {}}}
        return RuleConfig.model_validate(made)

    frame = pl.DataFrame({"age": range(200), "code": [1, 2] * 100, "ward": ["A", "B"] * 100})
    rules = [
        when("age", "generalize", quantiles=2),
        when("code", "randomMask", distribution={}),
        keep("ward"),
    ]
    volume.mask(volume.source(volume.write_frame(frame, rows=7), frame.schema), rules)
    masked = volume.masked()
    mine, others = masked[::2], masked[1::2]
    assert mine["age"].to_list() == ["<100"] * 50 + [">=100"] * 50
    assert others["age"].to_list() == [str(age) for age in range(1, 200, 2)]
    assert set(mine["code"]) == {1}


def test_values_in_lists(volume: Volume) -> None:
    frame = pl.DataFrame({"visits[].day": [[1, 2], [], None, [3, None, 4]], "codes[]": [[7]] * 4})
    rules = [
        rule("visits[].day", "generalize", {"quantiles": 2}),
        rule("codes[]", "randomMask", {"distribution": {"minRows": 4}}),
    ]
    plan = compile_plan(rules, frame.schema, lambda role: MATERIAL)
    while plan.gatherings:
        tables = gather(plan.gatherings, [(frame, FIRST)])
        plan = plan.finished(merged(plan.gatherings, [tables]))
    masked = plan.mask(frame).frame
    assert masked["visits[].day"].to_list() == [["<3"] * 2, [], None, [">=3", None, ">=3"]]
    assert masked["codes[]"].to_list() == [[7]] * 4
    with pytest.raises(JobError) as caught:
        compile_plan([rule("codes[]", "shuffle")], frame.schema, lambda role: MATERIAL)
    assert (caught.value.code, caught.value.column) == ("UnsuitableColumn", "codes[]")
