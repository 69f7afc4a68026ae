"""What the report says of spec.privacyModel: measured while rows are written."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from leeward.formats.result import ExposureReport, GeneralizedColumn, PrivacyReport
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.classes import stable_hash
from leeward_masking.privacymodel.exposure import ClassSample, Exposure
from leeward_masking.privacymodel.release import Release

_NOTE: Final = (
    "a heuristic: it bounds what this table alone tells to somebody who knows the quasi-identifiers"
    " that were named. It does not protect from who knows other columns, from a second release of"
    " the same people, or from what all of a class have in common; differential privacy does"
)


class PrivacyMeasure:
    """Looks at each block before and after; one at a time.

    Args:
        release: What was decided.
        k: People that each class must have.
        subject: Column of the source that says whose row it is; None: each is of somebody else.
    """

    def __init__(self, release: Release, k: int, subject: str | None) -> None:
        self._release = release
        self._k = k
        self._subject = subject
        self._before = ClassSample(by_subject=subject is not None)
        self._after = ClassSample(by_subject=subject is not None)

    def add(self, source: pl.DataFrame, written: pl.DataFrame, stays: pl.Series) -> None:
        """Measure one block.

        Args:
            source: Its rows before.
            written: Those that were written.
            stays: Which of the rows before these are.
        """
        names = [known.name for known in self._release.values]
        subjects = None if self._subject is None else stable_hash(source.get_column(self._subject))
        self._before.add(source.select(names), subjects)
        left = None if subjects is None else subjects.filter(stays)
        self._after.add(written.select(names), left)

    def tables(self) -> dict[str, pl.DataFrame]:
        """What it knows so far, to be stored."""
        parts = {"before": self._before.tables(), "after": self._after.tables()}
        return {f"{of}.{name}": table for of, part in parts.items() for name, table in part.items()}

    def merge(self, parts: Sequence[Mapping[str, pl.DataFrame]]) -> None:
        """Take over what others know, who measured other parts of the source."""
        by_subject = self._subject is not None
        self._before = ClassSample.merged(
            [_of(part, "before") for part in parts], by_subject=by_subject
        )
        self._after = ClassSample.merged(
            [_of(part, "after") for part in parts], by_subject=by_subject
        )

    def report(self) -> PrivacyReport:
        """The section.

        Raises:
            JobError: ``Internal``: the rows that were written do not keep to k-anonymity.
        """
        answer, after = self._release.answer, self._after.exposure()
        if self._after.breaks(self._k):
            raise JobError(
                "Internal",
                "the rows that were written do not keep to privacyModel, so they are not published",
                "run the job again; if it fails again, report it with the version of the image",
            )
        people = int(answer.table.subjects().sum())
        rows = answer.table.rows[answer.suppressed]
        return PrivacyReport(
            k=self._k,
            counted="Rows" if self._subject is None else "Subjects",
            suppressed_rows=int(rows.sum()),
            suppressed_classes=len(rows),
            loss=f"{answer.loss:.6f}",
            columns=[
                GeneralizedColumn(
                    name=known.name,
                    level=level,
                    levels=ladder.hierarchy.height,
                    generalized_to=ladder.names[level],
                )
                for known, ladder, level in zip(
                    self._release.values, self._release.ladders, answer.node, strict=True
                )
            ],
            before=exposure_report(self._before.exposure()),
            after=exposure_report(after),
            linkage_rate=_share(after.classes / people if people else 0.0),
            note=_NOTE,
        )


def _of(part: Mapping[str, pl.DataFrame], name: str) -> dict[str, pl.DataFrame]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in part.items() if key.startswith(prefix)}


def exposure_report(found: Exposure) -> ExposureReport:
    """The figures as a document."""
    # Of the population nothing is known but the table: the journalist's risk is the prosecutor's.
    highest, mean = _share(found.risk_highest), _share(found.risk_mean)
    return ExposureReport(
        classes=found.classes,
        smallest=found.smallest,
        mean=f"{found.mean:.2f}",
        largest=found.largest,
        prosecutor_highest=highest,
        prosecutor_mean=mean,
        journalist_highest=highest,
        journalist_mean=mean,
        marketer=mean,
        at_risk=_share(found.at_risk),
        unique=_share(found.unique),
        estimated=True if found.estimated else None,
    )


def _share(number: float) -> str:
    return f"{number:.6f}"
