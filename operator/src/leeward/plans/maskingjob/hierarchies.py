"""Hierarchies that a job takes from ConfigMaps: read when it is admitted, and copied then."""

from typing import Final

from leeward.api.hierarchies import HierarchyFile
from leeward.formats.document import canonical_json
from leeward.formats.hierarchytable import HierarchyError, read_hierarchy
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.model import Manifest, ObjectRef
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

MAX_BYTES: Final = 768 << 10
"""Of all tables together: they stand in one ConfigMap with the rest of what the pod is told, and
that holds 1 MiB."""


def check_hierarchies(case: MaskingCase) -> Verdict:
    """Every table is there, and has the level that is asked for."""
    asked = _asked(case)
    refs = dict.fromkeys(_ref(case, file) for _, file, _ in asked)
    unseen = tuple(ref for ref in refs if not case.observed.has(ref))
    if unseen:
        return Unseen(unseen)
    for who, file, level in asked:
        denied = check_table(case, file, who, level)
        if denied is not None:
            return denied
    size = sum(len(canonical_json(table_text(case, file))) for _, file, _ in asked)
    if size <= MAX_BYTES:
        return None
    return Denied(
        "HierarchyTooLarge",
        f"the tables of all hierarchies take {size >> 10} KiB, and a job may have"
        f" {MAX_BYTES >> 10} KiB of them: leave out levels and values that it does not need",
    )


def _asked(case: MaskingCase) -> list[tuple[str, HierarchyFile, int]]:
    """What asks for a table, which one, and how many levels it must have."""
    rules = [
        (f'rule "{rule.name}"', rule.generalize.hierarchy, rule.generalize.hierarchy.level)
        for rule in case.spec.columns
        if rule.generalize is not None and rule.generalize.hierarchy is not None
    ]
    model = case.spec.privacy_model
    entries = model.hierarchies if model is not None else ()
    tables = [
        (f'privacyModel, for column "{entry.name}",', entry.table, 1)
        for entry in entries
        if entry.table is not None
    ]
    return [*rules, *tables]


def check_table(case: MaskingCase, file: HierarchyFile, who: str, level: int) -> Denied | None:
    """A table is there, and has this level.

    Args:
        case: The job; the ConfigMap was looked at.
        file: Where the table is.
        who: What asks for it, in words.
        level: The highest level that is asked for.
    """
    key = file.config_map
    where = f"ConfigMap {key.name}"
    found: Manifest | None = case.observed.get(_ref(case, file))
    if found is None or key.key not in (found.get("data") or {}):
        what = f"{where} does not exist" if found is None else f"{where} has no text {key.key}"
        return Denied(
            "HierarchyMissing",
            f"{what}, in which {who} looks for a hierarchy: create it in namespace"
            f" {case.owner.namespace} (kubectl create configmap {key.name} --from-file={key.key})",
        )
    try:
        columns = read_hierarchy(found["data"][key.key], file.delimiter)
    except HierarchyError as error:
        return Denied(
            "HierarchyInvalid",
            f"{key.key} of {where} is no hierarchy for {who}: {error}: correct it there",
        )
    if level < len(columns):
        return None
    return Denied(
        "HierarchyInvalid",
        f"{key.key} of {where} has {len(columns) - 1} levels, and {who} asks for {level}:"
        " add it there",
    )


def table_text(case: MaskingCase, file: HierarchyFile) -> str:
    """The table, as it stands in the ConfigMap; ``check_hierarchies`` has passed."""
    return str(case.observed.get(_ref(case, file))["data"][file.config_map.key])


def _ref(case: MaskingCase, file: HierarchyFile) -> ObjectRef:
    return config_ref(case.owner.namespace, file.config_map.name)
