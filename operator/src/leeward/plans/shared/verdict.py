"""What an admission check finds, and the words for faults that several kinds can meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from leeward.plans.shared.model import KeyFault, Need, ProviderFault


@dataclass(frozen=True, slots=True)
class Denied:
    """A check that does not pass.

    Attributes:
        reason: Of the condition: stable, CamelCase.
        message: What is wrong and what to do.
    """

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A check that has to see more before it can tell."""

    needs: tuple[Need, ...]


NOT_GRANTED: Final = frozenset(
    {"NotGranted", "KeyNotGranted", "KeyOfOtherDataset", "GrantCountDamaged"}
)
"""Reasons that say that somebody was denied data or a key."""

Verdict = Denied | Unseen | None


def named_anew(kind: str, field: str) -> str:
    """What to do where a field that cannot be changed names the wrong thing."""
    return f"{field} cannot be changed: to name another one, delete the {kind} and create it again"


"""None: the check passes."""

_KEY_FAULTS: Final[Mapping[KeyFault | None, str]] = {
    "RootKeyLost": (
        "the operator's root key is gone while keys wrapped by it exist, so none of them opens and"
        " no new root key is made: restore it from its shares (leeward root-key restore), or the"
        " Secret leeward-root-key in the operator's namespace from a backup"
    ),
    "RootKeyReplaced": (
        "the keys are wrapped by another root key than the one that is there: add the earlier one"
        " from its shares (leeward root-key restore --add), or restore the earlier Secret"
        " leeward-root-key in the operator's namespace from a backup"
    ),
    "Damaged": (
        "the stored keys are damaged and do not open: restore their Secret in the operator's"
        " namespace from a backup"
    ),
}


def key_fault(fault: KeyFault | ProviderFault | None) -> Denied:
    """What to say of wrapped keys that do not open."""
    if isinstance(fault, ProviderFault):
        return Denied(fault.reason, f"{fault.message}. {fault.remedy}")
    reason = "RootKeyLost" if fault == "RootKeyLost" else "KeysetUnreadable"
    return Denied(reason, _KEY_FAULTS.get(fault, _KEY_FAULTS["Damaged"]))
