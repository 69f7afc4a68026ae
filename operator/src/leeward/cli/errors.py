"""What can go wrong in a command: one sentence, the remedy, an exit code.

CliError, exit code 1, is the base of UsageError, exit code 2, and of ApiError, exit code 1.
"""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
FORBIDDEN: Final = 403
"""Status of an ``ApiError``: the user has no right to it."""
CONFLICT: Final = 409
"""Status of an ``ApiError``: what was to be written has changed, or is there, by now."""


class CliError(Exception):
    """The command failed.

    Attributes:
        message: What is wrong, without values from data or keys.
        remedy: What to do about it; may be empty.
    """

    exit_code = FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(CliError):
    """The command line makes no sense."""

    exit_code = USAGE


class ApiError(CliError):
    """The API server refused a request, or could not be reached.

    Attributes:
        status: HTTP status; 0 where there was no answer.
    """

    def __init__(self, status: int, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status
