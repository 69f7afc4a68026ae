import json

import pytest

from leeward.kube.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RefusedError,
    error_of,
    outcome_of,
    without_values,
)
from leeward.plans.shared.faults import StaleWriteError, TransientError


def _error(status: int, reason: str = "", message: str = "", **headers: str) -> Exception:
    body = {"kind": "Status", "reason": reason, "message": message}
    return error_of(status, json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind", "code"),
    [
        (404, "NotFound", 'secrets "x" not found', NotFoundError, "Missing"),
        (409, "AlreadyExists", 'secrets "x" already exists', AlreadyExistsError, "Conflict"),
        (
            403,
            "Forbidden",
            'secrets is forbidden: User "system:serviceaccount:a:b" cannot create resource',
            ForbiddenError,
            "Forbidden",
        ),
        (403, "Forbidden", 'pods "x" is forbidden: exceeded quota: q', InvalidError, "Invalid"),
        (403, "Forbidden", 'pods "x" is forbidden: violates PodSecurity', InvalidError, "Invalid"),
        (422, "Invalid", "spec.x: Required value", InvalidError, "Invalid"),
        (413, "", "too large", InvalidError, "Invalid"),
    ],
)
def test_a_refusal_becomes_an_outcome(
    status: int, reason: str, message: str, kind: type[RefusedError], code: str
) -> None:
    error = _error(status, reason, message)
    assert type(error) is kind
    assert isinstance(error, RefusedError)
    assert outcome_of(error).code == code
    assert outcome_of(error).message == message


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_transient(status: int) -> None:
    assert isinstance(_error(status), TransientError)


def test_a_conflict_of_versions_is_a_stale_write() -> None:
    assert isinstance(_error(409, "Conflict", "the object has been modified"), StaleWriteError)


def test_the_wait_that_was_asked_for_is_kept() -> None:
    from_header = _error(429, **{"Retry-After": "7"})
    assert isinstance(from_header, TransientError)
    assert from_header.retry_after == 7
    body = json.dumps({"details": {"retryAfterSeconds": 3}}).encode()
    from_body = error_of(503, body, {})
    assert isinstance(from_body, TransientError)
    assert from_body.retry_after == 3
    unreadable = error_of(429, b"", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert isinstance(unreadable, TransientError)
    assert unreadable.retry_after is None


def test_an_answer_that_is_no_status_is_understood_by_its_code() -> None:
    assert isinstance(error_of(502, b"<html>Bad Gateway</html>", {}), TransientError)
    assert isinstance(error_of(404, b"[]", {}), NotFoundError)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'Secret "x" is invalid: data[a]: Invalid value: "c2VjcmV0": must be shorter',
            'Secret "x" is invalid: data[a]: Invalid value: (not shown): must be shorter',
        ),
        (
            'spec.a: Unsupported value: "Anna \\"B\\" C": supported values: "X", "Y"',
            'spec.a: Unsupported value: (not shown): supported values: "X", "Y"',
        ),
        (
            'spec: Invalid value: {"a":"secret"}: no',
            "spec: Invalid value: (not shown): no",
        ),
        ("spec.n: Invalid value: 17: too many", "spec.n: Invalid value: (not shown): too many"),
        ("spec.x: Required value", "spec.x: Required value"),
    ],
)
def test_values_that_the_api_server_quotes_are_not_repeated(message: str, shown: str) -> None:
    assert without_values(message) == shown


def test_a_message_without_end_is_cut() -> None:
    assert len(without_values("x" * 100_000)) == 1000
