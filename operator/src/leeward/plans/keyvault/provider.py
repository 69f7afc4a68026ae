"""How a vault stands with the Transit key that wraps its keys.

Keys that the operator holds in memory stay in use while the server is away, so a vault is Ready as
long as all of its keys are open; condition ProviderAvailable says how the server is.
"""

import dataclasses
from typing import Final

from leeward.formats.provider import TransitSettings
from leeward.plans.shared.conditions import StatusDraft, backoff
from leeward.plans.shared.model import (
    KeysetInfo,
    Observed,
    Outcome,
    Plan,
    ProviderFault,
    TendKeyset,
    TendResult,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.verdict import key_fault

CONDITION: Final = "ProviderAvailable"
LOOK: Final = 300.0
"""Seconds between two looks at a Transit key: a newer version of it is used from the next one."""
_SOON: Final = 0.5


def latest(observed: Observed, info: KeysetInfo) -> KeysetInfo:
    """The keyset after its Transit key was asked."""
    for action, outcome in observed.outcomes.items():
        if isinstance(action, TendKeyset) and isinstance(outcome.result, TendResult):
            info = outcome.result.info
    return info


def tend(
    owner: Owner, draft: StatusDraft, transit: TransitSettings, observed: Observed
) -> Plan | float:
    """Ask the Transit key; once it was asked, say how it is.

    Returns:
        The plan that asks, or the seconds until it is to be asked again.
    """
    action = TendKeyset(owner.namespace, owner.name)
    outcome = observed.done(action)
    if outcome is None:
        return Plan(draft.status, actions=(action,))
    if isinstance(outcome.result, TendResult):
        return _available(draft, transit, outcome.result)
    return unavailable(draft, outcome)


def unavailable(draft: StatusDraft, outcome: Outcome) -> float:
    """Say that it does not wrap or unwrap; seconds until the next look."""
    if outcome.code != "Unreadable":
        return backoff(0.0)
    fault = key_fault(outcome.result)
    if isinstance(outcome.result, ProviderFault):
        held = " Keys that the operator holds in memory stay in use."
        fault = dataclasses.replace(fault, message=fault.message + held)
    draft.set(CONDITION, False, fault.reason, fault.message)
    return backoff(draft.seconds_since(CONDITION))


def sooner(plan: Plan, seconds: float) -> Plan:
    """The same plan, which looks again in so many seconds at the latest."""
    after = plan.requeue_after
    return dataclasses.replace(
        plan, requeue_after=seconds if after is None else min(after, seconds)
    )


def _available(draft: StatusDraft, transit: TransitSettings, result: TendResult) -> float:
    warnings = "".join(f". {warning.removesuffix('.')}" for warning in result.warnings)
    if result.left:
        draft.set(
            CONDITION,
            True,
            "Rewrapping",
            f"{result.left} vault keys are still to be wrapped by the newest version of"
            f" {transit.place}; this goes on by itself{warnings}",
        )
        return _SOON
    draft.set(
        CONDITION,
        True,
        "Available",
        f"every vault key is wrapped by the newest version of {transit.place}{warnings}",
    )
    return LOOK
