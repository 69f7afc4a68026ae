"""Objects as the API server answered with them a moment ago, so that they are not read again.

A rotation looks at the same few objects in each of its steps, and most of these this process has
written itself. What is kept is told for some seconds after the request that yielded it was sent,
is replaced by every write of this process, and is dropped as soon as a watch shows anything newer,
or a write ends in a way that leaves it open what is stored. Nothing is learnt from a watch, and
nothing is remembered about what is not there.

Two who each write something and then look at what the other wrote still cannot miss each other
(``docs/adr/0016-recent-objects.md``): in one process a write is seen by whoever reads after it was
answered; and when another process takes the lease over, nothing here is young enough to be told.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from leeward.plans.shared.model import ObjectRef

CAPACITY: Final = 5000

Which: TypeAlias = Callable[[ObjectRef], bool]
Answered: TypeAlias = Callable[[str, bytes], None]
"""Takes the resourceVersion of an object that a request was answered with, and the object."""


@dataclass(slots=True, eq=False)
class _Sent:
    """A request about an object that has not been answered.

    Attributes:
        at: When it was sent, in seconds of a monotonic clock.
        era: In which era.
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
        era: In which era.
        version: resourceVersion of the object.
        answer: The object, as JSON.
    """

    at: float
    era: int
    version: int
    answer: bytes


class RecentObjects:
    """The last answers, as bytes: who reads one gets a document of his own."""

    def __init__(
        self,
        watched: Which,
        unwatched: Which,
        max_age: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty one.

        Args:
            watched: Which objects it is for that a watch shows.
            unwatched: Which besides: these are forgotten when somebody else changed anything.
            max_age: Seconds for which an answer may be told. No more than lie between the end of a
                leader that cannot renew its lease and the beginning of the next one.
            monotonic: Seconds of a clock that never goes back.
        """
        self._watched = watched
        self._unwatched = unwatched
        self.max_age = max_age
        self.monotonic = monotonic
        self._kept: dict[ObjectRef, _Kept] = {}
        self._sent: dict[ObjectRef, list[_Sent]] = {}
        self._eras = {True: 0, False: 0}
        """Of what is watched and of what is not: nothing of an earlier era counts any more."""

    def find(self, ref: ObjectRef) -> bytes | None:
        """The object as JSON, if it is known how it is."""
        found = self._kept.get(ref)
        if found is None or found.era != self._eras[self._watched(ref)]:
            return None
        return found.answer if self.monotonic() - found.at <= self.max_age else None

    @contextmanager
    def asked(self, ref: ObjectRef) -> Iterator[Answered]:
        """Surrounds a request about one object: what it is answered with is kept.

        Where it ends otherwise, it is not known any more how the object is.
        """
        watched = self._watched(ref)
        if not watched and not self._unwatched(ref):
            yield lambda version, answer: None
            return
        sent = _Sent(self.monotonic(), self._eras[watched])
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
            del self._kept[ref]
        for sent in self._sent.get(ref, ()):
            sent.newest = max(sent.newest, number)

    def clear(self) -> None:
        """Forget everything."""
        self._eras[True] += 1
        self._eras[False] += 1

    def clear_unwatched(self) -> None:
        """Forget what no watch shows."""
        self._eras[False] += 1

    def _drop(self, ref: ObjectRef) -> None:
        self._kept.pop(ref, None)
        for sent in self._sent.get(ref, ()):
            sent.spoilt = True

    def _keep(self, ref: ObjectRef, sent: _Sent, version: str, answer: bytes) -> None:
        """Keep an answer, unless something newer is known.

        One that says nothing may be newer than what is known: neither is told.
        """
        if sent.spoilt or not version.isdecimal():
            self._drop(ref)
            return
        number = int(version)
        known = self._kept.get(ref)
        newest = max(sent.newest, -1 if known is None else known.version)
        if number < newest:
            return
        self._kept.pop(ref, None)  # to the end of the order
        self._kept[ref] = _Kept(sent.at, sent.era, number, answer)
        self._make_room()

    def _make_room(self) -> None:
        """Drop what is too old or too much; the oldest come first, near enough."""
        now = self.monotonic()
        while self._kept:
            ref, oldest = next(iter(self._kept.items()))
            if len(self._kept) <= CAPACITY and now - oldest.at <= self.max_age:
                return
            del self._kept[ref]


def nothing() -> RecentObjects:
    """One that keeps nothing."""
    return RecentObjects(lambda ref: False, lambda ref: False, 0.0)
