"""Errors of the engine itself. What comes from outside is in ``plans.shared.faults``.

EngineError
├── TooManyRoundsError  a plan asked for step after step without an end
└── UnknownStepError    a plan asked for a need or an action that the engine does not know
"""

import traceback


class EngineError(Exception):
    """A plan broke the rules of the loop: a fault in the planner, not in the world."""


class TooManyRoundsError(EngineError):
    """A plan did not settle within the rounds of one reconcile."""


class UnknownStepError(EngineError):
    """A plan named a need or an action that nobody carries out."""


def described(error: BaseException) -> dict[str, object]:
    """What may be logged of an unforeseen error: type and place, for its text may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return {
        "error": type(error).__name__,
        "frames": [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in frames],
    }
