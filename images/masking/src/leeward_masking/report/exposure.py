"""How far people can be told apart by columns that are tagged QuasiIdentifier, without a model."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from leeward.formats.jobconfig import ReportFile
from leeward.formats.report import ReportSection
from leeward.formats.result import ExposureReport
from leeward_masking.privacymodel.classes import stable_hash
from leeward_masking.privacymodel.exposure import ClassSample
from leeward_masking.privacymodel.section import exposure_report
from leeward_masking.report.sections import ESTIMATES, exposure_table
from leeward_masking.rules.plan import MaskPlan
from leeward_masking.values.canonical import column_type

_SAMPLE: Final = 1 << 17
"""Pairs of class and subject that are kept, at most: few, so that masking is not held up; what is
told are shares and means, which these classes tell well."""
_UNSEEN: Final = frozenset(
    {
        "drop",
        "redact",
        "replace",
        "hash",
        "tokenize",
        "encrypt",
        "formatPreserving",
        "fake",
        "noise",
        "shuffle",
        "randomMask",
    }
)
"""Transforms after which nobody can look for a value that they know."""


class Exposures:
    """Classes of the tagged columns, before and after; one block at a time.

    Args:
        before: Those of the source.
        after: Those of the output in which a known value can still be looked for.
        subject: Column of the source that says whose row it is; None: each is of somebody else.
    """

    def __init__(self, before: Sequence[str], after: Sequence[str], subject: str | None) -> None:
        self._names: Final = (list(before), list(after))
        self._subject: Final = subject
        self._samples = self._empty()

    def _empty(self) -> tuple[ClassSample, ClassSample]:
        by_subject = self._subject is not None
        before, after = (ClassSample(by_subject=by_subject, sample=_SAMPLE) for _ in range(2))
        return before, after

    def add(self, source: pl.DataFrame, written: pl.DataFrame, stays: pl.Series | None) -> None:
        """Measure one block.

        Args:
            source: Its rows before.
            written: Those that were written.
            stays: Which of the rows before these are; None: all.
        """
        ids = None if self._subject is None else stable_hash(source.get_column(self._subject))
        left = ids if ids is None or stays is None else ids.filter(stays)
        for sample, frame, names, subjects in zip(
            self._samples, (source, written), self._names, (ids, left), strict=True
        ):
            if names:
                sample.add(frame.select(names), subjects)

    def tables(self) -> dict[str, pl.DataFrame]:
        """What it knows so far, to be stored."""
        return {
            f"{side}.{name}": table
            for side, sample in zip(("before", "after"), self._samples, strict=True)
            for name, table in sample.tables().items()
        }

    def merge(self, tables: Mapping[str, pl.DataFrame]) -> None:
        """Take over what another pod knows, which measured other rows."""
        parts = (self.tables(), tables)
        by_subject = self._subject is not None
        before, after = (
            ClassSample.merged(
                [_of(part, side) for part in parts], by_subject=by_subject, sample=_SAMPLE
            )
            for side in ("before", "after")
        )
        self._samples = (before, after)

    def section(self) -> ReportSection:
        """What is told of it."""
        before, after = (exposure_report(sample.exposure()) for sample in self._samples)
        unit = "rows" if self._subject is None else "people"
        names, left = self._names
        hidden = [name for name in names if name not in left]
        notes = [
            f"Classes of {', '.join(names)} (tagged QuasiIdentifier), counted in {unit}."
            " The job has no privacy model: nothing was asked of these classes.",
            "Linkage attack: of those in the output, a share of"
            f" {after.marketer} is found by one guess for each, when the output is joined with the"
            " source on these columns.",
        ]
        if hidden:
            told = ", ".join(hidden)
            notes.append(
                f"Not counted after, since nobody can look for their values there: {told}."
            )
        if self._subject is None:
            notes.append(
                "No subjectColumn says whose row it is: a person with several rows counts more than"
                " once."
            )
        if before.estimated or after.estimated:
            notes.append(ESTIMATES)
        return _section(notes, before, after)


def exposures_of(plan: MaskPlan, schema: pl.Schema, order: ReportFile | None) -> Exposures | None:
    """What is to be measured; None: a privacy model measures more, or nothing is tagged."""
    if order is None or plan.release is not None:
        return None
    names = [
        name
        for name in order.quasi_identifiers
        if name in schema and column_type(schema[name]) != "Other"
    ]
    seen = {
        column.name
        for column in plan.columns
        if column.transform not in _UNSEEN or column.condition is not None
    }
    subject = order.subject if order.subject in schema else None
    if subject is not None and column_type(schema[subject]) == "Other":
        subject = None
    return Exposures(names, [name for name in names if name in seen], subject) if names else None


def _section(notes: list[str], before: ExposureReport, after: ExposureReport) -> ReportSection:
    return ReportSection(
        name="QuasiIdentifiers",
        title="Re-identification",
        notes=notes,
        tables=[exposure_table(before, after)],
    )


def _of(tables: Mapping[str, pl.DataFrame], side: str) -> dict[str, pl.DataFrame]:
    prefix = f"{side}."
    return {key.removeprefix(prefix): t for key, t in tables.items() if key.startswith(prefix)}
