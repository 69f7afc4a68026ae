"""Whether rules can be carried out at all: what their parameters say together, and patterns."""

from collections.abc import Iterator
from typing import Final

from leeward.api.rustregex import search_fault
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.verdict import Denied, Verdict

MAX_SEARCHED: Final = 32
"""Different patterns of one job: the operator compiles them, which may take 0.2 s each."""


def check_rules(case: MaskingCase) -> Verdict:
    """The parameters of each rule go together, as far as the API server cannot tell."""
    for place, rule in enumerate(case.spec.columns):
        fault = rule.fault()
        if fault is not None:
            return Denied(
                "RuleInvalid",
                f'spec.columns[{place}] (rule "{rule.name}"): {fault[0]}: {fault[1]}',
            )
    return None


def check_patterns(case: MaskingCase) -> Verdict:
    """Every pattern that is searched in notes is one that the pod can search."""
    patterns = list(_patterns(case))
    different = len({pattern for _, _, pattern in patterns})
    if different > MAX_SEARCHED:
        return Denied(
            "TooManyPatterns",
            f"the rules search notes for {different} different patterns, and a job may have"
            f" {MAX_SEARCHED} in spec.columns[].freeText.patterns: join some with |, or move words"
            " to dictionaries",
        )
    for field, name, pattern in patterns:
        fault = search_fault(pattern)
        if fault is not None:
            return Denied("PatternInvalid", f'{field} ("{name}") {fault[0]}: {fault[1]}')
    return None


def _patterns(case: MaskingCase) -> Iterator[tuple[str, str, str]]:
    """Field, name and text of each."""
    for place, rule in enumerate(case.spec.columns):
        for number, one in enumerate(rule.free_text.patterns if rule.free_text else ()):
            field = f"spec.columns[{place}].freeText.patterns[{number}].pattern"
            yield field, one.name, one.pattern
