"""Errors of the engine itself. What comes from outside is in ``plans.shared.faults``.

EngineError
├── TooManyRoundsError  a plan asked for step after step without an end
└── UnknownStepError    a plan asked for a need or an action that the engine does not know
"""


class EngineError(Exception):
    """A plan broke the rules of the loop: a fault in the planner, not in the world."""


class TooManyRoundsError(EngineError):
    """A plan did not settle within the rounds of one reconcile."""


class UnknownStepError(EngineError):
    """A plan named a need or an action that nobody carries out."""
