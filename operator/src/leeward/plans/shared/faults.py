"""Passing faults: what ends a reconcile so that the queue tries it again later.

They are raised, where an ``Outcome`` is returned: a plan can act on an outcome, it can do nothing
about a fault.

    FaultError
    ├── TransientError   429, 5xx, time-outs, a broken connection, a request never answered
    ├── StaleWriteError  the object has changed since it was read (409): read it again
    └── DeniedError      the operator may not read something, or a status is refused: rights, schema
"""


class FaultError(Exception):
    """Base of everything that ends a reconcile and is tried again with back-off.

    The text names what was called and the API server's reason, never a value.
    """


class TransientError(FaultError):
    """It may work if it is tried again.

    Attributes:
        retry_after: Seconds that the other side asked to wait, where it did.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StaleWriteError(FaultError):
    """A write named a resourceVersion that is no longer the newest."""


class DeniedError(FaultError):
    """What the operator must read or write is refused: its Role lacks it, or the CRD is another."""
