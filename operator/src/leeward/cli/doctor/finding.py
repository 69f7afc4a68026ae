"""What the doctor answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from leeward.cli.doctor.facts import Fact


class Level(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    HIDDEN = "not visible"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question."""

    level: Level
    subject: str
    message: str
    remedy: str = ""


def hidden(subject: str, fact: Fact[object]) -> Finding:
    """The answer where the user may not look."""
    return Finding(
        Level.HIDDEN, subject, fact.hidden, "run the doctor as an administrator of the cluster"
    )
