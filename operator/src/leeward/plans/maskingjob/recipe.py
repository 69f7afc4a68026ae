"""What an admitted MaskingJob runs: its config, its keys, its volumes."""

from leeward.api.dataset import Tag
from leeward.api.plaintransforms import NoParameters
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import VALUE_COLUMN
from leeward.formats.jobconfig import (
    MaskingConfig,
    OutputFile,
    PrivacyConfig,
    ReportFile,
    RuleConfig,
    UnmaskTokensConfig,
)
from leeward.formats.keyset import OUTPUT_ROLE, PARTS_ROLE
from leeward.formats.report import ReportSubject, report_path
from leeward.plans.maskingjob.case import MaskingCase, output_location, rule_key_id
from leeward.plans.maskingjob.hierarchies import table_text
from leeward.plans.maskingjob.privacy import asked_of
from leeward.plans.shared.keys import Granted, KeyUse, granted, ready_key
from leeward.plans.shared.locations import Places, pod_path, pod_store
from leeward.plans.shared.model import ArtefactKeyInfo, ArtefactKeyOf, EnsureArtefactKey, Manifest
from leeward.plans.shared.names import random_id
from leeward.plans.shared.sources import SAMPLE_ROLE, SOURCE_ROLE, Case
from leeward.plans.shared.verdict import Unseen
from leeward.plans.shared.workload import JobKey, Recipe

_DEFAULT_RULE = "defaultAction"
_PARTS_ALGORITHM = "AES256_GCM"


def recipe(case: MaskingCase, admission: Manifest | None) -> Recipe | Unseen:
    """All that the job needs; every check has passed.

    Args:
        case: The job.
        admission: What was decided before, so that the output keeps its key.
    """
    roles = _rule_roles(case)
    wanted = {role: key_id for role, key_id, _ in roles.values()}
    unseen = tuple(
        ArtefactKeyOf(key_id)
        for key_id in wanted.values()
        if not case.observed.has(ArtefactKeyOf(key_id))
    )
    if unseen:
        return Unseen(unseen)
    keys = [*_read_key(case, SOURCE_ROLE), *_read_key(case.sample, SAMPLE_ROLE)]
    for role, key_id, use in roles.values():
        keys.append(_key(case, role, key_id, use, own=is_own(role)))
    if case.spec.parallelism > 1:
        keys.append(_parts_key(case, admission))
    # Last: keys are published in this order, so none that could still be shredded is missing when
    # the output's is.
    keys.append(_output_key(case, admission))
    return Recipe(
        config=_tokens(case, roles) if case.spec.tokens else _config(case, roles),
        keys=tuple(keys),
        places=Places(
            case.dataset.location,
            output_location(case.owner, case.spec),
            case.sample.dataset.location if case.sample else None,
        ),
        source_digest=None if case.spec.tokens else case.dataset_status.digest,
        dataset_scope=None if case.undoes else case.dataset_scope,
        grants=_grants(case),
        workers=case.spec.parallelism,
        replaced_keys=case.replaced_keys | (case.sample.replaced_keys if case.sample else set()),
        selected=tuple(
            (rule.name, tuple(case.selection.columns_of(rule)))
            for rule in case.spec.columns
            if not rule.column_names
        ),
        tags=() if case.spec.tokens else _tags(case),
        subject=None if case.spec.tokens else case.dataset.subject_column,
    )


def _tags(case: MaskingCase) -> tuple[tuple[str, tuple[Tag, ...]], ...]:
    """As the owner of the source gives them: also of structs and lists, for all that is in them."""
    return tuple((one.name, tuple(one.tags)) for one in case.dataset.columns if one.tags)


def _grants(case: MaskingCase) -> tuple[Granted, ...]:
    """By what the job may use each key."""
    uses = [(case.output_key, "Seal")]
    for read in (case, case.sample):
        if read is not None and read.source_key is not None:
            uses.append((read.source_key, "Open"))
    for rule in case.spec.columns:
        found = case.rule_key(rule)
        if found is not None:
            uses.append((found[0], case.operation))
    chosen = {
        (use.vault_ref, use.ref.key, operation): granted(
            use, operation, case.owner, case.observed, case.context
        )
        for use, operation in uses
    }
    return tuple(chosen.values())


def is_own(role: str) -> bool:
    """Whether a key of this role opens nothing but what this one job writes."""
    return role == PARTS_ROLE or is_published(role)


def is_published(role: str) -> bool:
    """Whether a key of this role becomes that of the Dataset which the job makes.

    What opens its parts does not: it stands in their manifest, and nowhere else any more.
    """
    return role == OUTPUT_ROLE or (role.startswith("rule:") and role.split("/")[1] == "Job")


_Roles = dict[tuple[str, str, str, str], tuple[str, str, KeyUse]]


def _rule_roles(case: MaskingCase) -> _Roles:
    """(vault namespace, vault, key, scope) -> role, id and use of the artefact key."""
    roles: _Roles = {}
    taken: set[str] = set()
    for rule in case.spec.columns:
        found = case.rule_key(rule)
        if found is None:
            continue
        use, scope = found
        place = (use.namespace, use.ref.vault.name, use.ref.key, scope)
        if place in roles:
            continue
        # A key that is only used to lead back is never this job's own, whatever its scope.
        role = f"{'undo' if case.undoes else 'rule'}:{use.ref.key}/{scope}"
        if role in taken:
            role = f"{role}/{len(taken)}"
        taken.add(role)
        vault_id = ready_key(use, case.observed).vault_id
        scope_id = case.scope_id(scope, vault_id)
        if scope_id is None:
            raise ValueError("check_unmasking_keys has passed")
        key_id = rule_key_id(vault_id, use.ref.key, scope, scope_id)
        roles[place] = (role, key_id, use)
    return roles


