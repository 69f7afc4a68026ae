"""What is written keeps to the privacy model by its definition, whatever the rows are."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.classes import Counted, count_rows, merge_counts
from leeward_masking.privacymodel.release import decide
from leeward_masking.privacymodel.section import PrivacyMeasure

KEEP = ColumnRule.model_validate({"name": "q", "keep": {}})
DAYS = [date(1999, 12, 30) + timedelta(days=40 * step) for step in range(12)]
NAMES = ("day", "age", "rate", "word", "bin")
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "day": st.sampled_from([None, *DAYS, date(1, 1, 1), date(9999, 12, 31)]),
    "age": st.one_of(st.none(), st.integers(0, 99)),
    "rate": st.one_of(st.none(), st.sampled_from([-0.5, 0.0, 0.25, 0.3, 7.0, float("inf")])),
    "word": st.sampled_from([None, "", "a", "b"]),
    "bin": st.sampled_from([None, "<0", "[0, 5)", "[5, 9)", ">=9"]),
    "who": st.one_of(st.none(), st.integers(0, 9)),
    "ill": st.sampled_from(["x", "y", "z"]),
}
TYPES = dict.fromkeys(("word", "bin", "ill"), pl.String) | {
    **dict.fromkeys(("age", "who"), pl.Int64),
    "day": pl.Date,
    "rate": pl.Float64,
}
RULES = dict.fromkeys(NAMES, KEEP) | {
    "bin": ColumnRule.model_validate({"name": "bin", "generalize": {"bins": ["0", "5", "9"]}})
}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.integers(1, 40))
    columns = [
        pl.Series(name, draw(st.lists(values, min_size=rows, max_size=rows)), TYPES.get(name))
        for name, values in COLUMNS.items()
    ]
    return pl.DataFrame(columns)


@st.composite
def models(draw: st.DrawFn) -> PrivacyModel:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    anonymity = {
        "k": draw(st.integers(2, 4)),
        "quasiIdentifiers": names,
        "maxSuppression": draw(st.sampled_from(["0", "0.1", "0.5", "0.9"])),
        "count": draw(st.sampled_from(["Subjects", "Rows"])),
    }
    asked: dict[str, Any] = {"kAnonymity": anonymity}
    if draw(st.booleans()):
        asked["lDiversity"] = {"l": 2, "column": "ill"}
    if draw(st.booleans()):
        asked["tCloseness"] = {"t": "0.4", "column": "ill"}
    return PrivacyModel.model_validate(asked)


def counted(frame: pl.DataFrame, model: PrivacyModel, cuts: Sequence[int]) -> Counted:
    """The counts of parts, each of them stored, and put together."""
    by_rows = model.k_anonymity.count == "Rows"
    ends = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    parts = [frame.slice(start, end - start) for start, end in pairwise(ends)]
    tables = [
        count_rows(
            [part[name] for name in model.quasi_identifiers],
            [part[name] for name in model.sensitive],
            None if by_rows else part["who"],
        ).tables()
        for part in parts
    ]
    return merge_counts([Counted.of(table) for table in tables])


def breaks(model: PrivacyModel, group: pl.DataFrame, whole: pl.DataFrame) -> bool:
    """Whether one class breaks what was asked, by definition."""
    by_rows = model.k_anonymity.count == "Rows"
    people = group.height if by_rows else group["who"].drop_nulls().n_unique()
    if people < model.k_anonymity.k:
        return True
    if model.l_diversity is not None and group["ill"].n_unique() < model.l_diversity.l:
        return True
    if model.t_closeness is None:
        return False
    distance = Fraction(0)
    for value in "xyz":
        here = Fraction(int((group["ill"] == value).sum()), group.height)
        there = Fraction(int((whole["ill"] == value).sum()), whole.height)
        distance += abs(here - there) / 2
    return distance > Fraction(model.t_closeness.t) + Fraction(1, 10**9)


@settings(deadline=None)
@given(frame=frames(), model=models(), cuts=st.lists(st.integers(0, 40), max_size=3))
def test_what_is_written_keeps_to_the_model(
    frame: pl.DataFrame, model: PrivacyModel, cuts: list[int]
) -> None:
    allowed = int(Fraction(model.k_anonymity.max_suppression) * frame.height)
    counts = counted(frame, model, cuts)
    if breaks(model, frame, frame):
        # Not even one class of all rows, the coarsest there is, keeps to it.
        with suppress(JobError):
            decide(counts, model, RULES, {})
            pytest.fail("classes of which all keep to the model keep to it when they are joined")
        return
    release = decide(counts, model, RULES, {})
    written, stays = release.apply(frame)
    assert frame.height - written.height <= allowed
    classes = list(written.group_by(model.quasi_identifiers))
    assert not any(breaks(model, group, frame) for _, group in classes)

    subject = None if model.k_anonymity.count == "Rows" else "who"
    measure = PrivacyMeasure(release, model.k_anonymity.k, subject)
    measure.add(frame, written, stays)
    report = measure.report()
    assert report.after.classes == len(classes)
    assert report.before.classes == frame.select(model.quasi_identifiers).n_unique()
    assert report.suppressed_rows == frame.height - written.height
