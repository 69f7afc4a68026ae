"""Waiting until a Dataset speaks of a file that was brought to its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from leeward.api.dataset import DATASET, INSPECT_ANNOTATION
from leeward.cli.conditions import condition_of, in_words
from leeward.cli.datasets import find_dataset
from leeward.cli.errors import CliError
from leeward.cli.kinds import resource_of
from leeward.cli.output import byte_size
from leeward.cli.port import Cluster, Manifest
from leeward.cli.session import Session
from leeward.cli.waiting import WaitedOutError, watch

_AWAITING: Final = "AwaitingData"
"""What a Dataset says of a file that is there since, until it has looked."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came there.

    Attributes:
        size: Bytes.
        digest: What the inspection will find; of a sealed file that of its core.
    """

    size: int
    digest: str


def await_inspection(
    session: Session, cluster: Cluster, namespace: str, name: str, sent: Sent, deadline: float
) -> Manifest:
    """Have the file inspected, and wait until the Dataset speaks of it.

    Raises:
        CliError: It is not usable, or was not inspected before ``deadline`` (of the session's
            monotonic clock); the file stays there.
    """
    last = _inspection(find_dataset(cluster, namespace, name)).get("token")
    annotations = {INSPECT_ANNOTATION: f"put-{session.random(8).hex()}"}
    cluster.annotate(resource_of(DATASET), namespace, name, annotations)
    session.err.print(f"sent {byte_size(sent.size)}; waiting for the inspection")
    try:
        return watch(
            session,
            cluster,
            DATASET,
            namespace,
            name,
            max(1.0, deadline - session.clock.monotonic()),
            "the inspection of this file",
            lambda now: _is_inspected(now, sent, last),
            _Steps(last).is_forward,
        )
    except WaitedOutError as error:
        ready = condition_of(error.resource, "Ready")
        stale = ready is None or ready.reason == _AWAITING or _is_earlier(error.resource, last)
        state = "" if stale else f" ({in_words(ready)})"
        raise CliError(
            f"the file is there, and was not inspected in the time that --timeout gives{state}",
            "it is inspected by itself later; do not send it again, and wait for it: leeward wait"
            f" dataset {name} -n {namespace}",
        ) from error


class _Steps:
    """Which states are a step forward: none of before, and none for a second time."""

    def __init__(self, last: str | None) -> None:
        self._last = last
        self._seen: list[tuple[str, str]] = []

    def is_forward(self, dataset: Manifest) -> bool:
        ready = condition_of(dataset, "Ready")
        if ready is None or ready.reason == _AWAITING or _is_earlier(dataset, self._last):
            return False
        step = (ready.reason, ready.message)
        if step not in self._seen:
            self._seen.append(step)
        return step == self._seen[-1]


def _inspection(dataset: Manifest) -> dict[str, Any]:
    return dataset.get("status", {}).get("inspection") or {}


def _is_earlier(dataset: Manifest, last: str | None) -> bool:
    """Whether it is ready by an inspection of an earlier file, which has the token ``last``."""
    ready = condition_of(dataset, "Ready")
    return ready is not None and ready.holds and _inspection(dataset).get("token") == last


def _is_inspected(dataset: Manifest, sent: Sent, last: str | None) -> bool:
    """Whether the Dataset speaks of this file; ends the command where it speaks against it.

    An inspection of an earlier file has the token ``last``; one with ``retryAt`` is made again.
    """
    inspection = _inspection(dataset)
    ready = condition_of(dataset, "Ready")
    if ready is None or inspection.get("token") == last or "result" not in inspection:
        return False
    same = dataset["status"].get("digest") == sent.digest
    if same and ready.holds:
        return True
    if ready.status == "True" or "retryAt" in inspection:
        return False
    raise CliError(f"the data is there, and is not usable: {in_words(ready)}")
