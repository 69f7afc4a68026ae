import polars as pl
import pytest

from leeward.formats.progress import ProgressReport
from leeward_masking.progress import Progress
from leeward_masking.report.stats import SKETCH_SIZE, DistinctSketch


def counted(*blocks: pl.Series) -> int:
    sketch = DistinctSketch()
    for block in blocks:
        sketch.add(block)
    return sketch.count()


def test_few_values_are_counted_exactly_across_blocks() -> None:
    numbers = pl.Series(range(SKETCH_SIZE))
    assert counted(numbers, numbers[:10], pl.Series([None], dtype=pl.Int64)) == SKETCH_SIZE
    assert counted(pl.Series([], dtype=pl.String)) == 0


@pytest.mark.parametrize("count", [10_000, 300_000])
def test_many_values_are_estimated(count: int) -> None:
    numbers = pl.Series(range(count))
    found = counted(*(numbers[start : start + 9_999] for start in range(0, count, 9_999)))
    # Five standard errors of 1.6 %.
    assert abs(found - count) < 0.08 * count


def test_time_left() -> None:
    now = 0.0
    progress = Progress(clock=lambda: now)
    progress.begin("bytes", 400)
    progress.advance(100)
    assert progress.report().eta_seconds is None
    now = 10.0
    assert progress.report() == ProgressReport(done=100, total=400, unit="bytes", eta_seconds=30)


@pytest.mark.parametrize("sizes", [(10, 20), (5000, 3000), (9000, 9000), (0, 5000)])
def test_sketches_of_parts_count_like_one_of_all(sizes: tuple[int, int]) -> None:
    whole, left, right = DistinctSketch(), DistinctSketch(), DistinctSketch()
    first, second = pl.Series(range(sizes[0])), pl.Series(range(sizes[0] // 2, sum(sizes)))
    for sketch, parts in ((whole, (first, second)), (left, (first,)), (right, (second,))):
        for part in parts:
            sketch.add(part)
    left.merge(right.hashes, estimated=right.estimated)
    assert (left.count(), left.estimated) == (whole.count(), whole.estimated)
