"""Counts for the report, in bounded memory."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from leeward.formats.result import ColumnReport, FreeTextReport, MaskingReport, RecallReport
from leeward_masking.canonical import column_type
from leeward_masking.freetext import Measured
from leeward_masking.privacymodel.section import PrivacyMeasure
from leeward_masking.report.building import sample_of
from leeward_masking.rules import ColumnPlan, MaskedBlock, MaskPlan

SKETCH_SIZE: Final = 4096
_RANGE: Final = float(1 << 64)
_SLOT_BITS: Final = 16
_ONE_TO_ONE: Final = frozenset({"keep", "hash", "tokenize"})
"""Transforms that leave the number of distinct values (of a hash, but for collisions)."""
_ALWAYS_OTHER: Final = frozenset({"redact", "hash", "tokenize", "encrypt", "dateShift"})
"""Transforms that leave no value as it was."""
_NOTES: Final = {
    "freeText": "no detection is complete: the notes are still personal data",
    "fake": "made up: a value may by chance be that of somebody who exists",
    "noise": "attribute-level only: rows stay visible, and this is no differential privacy",
}
"""What must not be taken for more than it is."""


class DistinctSketch:
    """Number of distinct values: exact up to ``SKETCH_SIZE``, then estimated.

    Keeps the smallest hashes (KMV; Bar-Yossef et al. 2002, Beyer et al. 2007: unbiased estimate
    (k - 1) / k-th smallest, relative standard error about 1 / sqrt(k - 2), here 1.6 %). Polars'
    own sketch cannot be merged across blocks. Nulls are not counted.
    """

    def __init__(self) -> None:
        self._smallest = np.empty(0, np.uint64)
        self._bound: int | None = None
        # The hashes that were seen last, by their first bits: most values of a column with few
        # of them are found here, and sorting is left to the others.
        self._seen = np.zeros(1 << _SLOT_BITS, np.uint64)

    def add(self, values: pl.Series) -> None:
        """Count the values of another block."""
        column = values.drop_nulls().hash(seed=1)
        if self._bound is not None:
            column = column.filter(column < self._bound)
        hashes = column.to_numpy()
        slots = hashes >> np.uint64(64 - _SLOT_BITS)
        new = self._seen[slots] != hashes
        if not new.any():
            return
        self._seen[slots[new]] = hashes[new]
        merged = np.union1d(self._smallest, hashes[new])
        if len(merged) > SKETCH_SIZE:
            merged = merged[:SKETCH_SIZE].copy()
            self._bound = int(merged[-1])
        self._smallest = merged

    @property
    def estimated(self) -> bool:
        """Whether ``count`` is an estimate."""
        return self._bound is not None

    def count(self) -> int:
        """The number of distinct values, exact or estimated."""
        if self._bound is None:
            return len(self._smallest)
        return round((SKETCH_SIZE - 1) / ((self._bound + 1) / _RANGE))


@dataclass(slots=True)
class _Column:
    plan: ColumnPlan
    one_to_one: bool
    type_before: str = ""
    type_after: str = ""
    changed: int = 0
    nulls_before: int = 0
    nulls_after: int = 0
    before: DistinctSketch = field(default_factory=DistinctSketch)
    after: DistinctSketch = field(default_factory=DistinctSketch)


class ReportBuilder:
    """Adds up what was done, block by block; safe to use from several threads.

    Attributes:
        rows, written: Of source and output.
        sample: Rows for the large report.
    """

    def __init__(
        self,
        plan: MaskPlan,
        schema: pl.Schema,
        recall: Mapping[str, Sequence[Measured]] | None = None,
    ) -> None:
        self._recall = recall or {}
        self._plan = plan
        self._schema = schema
        self._columns = [
            # Where rows are left out, or made coarser after the rule, distinct values get fewer.
            _Column(column, column.transform in _ONE_TO_ONE and plan.release is None)
            for column in plan.columns
        ]
        self._dropped_nulls = dict.fromkeys((name for name, _ in plan.dropped), 0)
        self._privacy = _privacy_measure(plan)
        self.rows = 0
        self.written = 0
        self.sample = sample_of(plan, schema)
        self._lock = threading.Lock()

    def add(self, source: pl.DataFrame, masked: MaskedBlock) -> None:
        """Count one block, before and after."""
        self.sample.add(source, masked.frame, masked.stays)
        with self._lock:
            self._add(source, masked)

    def _add(self, source: pl.DataFrame, masked: MaskedBlock) -> None:
        self.rows += source.height
        self.written += masked.frame.height
        for name in self._dropped_nulls:
            self._dropped_nulls[name] += source.get_column(name).null_count()
        for column in self._columns:
            before = source.get_column(column.plan.name)
            _count(column, before, masked.frame[column.plan.name], masked.stays)
        if self._privacy is not None and masked.stays is not None:
            self._privacy.add(source, masked.frame, masked.stays)

    def report(self, seconds: float) -> MaskingReport:
        """The report.

        Args:
            seconds: How long the masking took.

        Raises:
            JobError: ``Internal``: the rows do not keep to the privacy model.
        """
        stayed = {column.plan.name: _column_report(column) for column in self._columns}
        dropped = {name: self._dropped(name, rule) for name, rule in self._plan.dropped}
        reports = stayed | dropped
        return MaskingReport(
            rows=self.rows,
            written=None if self.written == self.rows else self.written,
            columns=[reports[name] for name in self._schema],
            privacy=None if self._privacy is None else self._privacy.report(),
            seconds=f"{seconds:.3f}",
            free_text=[
                _free_text_report(column, self._recall.get(column.name, ()))
                for column in self._plan.columns
                if column.free_text is not None
            ],
        )

    def _dropped(self, name: str, rule: str) -> ColumnReport:
        return ColumnReport(
            name=name,
            transform="drop",
            rule=rule,
            type_before=column_type(self._schema[name]),
            changed=self.rows,
            nulls_before=self._dropped_nulls[name],
            nulls_after=0,
        )


def _privacy_measure(plan: MaskPlan) -> PrivacyMeasure | None:
    if plan.release is None or plan.asked is None:
        return None
    privacy = plan.asked.privacy
    return PrivacyMeasure(plan.release, privacy.model.k_anonymity.k, privacy.subject)


def _count(column: _Column, before: pl.Series, after: pl.Series, stays: pl.Series | None) -> None:
    column.type_before = column_type(before.dtype)
    column.type_after = column_type(after.dtype)
    column.nulls_before += before.null_count()
    column.nulls_after += after.null_count()
    nested = column.type_before == "Other"
    if not nested:
        column.before.add(before)
    if stays is None and column.plan.transform == "keep":
        return
    kept = before if stays is None else before.filter(stays)
    if column.plan.transform in _ALWAYS_OTHER:
        column.changed += len(kept) - kept.null_count()
    else:
        column.changed += _changed(kept, after)
    if not column.one_to_one and column.type_after != "Other":
        column.after.add(after)


def _changed(before: pl.Series, after: pl.Series) -> int:
    if before.dtype == after.dtype:
        return int(np.count_nonzero(before.ne_missing(after).to_numpy()))
    # Another type is another value wherever there was one.
    return int((before.is_not_null() | after.is_not_null()).sum())


def _column_report(column: _Column) -> ColumnReport:
    nested = column.type_before == "Other"
    distinct_before = None if nested else column.before.count()
    distinct_after = distinct_before if column.one_to_one else column.after.count()
    if column.type_after == "Other":
        distinct_after = None
    return ColumnReport(
        name=column.plan.name,
        transform=column.plan.transform,
        rule=column.plan.rule,
        type_before=column.type_before,
        type_after=column.type_after,
        changed=column.changed,
        nulls_before=column.nulls_before,
        nulls_after=column.nulls_after,
        distinct_before=distinct_before,
        distinct_after=distinct_after,
        note=column.plan.note or _NOTES.get(column.plan.transform),
        linkable=column.plan.linkable or None,
        distinct_estimated=True if column.before.estimated or column.after.estimated else None,
    )


def _free_text_report(column: ColumnPlan, measured: Sequence[Measured]) -> FreeTextReport:
    mask = column.free_text
    if mask is None:
        raise AssertionError
    return FreeTextReport(
        column=column.name,
        rule=column.rule,
        found=mask.found(),
        recall=[
            RecallReport(
                entity=one.entity,
                language=one.language,
                labelled=one.score.labelled,
                recall=f"{one.score.recall:.3f}",
                precision=f"{one.score.precision:.3f}" if one.score.found else None,
            )
            for one in measured
        ],
        min_recall=mask.rule.min_recall,
    )
