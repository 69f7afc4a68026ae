"""Counts for the report, in bounded memory."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.formats.jobconfig import ReportFile
from leeward.formats.report import ReportSection
from leeward.formats.result import ColumnReport, MaskingReport
from leeward_masking.freetext import Measured
from leeward_masking.privacymodel.section import PrivacyMeasure
from leeward_masking.report.building import sample_of
from leeward_masking.report.exposure import exposures_of
from leeward_masking.report.notes import free_text_report
from leeward_masking.report.sample import Share
from leeward_masking.rules.plan import ColumnPlan, MaskedBlock, MaskPlan
from leeward_masking.values.canonical import column_type
from leeward_masking.values.nesting import value_dtype, values_of

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
        merged = _union(self._smallest, _likely(hashes[new]))
        if len(merged) <= SKETCH_SIZE:
            merged = _union(self._smallest, hashes[new])
        if len(merged) > SKETCH_SIZE:
            merged = merged[:SKETCH_SIZE].copy()
            self._bound = int(merged[-1])
        self._smallest = merged

    @property
    def hashes(self) -> pl.Series:
        """The smallest hashes, all of them where the number is exact."""
        return pl.Series("hash", self._smallest, pl.UInt64)

    def merge(self, hashes: pl.Series, *, estimated: bool) -> None:
        """Count what another sketch has seen, too.

        Args:
            hashes: Of the other one.
            estimated: Whether that has left out larger ones.
        """
        known = [self._bound] if self._bound is not None else []
        if estimated:
            known.append(int(hashes.max() or 0))  # type: ignore[arg-type]
        merged = _union(self._smallest, hashes.to_numpy())
        if known:
            merged = merged[merged <= np.uint64(min(known))]
        if len(merged) > SKETCH_SIZE or known:
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


def _union(known: NDArray[np.uint64], more: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What either holds, rising, each once; NumPy's own hashes before it sorts: twice the time."""
    both = np.sort(np.concatenate((known, more)))
    return both[np.concatenate(([True], both[1:] != both[:-1]))] if len(both) else both


def _likely(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The smallest of many hashes: as a rule enough distinct ones, without sorting the others."""
    if len(hashes) <= 4 * SKETCH_SIZE:
        return hashes
    return np.partition(hashes, 2 * SKETCH_SIZE)[: 2 * SKETCH_SIZE]


@dataclass(slots=True)
class _Column:
    plan: ColumnPlan
    one_to_one: bool
    type_before: str = ""
    type_after: str = ""
    changed: int = 0
    applied: int = 0
    nulls_before: int = 0
    nulls_after: int = 0
    before: DistinctSketch = field(default_factory=DistinctSketch)
    after: DistinctSketch = field(default_factory=DistinctSketch)

    @property
    def estimated(self) -> tuple[bool, bool]:
        """Whether the distinct values before and after are estimates."""
        return self.before.estimated, self.after.estimated


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
        share: Share | None = None,
        order: ReportFile | None = None,
    ) -> None:
        self._recall = recall or {}
        self._plan = plan
        self._schema = schema
        self._columns = [
            # Where rows are left out, or made coarser after the rule, distinct values get fewer.
            _Column(
                column,
                column.transform in _ONE_TO_ONE
                and column.condition is None
                and plan.release is None,
            )
            for column in plan.columns
        ]
        self._dropped_nulls = dict.fromkeys((name for name, _ in plan.dropped), 0)
        self._privacy = _privacy_measure(plan)
        self._exposures = exposures_of(plan, schema, order)
        self.rows = 0
        self.written = 0
        self.sample = sample_of(plan, schema, share=share)
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
            self._dropped_nulls[name] += values_of(source.get_column(name)).null_count()
        for column in self._columns:
            if column.plan.condition is not None:
                column.applied += int(column.plan.condition.holds(source).sum())
            before = source.get_column(column.plan.name)
            _count(column, before, masked.frame[column.plan.name], masked.stays)
        if self._privacy is not None and masked.stays is not None:
            self._privacy.add(source, masked.frame, masked.stays)
        if self._exposures is not None:
            self._exposures.add(source, masked.frame, masked.stays)

    def tables(self) -> dict[str, pl.DataFrame]:
        """What was counted, to be added to what another pod has counted."""
        columns, hashes = [], []
        for column in self._columns:
            name = column.plan.name
            columns.append([name, *(getattr(column, each) for each in _COUNTED), *column.estimated])
            for side, sketch in (("before", column.before), ("after", column.after)):
                hashes.append(
                    sketch.hashes.to_frame().select(
                        pl.lit(name).alias("name"), pl.lit(side).alias("side"), "hash"
                    )
                )
        masks = [(c.name, c.free_text) for c in self._plan.columns if c.free_text is not None]
        found = [(name, *one) for name, mask in masks for one in mask.found().items()]
        seen = [(name, *one) for name, mask in masks for one in mask.seen().items()]
        dropped = {"name": list(self._dropped_nulls), "nulls": list(self._dropped_nulls.values())}
        privacy = {} if self._privacy is None else self._privacy.tables()
        exposures = {} if self._exposures is None else self._exposures.tables()
        return {
            **{_PRIVACY + name: table for name, table in privacy.items()},
            **{_EXPOSURES + name: table for name, table in exposures.items()},
            **{_SAMPLE + name: table for name, table in self.sample.tables().items()},
            "rows": pl.DataFrame({"rows": [self.rows], "written": [self.written]}),
            "columns": pl.DataFrame(columns, schema=_COLUMNS_SCHEMA, orient="row"),
            "hashes": pl.concat(hashes),
            "dropped": pl.DataFrame(dropped, schema={"name": pl.String, "nulls": pl.Int64}),
            "found": pl.DataFrame(found, schema=_FOUND_SCHEMA, orient="row"),
            "seen": pl.DataFrame(seen, schema=_FOUND_SCHEMA, orient="row"),
        }

    def merge(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Add what another pod has counted, of the same plan."""
        self.sample.merge([_under(_SAMPLE, tables)])
        if self._privacy is not None:
            self._privacy.merge([self._privacy.tables(), _under(_PRIVACY, tables)])
        if self._exposures is not None:
            self._exposures.merge(_under(_EXPOSURES, tables))
        rows, written = tables["rows"].row(0)
        self.rows += rows
        self.written += written
        for name, nulls in tables["dropped"].rows():
            self._dropped_nulls[name] += nulls
        parts = tables["hashes"].partition_by(["name", "side"], as_dict=True)
        told = {row["name"]: row for row in tables["columns"].rows(named=True)}
        for column in self._columns:
            _merge(column, told[column.plan.name], parts)
        masks = {column.name: column.free_text for column in self._plan.columns}
        for name, kind, count in tables["found"].rows():
            if (mask := masks[name]) is not None:
                mask.add({kind: count})
        for name, kind, count in tables["seen"].rows():
            if (mask := masks[name]) is not None:
                mask.add_seen({kind: count})

    def sections(self) -> list[ReportSection]:
        """What the large report says besides its columns, that the small one does not."""
        return [] if self._exposures is None else [self._exposures.section()]

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
                free_text_report(column, self._recall.get(column.name, ()))
                for column in self._plan.columns
                if column.free_text is not None
            ],
        )

    def _dropped(self, name: str, rule: str) -> ColumnReport:
        return ColumnReport(
            name=name,
            transform="drop",
            rule=rule,
            type_before=column_type(value_dtype(name, self._schema[name])),
            changed=self.rows,
            nulls_before=self._dropped_nulls[name],
            nulls_after=0,
        )


