"""Working through a list of actions that is made anew in each round of a reconcile."""

from collections.abc import Iterable
from dataclasses import dataclass

from leeward.plans.shared.model import (
    Action,
    DeleteSecret,
    Manifest,
    Observed,
    Outcome,
    ShredArtefactKey,
)


@dataclass(frozen=True, slots=True)
class Progression:
    """How far a list of actions is.

    Attributes:
        pending: What is still to be done, in order.
        failed: The first action that did not end well, and how it ended.
    """

    pending: tuple[Action, ...] = ()
    failed: tuple[Action, Outcome] | None = None


def progress(observed: Observed, actions: Iterable[Action]) -> Progression:
    """Which of the actions are still to be done, and whether one of them failed."""
    pending: list[Action] = []
    for action in actions:
        outcome = observed.done(action)
        if outcome is None:
            pending.append(action)
        elif not _good(action, outcome):
            return Progression(failed=(action, outcome))
    return Progression(tuple(pending))


def _good(action: Action, outcome: Outcome) -> bool:
    if outcome.code == "Done":
        return True
    match action:
        case DeleteSecret() | ShredArtefactKey():
            return outcome.code in {"Missing", "Conflict"}
        case _:
            return False


def matches(actual: object, desired: object) -> bool:
    """Whether an object of the API server still says what was applied.

    Fields that the API server or others added are no difference; empty lists and maps, which it
    leaves out, neither.
    """
    if isinstance(desired, dict):
        if not desired:
            return not actual
        return isinstance(actual, dict) and all(
            matches(actual.get(name), value) for name, value in desired.items()
        )
    if isinstance(desired, list):
        if not desired:
            return not actual
        return (
            isinstance(actual, list)
            and len(actual) == len(desired)
            and all(matches(a, d) for a, d in zip(actual, desired, strict=True))
        )
    return actual == desired


def drifted(observed_object: Manifest | None, desired: Manifest) -> bool:
    """Whether the object has to be applied (again)."""
    return observed_object is None or not matches(observed_object, desired)
