"""What the pod says of free text: held to what was asked, and told."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from leeward.api.maskingjob import FreeTextStatus
from leeward.api.transforms import ColumnRule
from leeward.formats.result import FreeTextReport, MaskingReport
from leeward.plans.shared.model import Manifest

_ROUNDED: Final = Decimal("0.0005")
"""By how much a figure of three digits may be too small."""


def free_text_fault(rules: Sequence[ColumnRule], report: MaskingReport | None) -> str | None:
    """How what the pod measured differs from what was asked; None: it does not."""
    if report is None:
        return None
    for rule in rules:
        wanted = rule.free_text.min_recall if rule.free_text is not None else None
        if wanted is None:
            continue
        found = [one for one in report.free_text if one.rule == rule.name]
        masked = [one for one in report.columns if one.rule == rule.name]
        if masked and (not found or not any(one.recall for one in _like(found[0], report))):
            return f'it does not say how well the notes of rule "{rule.name}" were searched'
        recall = [Decimal(kind.recall) for one in found for kind in one.recall]
        if any(figure + _ROUNDED < Decimal(wanted) for figure in recall):
            return f'recall of rule "{rule.name}" is below its minRecall'
    return None


def _like(wanted: FreeTextReport, report: MaskingReport) -> list[FreeTextReport]:
    """Columns that may have an equal rule: the figures stand with the first of them."""
    return [one for one in report.free_text if one.min_recall == wanted.min_recall]


def free_text_status(report: MaskingReport | None) -> Manifest | None:
    """What ``status.freeText`` says; None: no notes were searched."""
    if report is None or not report.free_text:
        return None
    recall = [Decimal(kind.recall) for one in report.free_text for kind in one.recall]
    return FreeTextStatus(
        findings=sum(sum(one.found.values()) for one in report.free_text),
        lowest_recall=str(min(recall)) if recall else None,
    ).manifest()
