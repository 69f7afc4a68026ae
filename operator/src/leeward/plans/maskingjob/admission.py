"""Whether a MaskingJob may start: every check, in order, each with its reason and remedy."""

from collections.abc import Callable, Iterable
from typing import Final

from leeward.api.dataset import DATASET, Location
from leeward.api.meta import API_VERSION
from leeward.api.transforms import REMOVING
from leeward.plans.maskingjob.beside import (
    check_beside,
    check_conditions,
    check_subjects,
    check_whole,
)
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.maskingjob.groups import check_groups
from leeward.plans.maskingjob.hierarchies import check_hierarchies
from leeward.plans.maskingjob.models import check_models
from leeward.plans.maskingjob.privacy import check_privacy_model
from leeward.plans.maskingjob.rules import check_patterns, check_rules
from leeward.plans.maskingjob.samples import check_known, check_sample
from leeward.plans.maskingjob.suitable import check_suitable
from leeward.plans.maskingjob.unmasking import check_masked, check_unmasking_keys
from leeward.plans.shared.claims import check_claim_free, claim_of
from leeward.plans.shared.keys import check_key, check_key_grant
from leeward.plans.shared.listing import listed, those_there_are
from leeward.plans.shared.model import Manifest, ObjectRef
from leeward.plans.shared.names import UID_ANNOTATION
from leeward.plans.shared.sources import (
    check_claim,
    check_data_grant,
    check_source_artefact_key,
    check_source_claim,
    check_source_exists,
    check_source_key,
    check_source_namespace,
    check_source_ready,
    first_denial,
)
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

MAX_KEYS: Final = 64
_SHOWN: Final = 10


def check_output_key(case: MaskingCase) -> Verdict:
    """The key that the output is sealed under is there and granted."""
    return check_key(case.output_key, case.observed) or check_key_grant(
        case.output_key, "Seal", case.owner, case.observed, case.context
    )


def check_rule_keys(case: MaskingCase) -> Verdict:
    """The keys of all rules are there, suit their transform, and are granted."""
    uses = [found for rule in case.spec.columns if (found := case.rule_key(rule)) is not None]
    unseen = tuple(
        dict.fromkeys(use.vault_ref for use, _ in uses if not case.observed.has(use.vault_ref))
    )
    if unseen:
        return Unseen(unseen)
    for key, _ in uses:
        verdict = check_key(key, case.observed) or check_key_grant(
            key, case.operation, case.owner, case.observed, case.context
        )
        if verdict is not None:
            return verdict
    keys = {(key.vault_ref, key.ref.key, scope) for key, scope in uses}
    # Beside those of the rules: of source and output, what parts are sealed with, of the notes.
    most = MAX_KEYS - 2 - (case.spec.parallelism > 1) - bool(case.samples)
    if len(keys) > most:
        return Denied(
            "TooManyKeys",
            f"the rules use {len(keys)} keys and scopes, and a job is given at most {most}:"
            " use fewer, or split the job",
        )
    return None


def check_columns_exist(case: MaskingCase) -> Verdict:
    """Every column that a rule names is in the file."""
    missing = [name for name in case.rule_of if name not in case.types]
    if not missing:
        return None
    return Denied(
        "ColumnMissing",
        f"{case.source_label} has no {_columns(missing)}"
        f" ({those_there_are(case.types, missing[0])}): correct the name in"
        " spec.columns, or remove the rule",
    )


def check_selection(case: MaskingCase) -> Verdict:
    """Every rule that matches is for some column, and no two are for one."""
    return case.selection.fault


def check_every_column_has_a_rule(case: MaskingCase) -> Verdict:
    """Under defaultAction Fail no column is left to chance."""
    bare = [name for name in case.types if name not in case.rule_of]
    if case.spec.default_action != "Fail" or not bare:
        return None
    one = len(bare) == 1
    return Denied(
        "ColumnWithoutRule",
        f"{_columns(bare)} of {case.source_label} {'has' if one else 'have'} no rule and"
        f" defaultAction is Fail: add a rule for {'it' if one else 'each'}, or set defaultAction to"
        " Drop",
    )


def check_identifiers(case: MaskingCase) -> Verdict:
    """No column that names a person is kept as it is."""
    kept = {
        name: why
        for name in case.types
        if "DirectIdentifier" in case.tags.get(name, []) and (why := _why_kept(case, name))
    }
    if not kept:
        return None
    one = len(kept) == 1
    reasons = listed(list(dict.fromkeys(kept.values())), _SHOWN)
    them = "it" if one else "each"
    remedy = f"give {them} a rule with {', '.join(REMOVING[:-1])} or {REMOVING[-1]}"
    if case.undoes:
        remedy = f"give {them} a rule that leads back, or drop"
    return Denied(
        "IdentifierKept",
        f"{_columns(list(kept))} of {case.source_label} {'is' if one else 'are'} tagged"
        f" DirectIdentifier, and values of {'it' if one else 'them'} would come out as they are"
        f" ({reasons}): {remedy}",
    )


def _why_kept(case: MaskingCase, name: str) -> str | None:
    """Why values of the column may come out as they are; None: none does."""
    rule = case.rule_of.get(name)
    if rule is not None:
        return rule.why_kept
    return "no rule, and defaultAction is Keep" if case.spec.default_action == "Keep" else None


