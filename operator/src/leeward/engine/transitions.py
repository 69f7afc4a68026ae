"""Which condition changes are worth an event."""

from typing import Final

from leeward.plans.shared.model import Event, Manifest

_BAD_WHEN_TRUE: Final = frozenset({"Failed", "ReportLost", "ShredPending"})
_BAD_WHEN_FALSE: Final = frozenset({"Ready", "Admitted", "Acknowledged"})


def condition_events(
    before: Manifest, after: Manifest, *, workload: bool, progress: frozenset[str]
) -> tuple[Event, ...]:
    """Events for the conditions that changed their status or reason.

    A resource whose first word is that all is well gets none: a thousand vaults made at once cost
    no event each. A workload gets one for each step, for that is what its user follows.

    Args:
        before: The status as it was.
        after: The status as it is written.
        workload: Whether the kind runs something.
        progress: Reasons that say "not yet": no warning, though the condition is False.
    """
    known = {c["type"]: (c["status"], c["reason"]) for c in before.get("conditions", ())}
    events: dict[str, Event] = {}
    for condition in after.get("conditions", ()):
        was = known.get(condition["type"])
        if was == (condition["status"], condition["reason"]):
            continue
        if workload and condition["type"] == "Ready":
            continue  # it mirrors the others
        bad = _is_bad(condition) and condition["reason"] not in progress
        if was is None and not bad and not (workload and condition["status"] == "True"):
            continue
        # One step often moves several conditions, and gives them one reason.
        event = Event("Warning" if bad else "Normal", condition["reason"], condition["message"])
        if bad or condition["reason"] not in events:
            events[condition["reason"]] = event
    return tuple(events.values())


def _is_bad(condition: Manifest) -> bool:
    if condition["type"] in _BAD_WHEN_TRUE:
        return bool(condition["status"] == "True")
    return condition["type"] in _BAD_WHEN_FALSE and bool(condition["status"] == "False")
