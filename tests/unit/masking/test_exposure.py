"""Sizes of classes in bounded memory."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from leeward_masking.privacymodel.classes import stable_hash
from leeward_masking.privacymodel.exposure import MOST_PER_CLASS, ClassSample, Exposure


def sampled(
    classes: Sequence[int], people: Sequence[int] | None, sample: int, step: int = 100
) -> ClassSample:
    frame = pl.DataFrame({"q": classes})
    ids = None if people is None else stable_hash(pl.Series(people))
    found = ClassSample(by_subject=people is not None, sample=sample)
    for start in range(0, len(classes), step):
        block = None if ids is None else ids.slice(start, step)
        found.add(frame.slice(start, step), block)
    return found


def exact(sizes: Sequence[int]) -> Exposure:
    total = sum(sizes)
    return Exposure(
        classes=len(sizes),
        smallest=min(sizes),
        largest=max(sizes),
        mean=total / len(sizes),
        risk_highest=1 / min(sizes),
        risk_mean=len(sizes) / total,
        at_risk=sum(size for size in sizes if size < 20) / total,
        unique=sum(size for size in sizes if size == 1) / total,
        estimated=False,
    )


SIZES = (1, 3, 20, 300)
CLASSES = [group for group, size in enumerate(SIZES) for _ in range(size)]


def test_rows_of_each_class_are_counted() -> None:
    assert sampled(CLASSES, None, 1 << 20).exposure() == exact(SIZES)


def test_people_are_counted_once_per_class() -> None:
    twice = sampled(CLASSES * 2, list(range(len(CLASSES))) * 2, 1 << 20)
    assert twice.exposure() == exact(SIZES)


def test_rows_of_nobody_known_are_of_one_person_at_least() -> None:
    found = ClassSample(by_subject=True)
    found.add(pl.DataFrame({"q": [1, 1]}), pl.Series([None, None], dtype=pl.UInt64))
    assert found.exposure() == exact([1])


def test_no_rows_have_no_classes() -> None:
    assert ClassSample(by_subject=True).exposure().classes == 0


@pytest.mark.parametrize("by_person", [True, False])
def test_more_classes_than_fit_are_estimated(by_person: bool) -> None:
    """50,000 classes, of which every other one has a single person."""
    classes = [*range(50_000), *range(0, 50_000, 2)]
    people = list(range(len(classes))) if by_person else None
    found = sampled(classes, people, 4_000, 5_000).exposure()
    assert found.estimated
    assert found.classes == pytest.approx(50_000, rel=0.1)
    assert found.mean == pytest.approx(1.5, rel=0.05)
    assert found.unique == pytest.approx(1 / 3, rel=0.1)
    assert found.risk_highest == 1


def test_one_large_class_does_not_drive_out_the_others() -> None:
    rows = np.random.default_rng(5).permutation(60_000)
    classes = np.where(rows < 50_000, 0, rows // 10).tolist()
    found = sampled(classes, rows.tolist(), 40_000, 5_000).exposure()
    assert found.estimated
    assert found.classes == 1_001
    assert found.smallest == 10
    assert found.largest == pytest.approx(50_000, rel=4 / MOST_PER_CLASS**0.5)


@pytest.mark.parametrize("rows", [22_000, 25_000, 28_000, 31_000])
def test_the_size_of_a_large_class_does_not_depend_on_where_the_rows_end(rows: int) -> None:
    """People of large classes are left out whenever there are many, and not only now and then."""
    found = sampled([0] * rows, list(range(rows)), 16_000, 1_000)
    assert found.exposure().smallest == pytest.approx(rows, rel=4 / MOST_PER_CLASS**0.5)
    assert not found.breaks(rows)
    assert found.breaks(rows * 3 // 2)
    parts = [sampled([0] * 9_000, list(range(n, n + 9_000)), 16_000) for n in (0, 9_000)]
    merged = ClassSample.merged([p.tables() for p in parts], by_subject=True, sample=16_000)
    assert merged.exposure().smallest == pytest.approx(18_000, rel=4 / MOST_PER_CLASS**0.5)


def test_classes_that_were_counted_break_k_exactly() -> None:
    found = sampled(CLASSES[1:], list(range(len(CLASSES) - 1)), 1 << 20)
    assert not found.breaks(3)
    assert found.breaks(4)
    assert not ClassSample(by_subject=True).breaks(2)


@pytest.mark.parametrize("sample", [1 << 20, 500])
@pytest.mark.parametrize("by_person", [True, False])
def test_samples_of_parts_are_merged(sample: int, by_person: bool) -> None:
    classes = [row // 3 for row in range(6_000)]
    people = list(range(6_000)) if by_person else None
    halves = [
        sampled(classes[start::2], people[start::2] if people else None, sample).tables()
        for start in (0, 1)
    ]
    merged = ClassSample.merged(halves, by_subject=by_person).exposure()
    whole = sampled(classes, people, sample).exposure()
    assert merged.smallest == whole.smallest == 3
    assert merged.classes == pytest.approx(2_000, rel=0.25)
    assert merged.estimated == (sample == 500)
