"""Whether each transform meets values that it works on."""

from typing import Final

from leeward.api.transforms import ColumnRule
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.verdict import Denied, Verdict

DATES: Final = frozenset({"Date", "Datetime"})
TEXTS: Final = frozenset({"String"})
FORMATTED: Final = frozenset({"String", "Integer"})
HOURS: Final = frozenset({"Datetime", "Time"})
NUMBERS: Final = frozenset({"Integer", "Float", "Decimal"})
TEXTUAL: Final = TEXTS | NUMBERS | DATES | {"Boolean", "Time"}
LISTED_NUMBERS: Final = NUMBERS | {"Other"}
"""What a list holds is not in the status of a Dataset: the job looks at it."""


def check_suitable(case: MaskingCase) -> Verdict:
    """Every transform that needs values of some kind meets such ones."""
    for name, rule in case.rule_of.items():
        wanted, what = _wanted(rule)
        if wanted and case.types[name] not in wanted:
            return Denied(
                "UnsuitableColumn",
                f'column "{name}" of {case.source_label} is of type {case.types[name]}, and {what}:'
                " choose another transform for it",
            )
    return None


def _wanted(rule: ColumnRule) -> tuple[frozenset[str], str]:
    """The types that a rule works on, and how that is said; none: on all, or the job sees."""
    if rule.date_shift is not None:
        return DATES, "dateShift needs a date"
    if rule.generalize is not None and rule.generalize.date_to is not None:
        return DATES, "generalize.dateTo needs a date"
    if rule.generalize is not None and rule.generalize.bins is not None:
        return NUMBERS, "generalize.bins needs a number"
    if rule.generalize is not None and rule.generalize.quantiles is not None:
        return NUMBERS, "generalize.quantiles needs a number"
    if rule.generalize is not None and rule.generalize.ip_prefix is not None:
        return TEXTS, "generalize.ipPrefix needs text"
    if rule.free_text is not None:
        return TEXTS, "freeText needs text"
    if rule.format_preserving is not None:
        return FORMATTED, "formatPreserving needs text or whole numbers"
    return _wanted_by_values(rule)


def _wanted_by_values(rule: ColumnRule) -> tuple[frozenset[str], str]:
    if rule.time_part is not None and rule.time_part.part == "Hour":
        return HOURS, "timePart Hour needs a time"
    if rule.time_part is not None:
        return DATES, f"timePart {rule.time_part.part} needs a date"
    if rule.top_bottom_code is not None and rule.top_bottom_code.is_of_dates:
        return DATES, "topBottomCode with dates needs a date"
    if rule.top_bottom_code is not None:
        return NUMBERS, "topBottomCode with numbers needs a number"
    if rule.noise is not None:
        return NUMBERS, "noise needs a number"
    if rule.random_mask is not None and rule.random_mask.range is not None:
        return LISTED_NUMBERS, "randomMask.range needs a number, or a list of numbers"
    return frozenset(), ""
