import polars as pl
import pytest

from leeward.formats.progress import ProgressReport
from leeward_masking.progress import Progress
from leeward_masking.stats import SKETCH_SIZE, DistinctSketch


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
