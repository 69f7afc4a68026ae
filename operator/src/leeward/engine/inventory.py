"""What there is: every resource of ours that a watch has shown, and how it stands.

It holds keys and conditions, never bodies: ten thousand resources take a few megabytes.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from leeward.plans.shared.model import Manifest

Standing: TypeAlias = tuple[tuple[str, str], ...]
"""(condition type, condition status) of one resource."""


class Key(NamedTuple):
    """One resource of ours."""

    kind: str
    namespace: str
    name: str


def key_of(body: Manifest) -> Key:
    """The key of a resource, read from its manifest."""
    metadata = body["metadata"]
    return Key(body["kind"], metadata["namespace"], metadata["name"])


def is_awaited(body: Manifest) -> bool:
    """Whether somebody waits for this resource: it was not acted on yet, or runs."""
    status = body.get("status", {})
    if status.get("observedGeneration") != body["metadata"].get("generation"):
        return True
    return any(
        c["type"] == "Running" and c["status"] == "True" for c in status.get("conditions", ())
    )


class Inventory:
    """Keys with their conditions, and counts of both."""

    def __init__(self) -> None:
        self._awaited: set[Key] = set()
        self._standing: dict[Key, Standing] = {}
        self._shared: dict[Standing, Standing] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._standing)

    def __contains__(self, key: Key) -> bool:
        return key in self._standing

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._standing))

    def put(self, key: Key, body: Manifest) -> None:
        """Remember a resource as it is now."""
        if is_awaited(body):
            self._awaited.add(key)
        else:
            self._awaited.discard(key)
        conditions = body.get("status", {}).get("conditions", ())
        standing = tuple(sorted((c["type"], c["status"]) for c in conditions))
        # Most resources stand the same: one tuple serves all of them.
        standing = self._shared.setdefault(standing, standing)
        before = self._standing.get(key)
        if before is standing:
            return
        self._count(key.kind, before, -1)
        self._count(key.kind, standing, 1)
        self._standing[key] = standing

    def remove(self, key: Key) -> None:
        """Forget a resource that is gone."""
        self._awaited.discard(key)
        self._count(key.kind, self._standing.pop(key, None), -1)

    def awaits(self, key: Key) -> bool:
        """Whether somebody waits for it (see ``is_awaited``)."""
        return key in self._awaited

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many resources there are by (kind, condition type, condition status)."""
        return dict(self._counts)

    def _count(self, kind: str, standing: Standing | None, by: int) -> None:
        for condition, status in standing or ():
            self._counts[kind, condition, status] += by
