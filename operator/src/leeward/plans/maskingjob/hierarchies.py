"""Hierarchies that a job takes from ConfigMaps: read when it is admitted, and copied then."""

from typing import Final

from leeward.api.hierarchies import HierarchyFile
from leeward.formats.document import canonical_json
from leeward.formats.hierarchytable import HierarchyError, read_hierarchy
from leeward.plans.maskingjob.case import MaskingCase
from leeward.plans.shared.jobs import config_ref
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import Manifest, ObjectRef
from leeward.plans.shared.verdict import Denied, Unseen, Verdict

MAX_BYTES: Final = 768 << 10
"""Of all tables together: they stand in one ConfigMap with the rest of what the pod is told, and
that holds 1 MiB."""
_SHOWN: Final = 10


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
    missing = _missing(case, file, found)
    if missing is not None:
        return Denied("HierarchyMissing", f"{who} looks for a hierarchy, but {missing}")
    try:
        columns = read_hierarchy(table_text(case, file), file.delimiter)
    except HierarchyError as error:
        return Denied(
            "HierarchyInvalid",
            f"{key.key} of {where} is no hierarchy for {who}: {error}: correct it there",
        )
    if level < len(columns):
        return None
    return Denied(
        "HierarchyInvalid",
        f"{key.key} of {where} has {_counted(len(columns) - 1, 'level')}, and {who} asks for level"
        f" {level}: ask for level {len(columns) - 1} or a lower one, or add columns there",
    )


def _missing(case: MaskingCase, file: HierarchyFile, found: Manifest | None) -> str | None:
    """What of the ConfigMap or its key is not there, and what to do; None: nothing."""
    key, namespace = file.config_map, case.owner.namespace
    if found is None:
        return (
            f"ConfigMap {key.name} does not exist in namespace {namespace}: create it (kubectl -n"
            f" {namespace} create configmap {key.name} --from-file={key.key})"
        )
    texts = found.get("data") or {}
    if key.key in texts:
        return None
    if key.key in (found.get("binaryData") or {}):
        return f"{key.key} of ConfigMap {key.name} is binary (binaryData): write the table in UTF-8"
    has = f"its keys: {listed(sorted(texts), _SHOWN)}" if texts else "it has none"
    return (
        f"ConfigMap {key.name} in namespace {namespace} has no key {key.key} in its data ({has}):"
        " correct configMap.key, or add that key there"
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def table_text(case: MaskingCase, file: HierarchyFile) -> str:
    """The table, as it stands in the ConfigMap; ``check_hierarchies`` has passed."""
    return str(case.observed.get(_ref(case, file))["data"][file.config_map.key])


def _ref(case: MaskingCase, file: HierarchyFile) -> ObjectRef:
    return config_ref(case.owner.namespace, file.config_map.name)
