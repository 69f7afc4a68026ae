"""What the report says of columns of notes: counts, and who searched them."""

from collections.abc import Sequence

from leeward.formats.result import FreeTextReport, LanguageModelReport, RecallReport
from leeward_masking.freetext import Measured
from leeward_masking.rules.plan import ColumnPlan


def free_text_report(column: ColumnPlan, measured: Sequence[Measured]) -> FreeTextReport:
    """What is told of a column of notes.

    Args:
        column: With a mask of free text, that has searched all of it.
        measured: How well, on labelled notes.
    """
    mask = column.free_text
    if mask is None:
        raise AssertionError
    return FreeTextReport(
        column=column.name,
        rule=column.rule,
        found=mask.found(),
        models=[
            LanguageModelReport(language=language, name=model.name, version=model.version)
            for language, model in mask.models.items()
        ],
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
