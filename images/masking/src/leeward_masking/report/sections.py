"""What privacy models and free text have to say, for people to read."""

from typing import Final

from leeward.formats.report import ReportSection, ReportTable
from leeward.formats.result import ExposureReport, FreeTextReport, MaskingReport, PrivacyReport

_EXPOSURE = (
    ("Classes", "classes"),
    ("Smallest class", "smallest"),
    ("Mean class", "mean"),
    ("Largest class", "largest"),
    ("Alone in their class", "unique"),
    ("Prosecutor's risk, highest", "prosecutor_highest"),
    ("Prosecutor's risk, mean", "prosecutor_mean"),
    ("Journalist's risk, highest", "journalist_highest"),
    ("Journalist's risk, mean", "journalist_mean"),
    ("Marketer's risk", "marketer"),
    ("In classes of fewer than 20", "at_risk"),
)
ESTIMATES: Final = (
    "Figures of classes are estimates: not all classes, or people in them, were kept."
)


def sections_of(counts: MaskingReport) -> list[ReportSection]:
    """The sections that a job has something for."""
    found = [] if counts.privacy is None else [privacy_section(counts.privacy)]
    if counts.free_text:
        found.append(free_text_section(counts.free_text))
    return found


def privacy_section(report: PrivacyReport) -> ReportSection:
    """Classes and risks before and after, and how far columns were made coarser."""
    unit = "people" if report.counted == "Subjects" else "rows"
    notes = [
        f"k-anonymity with k = {report.k}, counted in {unit}; {report.suppressed_rows:,} rows of"
        f" {report.suppressed_classes:,} classes were left out; loss {report.loss} of 1.",
        "Linkage attack: of the people in the source, a share of"
        f" {report.linkage_rate} were found when the output was joined with the source on the"
        " quasi-identifiers.",
        f"Note: {report.note}.",
    ]
    if report.before.estimated or report.after.estimated:
        notes.append(ESTIMATES)
    columns = [
        [column.name, column.generalized_to, f"{column.level} of {column.levels}"]
        for column in report.columns
    ]
    return ReportSection(
        name="PrivacyModel",
        title="Privacy model",
        notes=notes,
        tables=[
            exposure_table(report.before, report.after),
            ReportTable(
                caption="Quasi-identifiers: how far each was made coarser, beside its own rule",
                header=["Column", "Made", "Level"],
                rows=columns,
            ),
        ],
    )


def exposure_table(before: ExposureReport, after: ExposureReport) -> ReportTable:
    """Classes and risks before and after."""
    return ReportTable(
        caption="Classes and risks of re-identification",
        header=["Figure", "Before", "After"],
        rows=[[label, _figure(before, field), _figure(after, field)] for label, field in _EXPOSURE],
    )


def free_text_section(reports: list[FreeTextReport]) -> ReportSection:
    """What was found in notes, and how well that is found."""
    found = [
        [report.column, entity, f"{count:,}"]
        for report in reports
        for entity, count in sorted(report.found.items())
    ]
    recall = [
        [
            report.column,
            one.entity,
            one.language or "your own sample",
            f"{one.labelled:,}",
            one.recall,
            one.precision or "-",
            report.min_recall or "-",
        ]
        for report in reports
        for one in report.recall
    ]
    return ReportSection(
        name="FreeText",
        title="Free text",
        notes=sorted({f"Note: {report.note}." for report in reports}),
        tables=[
            ReportTable(
                caption="Found and replaced", header=["Column", "What", "How often"], rows=found
            ),
            *_models(reports),
            ReportTable(
                caption="Recall and precision, measured on labelled notes before anything was"
                " written",
                header=[
                    "Column",
                    "What",
                    "Language",
                    "Labelled",
                    "Recall",
                    "Precision",
                    "Asked for",
                ],
                rows=recall,
            ),
        ],
    )


def _models(reports: list[FreeTextReport]) -> list[ReportTable]:
    """Which language models searched which columns; empty: none did."""
    rows = [
        [report.column, one.language, one.name, one.version]
        for report in reports
        for one in report.models
    ]
    if not rows:
        return []
    return [
        ReportTable(
            caption="Language models that searched for persons, besides patterns and lists",
            header=["Column", "Language", "Model", "Version"],
            rows=rows,
        )
    ]


def _figure(report: ExposureReport, field: str) -> str:
    value: int | str = getattr(report, field)
    return f"{value:,}" if isinstance(value, int) else value
