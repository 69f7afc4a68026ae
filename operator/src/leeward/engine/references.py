"""Who looked at what: a changed resource wakes those whose last plan saw it otherwise.

A MaskingJob that waits for its Dataset is taken up when the Dataset changes, without polling. The
index is made of what plans ask to see, so no kind has to declare what it refers to; a finished
resource, of which the plan looks at nothing, drops out by itself. With each look a digest is kept
of what was seen, so that what does not matter to a plan (``plans.shared.relevance``) wakes nobody.
"""

from collections.abc import Mapping

from leeward.engine.inventory import Key


class References:
    """Key -> keys that looked at it in their last reconcile, and what they saw."""

    def __init__(self) -> None:
        self._looked_at: dict[Key, dict[Key, int]] = {}
        self._dependants: dict[Key, set[Key]] = {}

    def set(self, key: Key, targets: Mapping[Key, int]) -> None:
        """Record what the last plan of ``key`` looked at, itself left out, and what it saw."""
        after = {target: digest for target, digest in targets.items() if target != key}
        before = self._looked_at.get(key, {})
        for target in before.keys() - after.keys():
            dependants = self._dependants[target]
            dependants.discard(key)
            if not dependants:
                del self._dependants[target]
        for target in after.keys() - before.keys():
            self._dependants.setdefault(target, set()).add(key)
        if after:
            self._looked_at[key] = after
        else:
            self._looked_at.pop(key, None)

    def remove(self, key: Key) -> None:
        """Forget a resource that is gone. Who looked at it is still to be woken if it returns."""
        self.set(key, {})

    def seen(self, key: Key, target: Key) -> int | None:
        """The digest of what the last plan of ``key`` saw there; None: it did not look."""
        return self._looked_at.get(key, {}).get(target)

    def dependants(self, key: Key) -> tuple[Key, ...]:
        """Those to reconcile when ``key`` changes in what matters to them."""
        return tuple(self._dependants.get(key, ()))
