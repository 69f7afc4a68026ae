"""Reading the conditions of a resource."""

from __future__ import annotations

from dataclasses import dataclass

from leeward.cli.port import Manifest


@dataclass(frozen=True, slots=True)
class ConditionView:
    """One condition, as far as it may be relied on.

    Attributes:
        current: Whether it is about the present generation of the spec.
    """

    type: str
    status: str
    reason: str
    message: str
    since: str
    current: bool

    @property
    def holds(self) -> bool:
        """Whether it is true of the present generation."""
        return self.current and self.status == "True"


def conditions_of(resource: Manifest) -> list[ConditionView]:
    """All conditions, in the order of the status."""
    generation = resource["metadata"].get("generation", 0)
    found = resource.get("status", {}).get("conditions", [])
    return [
        ConditionView(
            c["type"],
            c["status"],
            c.get("reason", ""),
            c.get("message", ""),
            c.get("lastTransitionTime", ""),
            c.get("observedGeneration", generation) >= generation,
        )
        for c in found
    ]


def condition_of(resource: Manifest, type_: str) -> ConditionView | None:
    """The condition of that type, or None."""
    return next((c for c in conditions_of(resource) if c.type == type_), None)


def in_words(condition: ConditionView | None) -> str:
    """Reason and message in one line."""
    if condition is None:
        return "the operator has not looked at it yet"
    return f"{condition.reason}: {condition.message}" if condition.message else condition.reason