def check_something_left(case: MaskingCase) -> Verdict:
    """The output has at least one column."""
    if output_columns(case):
        return None
    return Denied(
        "NoColumnsLeft",
        "every column would be dropped (by its rule or, where it has none, by defaultAction Drop),"
        " so there is nothing to write: give at least one column another rule",
    )


def check_output_name(case: MaskingCase) -> Verdict:
    """No other Dataset has the name of the output, and no other job is about to make one."""
    need = output_ref(case)
    if not case.observed.has(need):
        return Unseen((need,))
    found: Manifest | None = case.observed.get(need)
    if found is None or (found["metadata"].get("annotations") or {}).get(UID_ANNOTATION) == (
        case.owner.uid
    ):
        return check_claim_free(claim_of(case.owner, need.name), case.observed)
    return output_name_taken(case.spec.output.dataset)


def check_output_path(case: MaskingCase) -> Verdict:
    """The output is not written into the source."""
    output, source = case.spec.output.location, case.dataset.location
    if source.path.endswith("/") and _lies_in(output, source):
        return Denied(
            "OutputPathIsSource",
            f"spec.output.location lies in the folder of {case.source_label} ({source.path}), whose"
            " files would be others then: name another folder",
        )
    if output.s3 or output.at(output.path.rstrip("/")) != source:
        return None
    return Denied(
        "OutputPathIsSource",
        f"spec.output.location names the file of {case.source_label} ({source.path}) as its folder:"
        " name another folder",
    )


def _lies_in(output: Location, folder: Location) -> bool:
    if output.s3 is not None and folder.s3 is not None:
        ours, theirs = output.s3, folder.s3
        same = (ours.endpoint.rstrip("/"), ours.bucket) == (
            theirs.endpoint.rstrip("/"),
            theirs.bucket,
        )
    elif output.volume is not None and folder.volume is not None:
        same = output.volume.claim_name == folder.volume.claim_name
    else:
        same = False
    return same and f"{output.path.rstrip('/')}/".startswith(folder.path)


def check_output_claim(case: MaskingCase) -> Verdict:
    """The volume that the output goes to is there."""
    return check_claim(
        case.observed,
        case.owner.namespace,
        case.spec.output.location,
        (case.owner.kind, "spec.output"),
    )


CHECKS: Final[tuple[Callable[[MaskingCase], Verdict], ...]] = (
    check_source_exists,
    check_source_namespace,
    check_data_grant,
    check_source_ready,
    check_source_key,
    check_output_key,
    check_rule_keys,
    check_masked,
    check_unmasking_keys,
    check_rules,
    check_patterns,
    check_columns_exist,
    check_selection,
    check_every_column_has_a_rule,
    check_identifiers,
    check_suitable,
    check_subjects,
    check_groups,
    check_hierarchies,
    check_known,
    check_sample,
    check_models,
    check_conditions,
    check_beside,
    check_whole,
    check_something_left,
    check_privacy_model,
    check_output_name,
    check_output_path,
    check_source_claim,
    check_output_claim,
    check_source_artefact_key,
)
"""In order: what is refused first is what is said."""

_IN_THE_SPEC: Final = frozenset(
    {
        "ColumnDropped",
        "ColumnMissing",
        "ColumnWithoutRule",
        "IdentifierKept",
        "MatchesNothing",
        "NoColumnsLeft",
        "OutputNameTaken",
        "OutputPathIsSource",
        "PatternInvalid",
        "PrivacyModelInvalid",
        "PrivacyModelUnmet",
        "QuasiIdentifierLeftOut",
        "RuleInvalid",
        "RulesClash",
        "SamplesDiffer",
        "ScopeUnknown",
        "SubjectMissing",
        "TooManyKeys",
        "TooManyPatterns",
        "UnsuitableColumn",
    }
)
"""Faults that are put right in fields of the job that cannot be changed once it is created."""


def check(case: MaskingCase) -> Verdict:
    """What the first check says that does not pass; None: the job may start."""
    verdict = first_denial(case, CHECKS)
    if isinstance(verdict, Denied) and verdict.reason in _IN_THE_SPEC:
        return Denied(
            verdict.reason,
            f"{verdict.message}. The rules and the output of a MaskingJob cannot be changed: to"
            " change them, delete it and create it again",
        )
    return verdict


def output_ref(case: MaskingCase) -> ObjectRef:
    """The Dataset that the job makes."""
    name = case.spec.output.dataset
    return ObjectRef(API_VERSION, DATASET.kind, case.owner.namespace, name)


def output_name_taken(name: str) -> Denied:
    """What to say where another Dataset has that name."""
    return Denied(
        "OutputNameTaken",
        f"a Dataset {name} exists, and this job did not make it: name another one in"
        " spec.output.dataset, or delete that one",
    )


def output_columns(case: MaskingCase) -> list[str]:
    """Names of the columns that the output has, in the order of the source."""
    keeps = case.spec.default_action == "Keep"
    return [
        name
        for name in case.types
        if (case.rule_of[name].drop is None if name in case.rule_of else keeps)
    ]


def _columns(names: list[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    return listed([f'"{name}"' for name in names], _SHOWN)
