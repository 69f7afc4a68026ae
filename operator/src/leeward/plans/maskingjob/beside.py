"""Whether rules can look at the columns that they need beside their own: subjects, conditions."""

from collections.abc import Iterator
from typing import Final

from leeward.api.conditions import When
from leeward.api.transforms import ColumnRule
from leeward.formats.columnpaths import enclosing, same_list
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.maskingjob.privacy import asked_of
from leeward.plans.maskingjob.suitable import DATES, NUMBERS, TEXTUAL
from leeward.plans.shared.listing import those_there_are
from leeward.plans.shared.verdict import Denied, Verdict

_WHEN: Final = "when.column"


def check_subjects(case: MaskingCase) -> Verdict:
    """Every rule whose result depends on the subject knows it."""
    for rule in case.spec.columns:
        if rule.by_subject is None:
            continue
        subject = case.subject_of(rule)
        if subject is None:
            return Denied(
                "SubjectMissing",
                f'rule "{rule.name}" does not say whose values they are: set'
                f" {rule.transform}.subject, or spec.subjectColumn of {case.source_label}",
            )
        if subject not in case.types:
            return Denied(
                "ColumnMissing",
                f'{case.source_label} has no column "{subject}", which rule "{rule.name}" names as'
                f" subject ({those_there_are(case.types, subject)}): correct"
                f" {rule.transform}.subject or spec.subjectColumn",
            )
    return None


def check_conditions(case: MaskingCase) -> Verdict:
    """Every condition looks at a column that is there, and that can be compared like that."""
    for rule in case.spec.columns:
        if rule.when is None:
            continue
        kind = case.types.get(rule.when.column)
        if kind is None:
            return Denied(
                "ColumnMissing",
                f'{case.source_label} has no column "{rule.when.column}", which rule'
                f' "{rule.name}" looks at ({those_there_are(case.types, rule.when.column)}):'
                " correct when.column",
            )
        wanted, what = _compared(rule.when)
        if wanted and kind not in wanted:
            return Denied(
                "UnsuitableColumn",
                f'column "{rule.when.column}" of {case.source_label} is of type {kind}, and rule'
                f' "{rule.name}" {what}: correct when',
            )
    return None


def _compared(when: When) -> tuple[frozenset[str], str]:
    """The types that a condition works on, and how that is said; none: on all."""
    if when.borders:
        what = "a date" if when.is_of_dates else "a number"
        return DATES if when.is_of_dates else NUMBERS, f"compares it with {what}"
    return (TEXTUAL, "compares its text") if when.reads_text else (frozenset(), "")


def check_beside(case: MaskingCase) -> Verdict:
    """What a rule looks at has one value, and a text, for each value that it masks."""
    for name, rule in case.rule_of.items():
        for other, fields in _looked_at(case, rule):
            in_list = other in case.in_lists
            if in_list and (fields == _WHEN or not same_list(name, other)):
                return Denied(
                    "UnsuitableColumn",
                    f'column "{name}" of {case.source_label} has a rule that looks at "{other}",'
                    f' which lies in a list: in rule "{rule.name}", name a column with one value a'
                    f" row in {fields}",
                )
            if fields != _WHEN and case.types[other] == "Other":
                return Denied(
                    "UnsuitableColumn",
                    f'column "{name}" of {case.source_label} has a rule that looks at "{other}",'
                    " which has no text form (a list, struct or binary column): in rule"
                    f' "{rule.name}", name another column in {fields}',
                )
    return None


def check_whole(case: MaskingCase) -> Verdict:
    """Nothing looks at a column in a struct or list that a rule takes away as a whole."""
    for other, who in (*_of_rules(case), *_of_privacy_model(case)):
        outer = next((name for name in enclosing(other) if name in case.taken_whole), None)
        if outer is not None:
            return Denied(
                "UnsuitableColumn",
                f'{who} looks at "{other}" of {case.source_label}, and rule'
                f' "{case.taken_whole[outer].name}" takes "{outer}" away as a whole: give'
                f' "{other}" a rule of its own',
            )
    return None


def _of_rules(case: MaskingCase) -> Iterator[tuple[str, str]]:
    for rule in case.spec.columns:
        within = rule.shuffle.within if rule.shuffle is not None else ()
        for other in (*within, *(name for name, _ in _looked_at(case, rule))):
            yield other, f'rule "{rule.name}"'


def _of_privacy_model(case: MaskingCase) -> Iterator[tuple[str, str]]:
    asked = asked_of(case)
    if asked is not None:
        subject = (asked.counted_subject,) if asked.counted_subject else ()
        for name in (*asked.model.quasi_identifiers, *asked.model.sensitive, *subject):
            yield name, "spec.privacyModel"


def _looked_at(case: MaskingCase, rule: ColumnRule) -> Iterator[tuple[str, str]]:
    """Columns, and the fields that name them; those of shuffle have a check of their own."""
    subject = case.subject_of(rule)
    if subject is not None:
        yield subject, f"{rule.transform}.subject, or in spec.subjectColumn of that Dataset"
    for one in rule.free_text.known if rule.free_text is not None else ():
        yield one.column, "freeText.known"
    if rule.when is not None:
        yield rule.when.column, _WHEN
