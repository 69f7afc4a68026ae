"""Whether spec.privacyModel of a MaskingJob suits the columns and their rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal as Number
from typing import Final, Literal

from leeward.api.dataset import ColumnType, Tag
from leeward.api.maskingjob import PrivacyStatus
from leeward.api.privacymodel import ColumnHierarchy, PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward.formats.result import MaskingReport
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.listing import listed, those_there_are
from leeward.plans.shared.model import Manifest
from leeward.plans.shared.verdict import Denied, Verdict

_RANDOM: Final = frozenset({"noise", "randomMask", "shuffle", "encrypt"})
"""Transforms that make something else of a value each time: the classes that were counted would not
be those that are written."""
_HIDING: Final = _RANDOM | {
    *("drop", "redact", "replace", "hash", "tokenize", "formatPreserving", "fake")
}
"""Transforms after which nobody can look for a value that they know."""
_NUMBERS: Final[frozenset[ColumnType]] = frozenset({"Integer", "Float", "Decimal"})
_DATES: Final[frozenset[ColumnType]] = frozenset({"Date", "Datetime"})
_TEXTS: Final[frozenset[ColumnType]] = frozenset({"String"})
_BEFORE: Final = "spec.privacyModel names"


@dataclass(frozen=True, slots=True)
class Asked:
    """A privacy model beside the columns that it is for.

    Attributes:
        model: The model.
        types: Of the columns of the source.
        tags: Of those that have some.
        rules: Of those that have one.
        rest: Transform of the others.
        subject: The column that says whose row it is, where the Dataset names one.
        label: The source, in words.
        lists: Columns of which a row may have several values.
        rows: Of the source; None: nobody has counted them.
    """

    model: PrivacyModel
    types: Mapping[str, ColumnType]
    tags: Mapping[str, Sequence[Tag]]
    rules: Mapping[str, ColumnRule]
    rest: Literal["keep", "drop"]
    subject: str | None
    label: str
    lists: frozenset[str]
    rows: int | None = None

    @property
    def counted_subject(self) -> str | None:
        """The column whose values are counted; None: each row is of somebody else."""
        return None if self.model.k_anonymity.count == "Rows" else self.subject

    def transform(self, name: str) -> str:
        """What happens to a column."""
        return self.rules[name].transform if name in self.rules else self.rest

    def hides(self, name: str) -> bool:
        """Whether nobody can look for a value of the column that they know."""
        other = self.rules[name].otherwise if name in self.rules else None
        shown = other is not None and (other.keep is not None or other.partial_mask is not None)
        return self.transform(name) in _HIDING and not shown

    def check(self) -> Denied | None:
        """What is wrong; None: all columns that it names are there, stay, and can be counted."""
        fault = self.model.fault()
        if fault is not None:
            return Denied("PrivacyModelInvalid", f"spec.privacyModel: {fault[0]}: {fault[1]}")
        return (
            _check_columns(self)
            or _check_subject(self)
            or _check_people(self)
            or _check_left_out(self)
            or _check_types(self)
        )


def asked_of(case: MaskingCase) -> Asked | None:
    """The privacy model of a job; None: it has none."""
    model = case.spec.privacy_model
    if model is None:
        return None
    return Asked(
        model=model,
        types=case.types,
        tags=case.tags,
        rules=case.rule_of,
        rest="keep" if case.spec.default_action == "Keep" else "drop",
        subject=case.dataset.subject_column,
        label=case.source_label,
        lists=case.in_lists,
        rows=case.dataset_status.rows,
    )


def check_privacy_model(case: MaskingCase) -> Verdict:
    """All columns that the privacy model names are there, stay, and can be counted."""
    asked = asked_of(case)
    return None if asked is None else asked.check()


def privacy_fault(model: PrivacyModel | None, report: MaskingReport | None) -> str | None:
    """How what the pod measured differs from what was asked; None: it does not."""
    if model is None or report is None:
        return None
    found = report.privacy
    if found is None:
        return "it does not say what became of privacyModel"
    if [column.name for column in found.columns] != list(model.quasi_identifiers):
        return "privacyModel was applied to other columns"
    if found.k != model.k_anonymity.k or found.counted != model.k_anonymity.count:
        return "privacyModel was applied with another k"
    if found.after.classes and found.after.smallest < model.k_anonymity.k:
        return "its rows do not keep to privacyModel"
    if found.suppressed_rows > Number(model.k_anonymity.max_suppression) * report.rows:
        return "more rows were suppressed than privacyModel allows"
    return None


def privacy_status(report: MaskingReport | None) -> Manifest | None:
    """What ``status.privacy`` says; None: nothing was asked."""
    found = report.privacy if report is not None else None
    if found is None:
        return None
    return PrivacyStatus(
        classes=found.after.classes,
        smallest_class=found.after.smallest,
        suppressed_rows=found.suppressed_rows,
        loss=found.loss,
        linkage_rate=found.linkage_rate,
    ).manifest()


def _check_columns(asked: Asked) -> Denied | None:
    for name in (*asked.model.quasi_identifiers, *asked.model.sensitive):
        if name not in asked.types:
            return Denied(
                "ColumnMissing",
                f'{asked.label} has no column "{name}", which spec.privacyModel names'
                f" ({those_there_are(asked.types, name)}): correct the name, or remove it there",
            )
        transform = asked.transform(name)
        if transform == "drop":
            return Denied(
                "ColumnDropped",
                f'{_BEFORE} column "{name}", which {_dropped_by(asked, name)}: remove it there, or'
                " give the column a rule that leaves it",
            )
        if transform in _RANDOM:
            return Denied(
                "UnsuitableColumn",
                f'{_BEFORE} column "{name}", of which {transform} makes something else each time,'
                " so that rows cannot be counted before they are written: choose another transform"
                " for it (generalize, say), or remove it there",
            )
        if asked.types[name] == "Other" or name in asked.lists:
            return Denied(
                "UnsuitableColumn",
                f'{_BEFORE} column "{name}" of {asked.label}, which is in lists, or holds lists,'
                " structs or binary values: remove it there, or drop the column",
            )
    return None


def _dropped_by(asked: Asked, name: str) -> str:
    if name in asked.rules:
        return "its rule drops"
    return "has no rule, so that defaultAction Drop drops it"


def _check_people(asked: Asked) -> Denied | None:
    """There are as many rows as people are wanted in one group; a source without rows is none."""
    k, rows = asked.model.k_anonymity.k, asked.rows
    if not rows or rows >= k:
        return None
    people = "rows" if asked.counted_subject is None else "rows, so no more people"
    return Denied(
        "PrivacyModelUnmet",
        f"spec.privacyModel.kAnonymity.k = {k:,}, but {asked.label} has {rows:,} {people}: no group"
        f" of {k:,} can be made of them: choose a smaller k, or mask a source with more people",
    )


def _check_subject(asked: Asked) -> Denied | None:
    if asked.model.k_anonymity.count == "Rows":
        return None
    subject = asked.subject
    if subject is None:
        return Denied(
            "SubjectMissing",
            f"k counts people, and {asked.label} does not say whose row each is: set its"
            " spec.subjectColumn, or, where every row is of another person, kAnonymity.count to"
            " Rows",
        )
    if asked.types.get(subject, "Other") == "Other" or subject in asked.lists:
        return Denied(
            "SubjectMissing",
            f"k counts people, and the spec.subjectColumn of {asked.label} is no column that"
            " can tell them apart: correct it there",
        )
    return None


def _check_left_out(asked: Asked) -> Denied | None:
    """What is tagged as a quasi-identifier, and can be looked for in the output, is one."""
    bare = [
        name
        for name in asked.types
        if "QuasiIdentifier" in asked.tags.get(name, [])
        and name not in asked.model.quasi_identifiers
        and not asked.hides(name)
    ]
    if not bare:
        return None
    one = len(bare) == 1
    named = listed([f'"{name}"' for name in bare], 10)
    return Denied(
        "QuasiIdentifierLeftOut",
        f"{'column' if one else 'columns'} {named} of {asked.label} {'is' if one else 'are'}"
        f" tagged QuasiIdentifier and not named in kAnonymity.quasiIdentifiers: name"
        f" {'it' if one else 'them'} there, or redact or drop {'it' if one else 'them'}",
    )


def _check_types(asked: Asked) -> Denied | None:
    for hierarchy in asked.model.hierarchies:
        if hierarchy.table is not None:
            continue
        wanted, what = _wanted(hierarchy)
        kind = _masked_type(asked, hierarchy.name)
        if kind not in wanted:
            return Denied(
                "UnsuitableColumn",
                f'column "{hierarchy.name}" is of type {kind} once it is masked, and its'
                f" hierarchy needs {what}: choose another hierarchy, or another transform for the"
                " column",
            )
    close = asked.model.t_closeness
    if close is None or close.distance != "Ordered":
        return None
    kind = _masked_type(asked, close.column)
    if kind in _NUMBERS | _DATES:
        return None
    return Denied(
        "UnsuitableColumn",
        f'column "{close.column}" is of type {kind} once it is masked, and tCloseness.distance'
        " Ordered needs numbers or dates: choose Equal or Hierarchical",
    )


def _wanted(hierarchy: ColumnHierarchy) -> tuple[frozenset[ColumnType], str]:
    if hierarchy.date_units is not None:
        return _DATES, "dates (dateUnits)"
    if hierarchy.widths is not None:
        return _NUMBERS, "numbers (widths)"
    return _TEXTS | {"Integer"}, "text or whole numbers (prefixes)"


def _masked_type(asked: Asked, name: str) -> ColumnType:
    """The type that the column has once its rule was applied."""
    rule = asked.rules.get(name)
    kind = asked.types[name]
    masked = _transformed_type(rule, kind)
    other = rule.otherwise if rule is not None else None
    if other is None or other.redact is not None or (other.keep is not None and masked == kind):
        return masked
    return "String"


def _transformed_type(rule: ColumnRule | None, kind: ColumnType) -> ColumnType:
    if rule is None or rule.transform in ("keep", "redact", "topBottomCode", "dateShift"):
        return kind
    if rule.time_part is not None:
        return "Integer"
    if rule.generalize is not None and rule.generalize.date_to is not None:
        return "Date"
    return "String"