_PRIVACY: Final = "privacy."
_EXPOSURES: Final = "exposures."
_SAMPLE: Final = "sample."
_COUNTED: Final = (
    "type_before",
    "type_after",
    "changed",
    "applied",
    "nulls_before",
    "nulls_after",
)
_FOUND_SCHEMA: Final = {"name": pl.String, "kind": pl.String, "count": pl.Int64}
_COLUMNS_SCHEMA: Final = {
    "name": pl.String,
    "type_before": pl.String,
    "type_after": pl.String,
    "changed": pl.Int64,
    "applied": pl.Int64,
    "nulls_before": pl.Int64,
    "nulls_after": pl.Int64,
    "before": pl.Boolean,
    "after": pl.Boolean,
}


def _merge(
    column: _Column, told: dict[str, Any], parts: Mapping[tuple[Any, ...], pl.DataFrame]
) -> None:
    column.type_before = column.type_before or told["type_before"]
    column.type_after = column.type_after or told["type_after"]
    column.changed += told["changed"]
    column.applied += told["applied"]
    column.nulls_before += told["nulls_before"]
    column.nulls_after += told["nulls_after"]
    for side, sketch in (("before", column.before), ("after", column.after)):
        found = parts.get((column.plan.name, side))
        if found is not None:
            sketch.merge(found["hash"], estimated=told[side])


def _under(prefix: str, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {
        name.removeprefix(prefix): table
        for name, table in tables.items()
        if name.startswith(prefix)
    }


def _privacy_measure(plan: MaskPlan) -> PrivacyMeasure | None:
    if plan.release is None or plan.asked is None:
        return None
    privacy = plan.asked.privacy
    return PrivacyMeasure(plan.release, privacy.model.k_anonymity.k, privacy.subject)


def _count(column: _Column, before: pl.Series, after: pl.Series, stays: pl.Series | None) -> None:
    kept = values_of(before if stays is None else before.filter(stays))
    before, after = values_of(before), values_of(after)
    column.type_before = column_type(before.dtype)
    column.type_after = column_type(after.dtype)
    column.nulls_before += before.null_count()
    column.nulls_after += after.null_count()
    nested = column.type_before == "Other"
    if not nested:
        column.before.add(before)
    if stays is None and column.plan.transform == "keep":
        return
    if column.plan.transform in _ALWAYS_OTHER and column.plan.condition is None:
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
    mask = column.plan.free_text
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
        applied=None if column.plan.condition is None else column.applied,
        nulls_before=column.nulls_before,
        nulls_after=column.nulls_after,
        distinct_before=distinct_before,
        distinct_after=distinct_after,
        note=column.plan.note or _NOTES.get(column.plan.transform),
        linkable=column.plan.linkable or None,
        not_searched=(mask.not_searched or None) if mask is not None else None,
        distinct_estimated=any(column.estimated) or None,
    )
