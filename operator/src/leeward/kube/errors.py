"""Errors of the Kubernetes API, mapped once, here.

    RefusedError            the API server said no; each maps to an Outcome
    ├── NotFoundError       404
    ├── AlreadyExistsError  409, reason AlreadyExists
    ├── ForbiddenError      403 by RBAC: the operator has no right here
    └── InvalidError        400, 403 (quota, Pod Security, admission), 405, 413, 415, 422

A 409 with another reason is a ``StaleWriteError``; 401, 408, 429, 5xx, time-outs and broken
connections are ``TransientError`` (both in ``plans.shared.faults``).
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from leeward.plans.shared.faults import FaultError, StaleWriteError, TransientError
from leeward.plans.shared.model import Outcome, OutcomeCode

_TRANSIENT: Final = frozenset({401, 408, 425, 429})
_RBAC: Final = re.compile(r"is forbidden: User \S+ cannot ")
_VALUE: Final = re.compile(
    r"((?:Invalid|Unsupported|Duplicate) value: )(?:\"(?:[^\"\\]|\\.)*\"|\{.*?\}(?=: )|\S+?(?=:|$))"
)
_MESSAGE_LIMIT: Final = 1000


class RefusedError(Exception):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: The machine-readable reason (metav1.StatusReason), possibly empty.
    """

    code: OutcomeCode = "Invalid"

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFoundError(RefusedError):
    """The object (or, on create, its namespace) does not exist."""

    code = "Missing"


class AlreadyExistsError(RefusedError):
    """An object with that name exists."""

    code = "Conflict"


class ForbiddenError(RefusedError):
    """The operator has no right to do this here."""

    code = "Forbidden"


class InvalidError(RefusedError):
    """The object was refused: schema, quota, Pod Security, or an admission policy."""

    code = "Invalid"


def outcome_of(error: RefusedError) -> Outcome:
    """The outcome that a plan is told."""
    return Outcome(error.code, str(error))


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> RefusedError | FaultError:
    """The error for an answer with an HTTP status of 400 or more.

    Args:
        status: HTTP status code.
        body: The answer: a metav1.Status, or anything at all from a proxy on the way.
        headers: Of the answer; ``Retry-After`` counts.
    """
    document = _document(body)
    reason = str(document.get("reason") or "")
    message = without_values(str(document.get("message") or f"HTTP status {status}"))
    if status in _TRANSIENT or status >= 500:
        return TransientError(message, _retry_after(document, headers))
    if status == 404:
        return NotFoundError(message, status, reason)
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExistsError(message, status, reason)
        return StaleWriteError(message)
    if status == 403 and _RBAC.search(message):
        return ForbiddenError(message, status, reason)
    return InvalidError(message, status, reason)


def without_values(message: str) -> str:
    """A message of the API server without the values that it quotes from the object."""
    return _VALUE.sub(r"\1(not shown)", message)[:_MESSAGE_LIMIT]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(document: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    details = document.get("details")
    told = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    told = told or headers.get("Retry-After")
    try:
        return float(told) if told else None
    except (TypeError, ValueError):
        return None
