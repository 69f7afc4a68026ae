"""Objects as the API server answered with them a moment ago, so that they are not read again.

A rotation looks at the same few objects in each of its steps, and most of these this process has
written itself. What is kept is replaced by every write of this process, and is dropped as soon as
a watch shows anything newer, or a write ends in a way that leaves it open what is stored. It is
told for half a minute at most, whatever the watches do, and only while nobody else may lead.
Nothing is learnt from a watch, and nothing is remembered about what is not there.

Two who each write something and then look at what the other wrote still cannot miss each other
(``docs/adr/0016-recent-objects.md``): in one process a write is seen by whoever reads after it was
answered; and a process that may have lost the lease is told nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from leeward.plans.shared.model import ObjectRef

MAX_AGE: Final = 30.0
"""Seconds."""
CAPACITY: Final = 32 * 2**20
"""Bytes."""

Answered: TypeAlias = Callable[[str, bytes], None]
"""Takes the resourceVersion of an object that a request was answered with, and the object."""


@dataclass(slots=True, eq=False)
class _Sent:
    """A request about an object that has not been answered.

    Attributes:
        at: When it was sent, in seconds of a monotonic clock.
        era: How often all was forgotten before that.
        newest: The newest version that was shown meanwhile.
        spoilt: Whether its answer says nothing about the object as it is now.
    """

    at: float
    era: int
    newest: int = -1
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer.

    Attributes:
        at: When the request was sent.
        version: resourceVersion of the object.
        answer: The object, as JSON.
    """

    at: float
    version: int
    answer: bytes


class RecentObjects:
    """The last answers, as bytes: who reads one gets a document of his own."""

    def __init__(
        self,
        remembers: Callable[[ObjectRef], bool],
        trusted: Callable[[], bool],
        elapsed: Callable[[], float],
    ) -> None:
        """Make an empty one.

        Args:
            remembers: Which objects it is for.
            trusted: Whether no other process may lead now.
            elapsed: Seconds of a clock that never goes back, and goes on while the machine sleeps.
        """
        self._remembers = remembers
        self._trusted = trusted
        self.elapsed = elapsed
        self._bytes = 0
        self._kept: dict[ObjectRef, _Kept] = {}
        self._sent: dict[ObjectRef, list[_Sent]] = {}
        self._era = 0

    def find(self, ref: ObjectRef) -> bytes | None:
        """The object as JSON, if it is known how it is."""
        found = self._kept.get(ref)
        return found.answer if found is not None and self.holds_since(found.at) else None

    def holds_since(self, at: float) -> bool:
        """Whether what was asked for at that time may still be told."""
        return self.elapsed() - at <= MAX_AGE and self._trusted()

    @contextmanager
    def asked(self, ref: ObjectRef) -> Iterator[Answered]:
        """Surrounds a request about one object: what it is answered with is kept.

        Where it ends otherwise, it is not known any more how the object is.
        """
        if not self._remembers(ref):
            yield lambda version, answer: None
            return
        sent = _Sent(self.elapsed(), self._era)
        self._sent.setdefault(ref, []).append(sent)
        done = False

        def answered(version: str, answer: bytes) -> None:
            nonlocal done
            done = True
            self._keep(ref, sent, version, answer)

        try:
            yield answered
        finally:
            if not done:
                self._drop(ref)
            others = self._sent[ref]
            others.remove(sent)
            if not others:
                del self._sent[ref]

    @contextmanager
    def lost(self, ref: ObjectRef) -> Iterator[None]:
        """Surrounds a request that deletes an object: however it ends, the object is forgotten."""
        try:
            yield
        finally:
            self._drop(ref)

    def shown(self, ref: ObjectRef, version: str) -> None:
        """A watch showed a version, or its deletion: what is older is not true any more."""
        if not version.isdecimal():
            self._drop(ref)
            return
        number = int(version)
        known = self._kept.get(ref)
        if known is not None and known.version < number:
            self._forget(ref)
        self._outdate(ref, number)

    def clear(self) -> None:
        """Forget everything, also what is being answered now."""
        self._era += 1
        self._kept.clear()
        self._bytes = 0

    def _drop(self, ref: ObjectRef) -> None:
        self._forget(ref)
        for sent in self._sent.get(ref, ()):
            sent.spoilt = True

    def _keep(self, ref: ObjectRef, sent: _Sent, version: str, answer: bytes) -> None:
        """Keep an answer, unless something newer is known.

        One that says nothing may be newer than what is known: neither is told.
        """
        if sent.spoilt or not version.isdecimal():
            self._drop(ref)
            return
        if sent.era != self._era:
            return
        number = int(version)
        known = self._kept.get(ref)
        newest = max(sent.newest, -1 if known is None else known.version)
        if number < newest:
            return
        self._forget(ref)  # for its place in the order, too
        self._kept[ref] = _Kept(sent.at, number, answer)
        self._bytes += len(answer)
        self._make_room()

    def _forget(self, ref: ObjectRef) -> None:
        known = self._kept.pop(ref, None)
        if known is not None:
            self._bytes -= len(known.answer)
            self._outdate(ref, known.version)

    def _outdate(self, ref: ObjectRef, version: int) -> None:
        """Nothing older than that is kept of what is being answered now."""
        for sent in self._sent.get(ref, ()):
            sent.newest = max(sent.newest, version)

    def _make_room(self) -> None:
        """Drop what is too old or too much; the oldest come first, near enough."""
        now = self.elapsed()
        while self._kept:
            ref, oldest = next(iter(self._kept.items()))
            if self._bytes <= CAPACITY and now - oldest.at <= MAX_AGE:
                return
            self._forget(ref)


def nothing() -> RecentObjects:
    """One that keeps nothing."""
    return RecentObjects(lambda ref: False, lambda: False, lambda: 0.0)
