"""The status that a plan writes: conditions (metav1.Condition) and observedGeneration."""

import datetime
from typing import Any, Final

from leeward.plans.shared.model import Context, Manifest
from leeward.plans.shared.names import Owner

MAX_MESSAGE: Final = 2048
NOT_YET: Final = frozenset(
    {
        "AwaitingConsumers",
        "AwaitingData",
        "AwaitingSource",
        "Inspecting",
        "Publishing",
        "Reencrypting",
    }
)
"""Reasons of a condition that is False and is no fault: something takes its time."""
_NOT_ENABLED: Final = "NamespaceNotEnabled"
_SOON: Final = 15.0
"""Seconds to the next look at what just went wrong, and always at whether a namespace is enabled by
now, of which no watch tells."""


def timestamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> datetime.datetime:
    """The moment that an RFC 3339 time names; one without an offset is UTC.

    Raises:
        ValueError: It is not such a time.
    """
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def condition_of(status: Manifest, type_: str) -> Manifest | None:
    """The condition of this type, or None."""
    for condition in status.get("conditions") or ():
        if condition["type"] == type_:
            found: Manifest = condition
            return found
    return None


def is_true(status: Manifest, type_: str) -> bool:
    """Whether the condition of this type is there and True."""
    condition = condition_of(status, type_)
    return condition is not None and condition["status"] == "True"


def is_over(status: Manifest) -> bool:
    """Whether a workload has ended: it never gets another Job."""
    return is_true(status, "Complete") or is_true(status, "Failed")


def _copied(value: Any) -> Any:
    """A copy of a JSON document, at a fifth of what ``copy.deepcopy`` takes."""
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(member) for member in value] if isinstance(value, list) else value


class StatusDraft:
    """The status of one resource while a plan is made.

    Attributes:
        status: A copy of the stored status, changed by the plan.
    """

    def __init__(self, resource: Manifest, context: Context) -> None:
        self.status: Manifest = _copied(resource.get("status") or {})
        self._stored: Manifest = resource.get("status") or {}
        self._generation = Owner.of(resource).generation
        self._now = context.now
        self.status["observedGeneration"] = self._generation

    def set(self, type_: str, value: bool | None, reason: str, message: str) -> None:
        """Set a condition; its transition time moves only where its status changes.

        Args:
            type_: Type of the condition.
            value: None stands for Unknown.
            reason: Stable, CamelCase.
            message: What is the case, and where something is wrong what to do.
        """
        text = {True: "True", False: "False", None: "Unknown"}[value]
        conditions = self.status.setdefault("conditions", [])
        old = condition_of(self.status, type_)
        # As stored: a plan may say one thing first and another in the end.
        stored = condition_of(self._stored, type_)
        changed = stored is None or stored["status"] != text
        new = {
            "type": type_,
            "status": text,
            "reason": reason,
            "message": message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…",
            "lastTransitionTime": timestamp(self._now)
            if changed or stored is None
            else stored["lastTransitionTime"],
            "observedGeneration": self._generation,
        }
        if old is None:
            conditions.append(new)
        else:
            conditions[conditions.index(old)] = new

    def drop(self, type_: str) -> None:
        """Remove a condition that says nothing any more."""
        kept = [c for c in self.status.get("conditions") or () if c["type"] != type_]
        self.status["conditions"] = kept

    def put(self, **fields: object) -> None:
        """Set fields of the status (camelCase); None removes one."""
        for name, value in fields.items():
            if value is None:
                self.status.pop(name, None)
            else:
                self.status[name] = value

    def differs(self, *fields: str) -> bool:
        """Whether one of these fields is not stored yet as it stands here."""
        return any(self.status.get(name) != self._stored.get(name) for name in fields)

    def seconds_since(self, type_: str) -> float:
        """How long the condition has had its status; 0 where it is new."""
        condition = condition_of(self.status, type_)
        if condition is None:
            return 0.0
        since = parse_timestamp(condition["lastTransitionTime"])
        return max(0.0, (self._now - since).total_seconds())

    def next_look(self, type_: str) -> float:
        """Seconds after which to look again at what this condition says is wrong."""
        reason, before = (
            (condition_of(status, type_) or {}).get("reason")
            for status in (self.status, self._stored)
        )
        # How long it has been False says nothing of a reason that is new.
        if reason == _NOT_ENABLED or reason != before:
            return _SOON
        return backoff(self.seconds_since(type_), _SOON)


def backoff(seconds_waited: float, shortest: float = 15.0, longest: float = 300.0) -> float:
    """When to look again at something that has been wrong for so long: about as long again."""
    return min(longest, max(shortest, seconds_waited))
