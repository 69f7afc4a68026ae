"""Answers of the API server that are none, as errors with their remedy."""

from __future__ import annotations

import json
import socket
from typing import Any, Final

from websocket import WebSocketBadStatusException

from leeward.cli.errors import FORBIDDEN, ApiError
from leeward.cli.rights import remedy_for

INSTALL_REMEDY: Final = (
    "install the chart (helm upgrade --install leeward charts/leeward --namespace leeward-system"
    " --create-namespace), then run: leeward doctor"
)
LOG_IN_REMEDY: Final = "log in to the cluster again, or choose another --context"
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404


class NoSuchObjectError(ApiError):
    """The kind is known to the API server, and there is no object of that name."""


def refused(status: int, body: bytes) -> ApiError:
    """The error behind an answer.

    Args:
        status: HTTP status, 400 or more.
        body: A metav1.Status, or whatever a proxy in between says.
    """
    try:
        document: dict[str, Any] = json.loads(body)
        message = str(document["message"])
    except (ValueError, KeyError, TypeError):
        document, message = {}, f"the API server answered with HTTP status {status}"
    if status == NOT_FOUND and not document.get("details", {}).get("name"):
        return ApiError(
            status, "the API server does not know this kind of resource", INSTALL_REMEDY
        )
    if status == NOT_FOUND:
        return NoSuchObjectError(status, message)
    if status == FORBIDDEN:
        return ApiError(status, message, remedy_for(message))
    return ApiError(status, message, LOG_IN_REMEDY if status == UNAUTHORIZED else "")


def refused_stream(error: Exception) -> ApiError:
    """The error behind a WebSocket that was not opened.

    Args:
        error: What the client raised while it handled the true one.
    """
    answer = error.__context__
    if isinstance(answer, WebSocketBadStatusException):
        found = refused(answer.status_code, answer.resp_body or b"")
        status, why, remedy = found.status, found.message, found.remedy
    else:
        status, why, remedy = 0, first_line(answer or error), ""
    return ApiError(
        status, f"no connection to the pod: {why}", remedy or "check that the pod still runs"
    )


def first_line(error: object) -> str:
    """What an error of a library says, for a sentence: that of the system, where that is behind."""
    while isinstance(error, BaseException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