def _read_key(case: Case | None, role: str) -> list[JobKey]:
    key_id = case.source_key_id if case else None
    if case is None or key_id is None:
        return []
    info: ArtefactKeyInfo = case.observed.get(ArtefactKeyOf(key_id))
    return [JobKey(role, key_id, info.version)]


def _output_key(case: MaskingCase, admission: Manifest | None) -> JobKey:
    key_id = _known_id(case, admission, OUTPUT_ROLE)
    return _key(case, OUTPUT_ROLE, key_id, case.output_key, own=True)


def _parts_key(case: MaskingCase, admission: Manifest | None) -> JobKey:
    """The key that the pods of this job share; symmetric, whatever the output is sealed with."""
    key_id = _known_id(case, admission, PARTS_ROLE)
    return _key(case, PARTS_ROLE, key_id, case.output_key, own=True, algorithm=_PARTS_ALGORITHM)


def _known_id(case: MaskingCase, admission: Manifest | None, role: str) -> str:
    """The id that was decided before, or another one."""
    known = [key["id"] for key in (admission or {}).get("keys", []) if key["role"] == role]
    return known[0] if known else random_id(case.context.random)


def _key(
    case: MaskingCase,
    role: str,
    key_id: str,
    use: KeyUse,
    *,
    own: bool,
    algorithm: str | None = None,
) -> JobKey:
    info: ArtefactKeyInfo | None = case.observed.seen.get(ArtefactKeyOf(key_id))
    if info is not None:
        return JobKey(role, key_id, info.version)
    ensure = EnsureArtefactKey(
        id=key_id,
        vault_namespace=use.namespace,
        vault=use.ref.vault.name,
        key=use.ref.key,
        namespace=case.owner.namespace,
        owner=case.owner.id,
        artefact=output_location(case.owner, case.spec) if own else None,
        dataset=case.spec.output.dataset if role == OUTPUT_ROLE else None,
        algorithm=algorithm,
    )
    return JobKey(role, key_id, ready_key(use, case.observed).version, ensure)


def _config(case: MaskingCase, roles: _Roles) -> MaskingConfig:
    rules = [_rule(case, rule, roles) for rule in case.spec.columns]
    rest = [name for name in case.types if name not in case.rule_of]
    if rest and case.spec.default_action == "Keep":
        rule = ColumnRule(name=_DEFAULT_RULE, keep=NoParameters())
        rules.append(RuleConfig(rule=rule, columns=rest, by_default=True))
    output = output_location(case.owner, case.spec)
    path = pod_path(output, "output")
    return MaskingConfig(
        source=case.source_file(),
        sample=case.sample.source_file("sample", SAMPLE_ROLE) if case.sample else None,
        rules=rules,
        privacy=_privacy(case),
        output=OutputFile(
            path=path,
            store=pod_store(output, "output"),
            format=case.spec.output.format,
            key_role=OUTPUT_ROLE,
            report=None if case.undoes else _report(case, report_path(path)),
        ),
        workers=case.spec.parallelism if case.spec.parallelism > 1 else None,
    )


def _tokens(case: MaskingCase, roles: _Roles) -> UnmaskTokensConfig:
    output = output_location(case.owner, case.spec)
    rule = _rule(case, case.spec.columns[0], roles)
    return UnmaskTokensConfig(
        tokens=case.spec.tokens,
        rule=rule.model_copy(update={"columns": [VALUE_COLUMN]}),
        output=OutputFile(
            path=pod_path(output, "output"),
            store=pod_store(output, "output"),
            format=case.spec.output.format,
            key_role=OUTPUT_ROLE,
        ),
    )


def _privacy(case: MaskingCase) -> PrivacyConfig | None:
    asked = asked_of(case)
    if asked is None:
        return None
    tables = {
        entry.name: table_text(case, entry.table)
        for entry in asked.model.hierarchies
        if entry.table is not None
    }
    return PrivacyConfig(model=asked.model, subject=asked.counted_subject, tables=tables)


def _report(case: MaskingCase, path: str) -> ReportFile:
    return ReportFile(
        path=path,
        about=ReportSubject(
            job=case.owner.name, source=case.source.name, output=case.spec.output.dataset
        ),
        withheld=[name for name, tags in case.tags.items() if "DirectIdentifier" in tags],
        quasi_identifiers=[n for n, tags in case.tags.items() if "QuasiIdentifier" in tags],
        subject=case.dataset.subject_column,
    )


def _rule(case: MaskingCase, rule: ColumnRule, roles: _Roles) -> RuleConfig:
    found = case.rule_key(rule)
    table = rule.generalize.hierarchy if rule.generalize else None
    role = algorithm = None
    if found is not None:
        use, scope = found
        role = roles[use.namespace, use.ref.vault.name, use.ref.key, scope][0]
        algorithm = ready_key(use, case.observed).key.algorithm
    return RuleConfig(
        rule=rule,
        columns=list(rule.column_names) or case.selection.columns_of(rule),
        key_role=role,
        key_algorithm=algorithm,
        subject=case.subject_of(rule),
        hierarchy=None if table is None else table_text(case, table),
        undo=True if case.undoes and found is not None else None,
    )
