"""Whether rules that shuffle can: one value a row, and columns that make groups."""

from leeward.api.transforms import ColumnRule
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.listing import those_there_are
from leeward.plans.shared.verdict import Denied, Verdict


def check_groups(case: MaskingCase) -> Verdict:
    """Every shuffle is of one value a row, and knows the columns that make its groups."""
    for name, rule in case.rule_of.items():
        if rule.shuffle is None:
            continue
        if name in case.in_lists:
            return Denied(
                "UnsuitableColumn",
                f'column "{name}" of {case.source_label} lies in a list, and shuffle needs one'
                " value a row: choose another transform for it",
            )
        for other in rule.shuffle.within:
            denied = _check_group(case, name, rule, other)
            if denied is not None:
                return denied
    return None


def _check_group(case: MaskingCase, name: str, rule: ColumnRule, other: str) -> Denied | None:
    if other not in case.types:
        return Denied(
            "ColumnMissing",
            f'{case.source_label} has no column "{other}", which rule "{rule.name}" names in'
            f" shuffle.within ({those_there_are(case.types, other)}): correct it",
        )
    if other != name and other not in case.in_lists and case.types[other] != "Other":
        return None
    why = "is the one that is shuffled" if other == name else "is a list or struct, or lies in one"
    return Denied(
        "UnsuitableColumn",
        f'rule "{rule.name}" shuffles column "{name}" of {case.source_label} within groups of'
        f' column "{other}", which {why}: correct shuffle.within',
    )
