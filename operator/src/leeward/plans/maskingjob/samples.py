"""What rules for free text look at besides: labelled notes, and other columns of the row."""

from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.listing import those_there_are
from leeward.plans.shared.sources import (
    check_data_grant,
    check_source_artefact_key,
    check_source_claim,
    check_source_exists,
    check_source_key,
    check_source_namespace,
    check_source_ready,
    first_denial,
)
from leeward.plans.shared.verdict import Denied, Verdict

_CHECKS = (
    check_source_exists,
    check_source_namespace,
    check_data_grant,
    check_source_ready,
    check_source_key,
    check_source_claim,
    check_source_artefact_key,
)
"""They are personal data like any source, and what holds for that holds for them."""


def check_sample(case: MaskingCase) -> Verdict:
    """The Dataset of labelled notes is one, may be read, and has the columns."""
    sample = case.sample
    if sample is None:
        return None
    places = {
        (one.dataset.namespace or case.owner.namespace, one.dataset.name) for _, one in case.samples
    }
    if len(places) > 1:
        return Denied(
            "SamplesDiffer",
            f"the rules name {len(places)} Datasets of labelled notes in freeText.sample, and a job"
            " reads one: put the notes into columns of one Dataset",
        )
    return first_denial(sample, _CHECKS) or _check_columns(case)


def check_known(case: MaskingCase) -> Verdict:
    """The columns whose values are searched in notes are there."""
    for rule in case.spec.columns:
        for one in rule.free_text.known if rule.free_text is not None else ():
            if one.column not in case.types:
                return Denied(
                    "ColumnMissing",
                    f'{case.source_label} has no column "{one.column}", which rule "{rule.name}"'
                    f" names in freeText.known ({those_there_are(case.types, one.column)}): correct"
                    " the name",
                )
    return None


def _check_columns(case: MaskingCase) -> Verdict:
    sample = case.sample
    if sample is None:
        return None
    types = {column.name: column.type for column in sample.dataset_status.columns}
    for rule, one in case.samples:
        found = types.get(one.column)
        if found is None:
            return Denied(
                "ColumnMissing",
                f'{sample.source_label} has no column "{one.column}", which rule "{rule.name}"'
                f" names in freeText.sample ({those_there_are(types, one.column)}): correct the"
                " name",
            )
        if found != "String":
            return Denied(
                "UnsuitableColumn",
                f'column "{one.column}" of {sample.source_label} is of type {found}, and labelled'
                f' notes are text: name another one in freeText.sample of rule "{rule.name}"',
            )
    return None
