"""direction Unmask: what must hold before values are led back, and what is said of it."""

from typing import Final

from leeward.api.keyvault import KeyVaultStatus
from leeward.api.transformbase import Scope
from leeward.api.transforms import ColumnRule
from leeward.api.unmasking import REQUESTER_ANNOTATION
from leeward.plans.maskingjob.case import MaskingCase, rule_key_id
from leeward.plans.shared.conditions import condition_of
from leeward.plans.shared.keys import KeyUse, ready_key
from leeward.plans.shared.listing import listed
from leeward.plans.shared.model import ArtefactKeyInfo, ArtefactKeyOf
from leeward.plans.shared.verdict import Denied, Unseen, Verdict
from leeward.plans.shared.workload import Run

UNMASKING: Final = "Unmasking"
"""Type of the condition that says that values are led back, and who asked for it."""
_SHOWN: Final = 8
_MAX_NAME: Final = 128


def check_masked(case: MaskingCase) -> Verdict:
    """Only what was masked is led back."""
    if not case.undoes or case.dataset.sensitivity == "Masked":
        return None
    return Denied(
        "SourceNotMasked",
        f"{case.source_label} has sensitivity {case.dataset.sensitivity}, and direction Unmask"
        " leads back what was masked: name the masked Dataset in spec.source, or set its"
        " spec.sensitivity to Masked",
    )


def check_unmasking_keys(case: MaskingCase) -> Verdict:
    """The very keys that masked the values are still there; none is ever made for this."""
    if not case.undoes:
        return None
    for rule in case.spec.columns:
        found = case.rule_key(rule)
        verdict = _check_key(case, rule, *found) if found is not None else None
        if verdict is not None:
            return verdict
    return None


def _check_key(case: MaskingCase, rule: ColumnRule, use: KeyUse, scope: Scope) -> Verdict:
    vault_id = ready_key(use, case.observed).vault_id
    scope_id = case.scope_id(scope, vault_id)
    if scope_id is None:
        return Denied(
            "ScopeUnknown",
            f'rule "{rule.name}" has scope {scope}, and {case.source_label} does not say which that'
            " was: it was not made by a MaskingJob of this release, so only scope Vault can be led"
            " back",
        )
    need = ArtefactKeyOf(rule_key_id(vault_id, use.ref.key, scope, scope_id))
    if not case.observed.has(need):
        return Unseen((need,))
    info: ArtefactKeyInfo | None = case.observed.get(need)
    if info is None:
        return Denied(
            "KeyLost",
            f'nothing leads back what rule "{rule.name}" names: there is no artefact key of scope'
            f" {scope} under {use.label}. Either the values were masked with another key or scope:"
            " name that one; or it was destroyed, and only a backup of its Secret in the operator's"
            " namespace brings it back",
        )
    if not _is_gone(case, use, info.version):
        return None
    return Denied(
        "KeyVersionGone",
        f'nothing leads back what rule "{rule.name}" names: its artefact key is wrapped by version'
        f" {info.version} of {use.label}, which was destroyed",
    )


def _is_gone(case: MaskingCase, use: KeyUse, version: int) -> bool:
    """Whether a version of a vault key was destroyed."""
    status = KeyVaultStatus.model_validate(case.observed.get(use.vault_ref)["status"])
    state = next(state for state in status.keys if state.name == use.ref.key)
    destroyed = {known.version for known in state.versions if known.state == "Destroyed"}
    return version in destroyed or version < (state.shredded_below or 0)


def tell(run: Run, case: MaskingCase) -> None:
    """Say that values are led back, of which columns, and who asked: an event tells it, too."""
    if not case.undoes:
        return
    run.draft.set(
        UNMASKING,
        True,
        UNMASKING,
        f"values are led back for purpose {case.purpose}: {_what(case)}; {_who(run)}; the reason"
        " stands in spec.reason",
    )


def take_back(run: Run) -> None:
    """Say that no value is led back after all: it was admitted once, and is no longer."""
    if condition_of(run.status, UNMASKING) is not None:
        run.draft.set(
            UNMASKING, False, "NotAdmitted", "no value is led back: condition Admitted says why"
        )


def _what(case: MaskingCase) -> str:
    number = len(case.spec.tokens)
    if number:
        return f"{number} token{'s' if number > 1 else ''} of {case.source_label}"
    names = [f'"{name}"' for name, rule in case.rule_of.items() if rule.key_use is not None]
    plural = "s" if len(names) > 1 else ""
    return f"column{plural} {listed(names, _SHOWN)} of {case.source_label}"


def _who(run: Run) -> str:
    told = run.owner.annotations.get(REQUESTER_ANNOTATION, "")[:_MAX_NAME]
    asked = "".join(letter for letter in told if letter.isprintable())
    if asked:
        return f"{asked} asked for it, as they say"
    return "who asked for it stands in the audit log of the API server"
