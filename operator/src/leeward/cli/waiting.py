"""``leeward wait``: until a condition holds, with a progress bar, ending at once on failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from leeward.api import Kind
from leeward.cli.conditions import ConditionView, condition_of, in_words
from leeward.cli.errors import CliError, UsageError
from leeward.cli.kinds import resource_of
from leeward.cli.listing import missing
from leeward.cli.output import counted
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session

POLL_SECONDS: Final = 0.5
WORKLOAD_CONDITIONS: Final = ("Ready", "Complete", "Admitted", "Running", "Failed")
CONDITIONS: Final = ("Ready",)
DELIVERY_CONDITIONS: Final = ("Ready", "Admitted", "Acknowledged")


class WaitedOutError(CliError):
    """The time is over.

    Attributes:
        resource: As it was then.
    """

    def __init__(self, message: str, remedy: str, resource: Manifest) -> None:
        super().__init__(message, remedy)
        self.resource: Final = resource


def _conditions_of(kind: Kind) -> tuple[str, ...]:
    if kind.kind == "KeyDelivery":
        return DELIVERY_CONDITIONS
    return WORKLOAD_CONDITIONS if kind.is_workload else CONDITIONS


def wait_for(
    session: Session,
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    name: str,
    condition: str,
    timeout: float,
) -> Manifest:
    """Wait until the condition is true of the present generation; return the resource.

    Raises:
        UsageError: The kind has no such condition.
        CliError: It failed, was deleted, or did not come to it in ``timeout`` seconds; the message
            has reason and remedy from its conditions.
    """
    allowed = _conditions_of(kind)
    by_lower = {known.lower(): known for known in allowed}
    if condition.lower() not in by_lower:
        raise UsageError(
            f"a {kind.kind} has no condition {condition!r}", f"use one of {', '.join(allowed)}"
        )
    wanted = by_lower[condition.lower()]

    def reached(resource: Manifest) -> bool:
        found = condition_of(resource, wanted)
        if found is not None and found.holds:
            return True
        _raise_if_failed(kind, name, resource)
        return False

    resource = watch(session, cluster, kind, namespace, name, timeout, f"{wanted}", reached)
    found = condition_of(resource, wanted)
    session.err.print(f"{kind.kind.lower()}/{name}: {wanted} ({found.reason if found else ''})")
    return resource


def watch(
    session: Session,
    cluster: Cluster,
    kind: Kind,
    namespace: str,
    name: str,
    timeout: float,
    goal: str,
    reached: Callable[[Manifest], bool],
    shown: Callable[[Manifest], bool] = lambda resource: True,
    told_by: str = "Ready",
) -> Manifest:
    """Look at a resource again and again, showing its progress, until ``reached`` says so.

    Args:
        session: Clock and output.
        cluster: Where it is.
        kind: Of the resource.
        namespace: Of the resource.
        name: Of the resource.
        timeout: Seconds at most.
        goal: What is waited for, in words.
        reached: Whether it is there.
        shown: Which states are worth showing.
        told_by: The condition that says what it waits for.

    Raises:
        WaitedOutError: The time is over.
        CliError: There is none, or it was deleted.
    """
    deadline = session.clock.monotonic() + timeout
    limit = counted(round(timeout), "second")
    seen: Manifest | None = None
    with _shown(session, f"{kind.kind.lower()}/{name}") as show:
        while True:
            resource = cluster.find(resource_of(kind), namespace, name)
            if resource is None:
                if seen is not None:
                    raise CliError(f"{kind.kind} {name} was deleted meanwhile")
                raise missing(kind, namespace, name)
            seen = resource
            if shown(resource):
                show(resource)
            if reached(resource):
                return resource
            if session.clock.monotonic() >= deadline:
                why = condition_of(resource, told_by) or condition_of(resource, "Ready")
                state = in_words(why)
                raise WaitedOutError(
                    f"{kind.kind} {name} did not come to {goal} within {limit}: {state}",
                    f"see more: leeward describe {kind.kind.lower()} {name} -n {namespace}",
                    resource,
                )
            session.clock.sleep(POLL_SECONDS)


def _raise_if_failed(kind: Kind, name: str, resource: Manifest) -> None:
    failed = condition_of(resource, "Failed")
    if failed is not None and failed.holds:
        raise CliError(f"{kind.kind} {name} failed: {in_words(failed)}")


@contextmanager
def _shown(session: Session, label: str) -> Iterator[Callable[[Manifest], None]]:
    if not session.err.is_terminal:
        yield _PlainProgress(session, label)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=session.err, transient=True) as progress:
        task = progress.add_task(label, total=None, state="")
        yield lambda resource: _update(progress, task, resource)


def _update(progress: Progress, task: TaskID, resource: Manifest) -> None:
    """Move the bar to where the resource is."""
    found: dict[str, Any] = resource.get("status", {}).get("progress") or {}
    progress.update(
        task, completed=found.get("done", 0), total=found.get("total"), state=_state(resource)
    )


class _PlainProgress:
    """One line for each change, where the output is no terminal."""

    def __init__(self, session: Session, label: str) -> None:
        self._session = session
        self._label = label
        self._last = ""

    def __call__(self, resource: Manifest) -> None:
        state = _state(resource)
        if state != self._last:
            self._last = state
            self._session.err.print(f"{self._label}: {state}")


def _state(resource: Manifest) -> str:
    ready = condition_of(resource, "Ready")
    if ready is None:
        return in_words(None)
    progress: dict[str, Any] = resource.get("status", {}).get("progress") or {}
    percent = progress.get("percent", "").removeprefix("?")
    eta = progress.get("etaSeconds")
    parts = [ready.reason if ready.current else "changed, not looked at yet", percent]
    if eta:
        parts.append(f"{eta} s left")
    if _is_worth_reading(ready):
        parts.append(ready.message)
    return " ".join(part for part in parts if part)


def _is_worth_reading(ready: ConditionView) -> bool:
    return ready.current and ready.status == "False" and ready.reason not in ("Running", "Admitted")
