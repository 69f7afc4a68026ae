"""Who looked at what: a changed resource wakes those whose last plan looked at it.

A MaskingJob that waits for its Dataset is taken up when the Dataset changes, without polling. The
index is made of what plans ask to see, so no kind has to declare what it refers to; a finished
resource, of which the plan looks at nothing, drops out by itself.
"""

from collections.abc import Iterable

from leeward.engine.inventory import Key


class References:
    """Key -> keys that looked at it in their last reconcile."""

    def __init__(self) -> None:
        self._looked_at: dict[Key, frozenset[Key]] = {}
        self._dependants: dict[Key, set[Key]] = {}

    def set(self, key: Key, targets: Iterable[Key]) -> None:
        """Record what the last plan of ``key`` looked at, itself left out."""
        after = frozenset(target for target in targets if target != key)
        before = self._looked_at.get(key, frozenset())
        if after == before:
            return
        for target in before - after:
            dependants = self._dependants[target]
            dependants.discard(key)
            if not dependants:
                del self._dependants[target]
        for target in after - before:
            self._dependants.setdefault(target, set()).add(key)
        if after:
            self._looked_at[key] = after
        else:
            del self._looked_at[key]

    def remove(self, key: Key) -> None:
        """Forget a resource that is gone. Who looked at it is still to be woken if it returns."""
        self.set(key, ())

    def dependants(self, key: Key) -> tuple[Key, ...]:
        """Those to reconcile when ``key`` changes."""
        return tuple(self._dependants.get(key, ()))
