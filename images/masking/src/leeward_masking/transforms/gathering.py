"""What a rule must know of all rows before it can mask one: gathered by a reading of its own.

Each such rule has a ``Gathering``. Workers take a ``Gatherer`` from it, show it their blocks, and
hand over what it then knows as tables, in bounded memory; the tables of all workers are merged, and
the rule is finished with the result.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeAlias

import polars as pl

from leeward_masking.errors import JobError, Place

_THREADS: Final = 4
Tables: TypeAlias = dict[str, pl.DataFrame]
"""By name; every type in them can be stored as Arrow IPC."""


class Gatherer(Protocol):
    """Looks at the blocks of one part of the source, one at a time."""

    name: str
    """That of its gathering."""

    def add(self, block: pl.DataFrame) -> None:
        """Take notice of another block of the source.

        Raises:
            JobError: ``UnsuitableColumn``, its row counted from the first one of the block;
                ``TooLarge``: what must be known does not fit in memory.
        """
        ...

    def tables(self) -> Tables:
        """What it knows so far."""
        ...


class Gathering(Protocol):
    """What is to be known of all rows.

    Attributes:
        name: Unlike that of every other gathering of the plan.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    def gatherer(self) -> Gatherer:
        """A new one, for one part of the source."""
        ...

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """What is known of all parts together; neither reads nor writes anything.

        Args:
            parts: In the order of the source. They need not be in memory at once, so none should
                be kept longer than it is looked at.

        Raises:
            JobError: ``TooLarge``.
        """
        ...


class RuleGathering(Gathering, Protocol):
    """That of the rule of one column."""

    def finish(self, tables: Tables, part: int) -> "Finished":
        """The transform.

        Args:
            tables: What ``merge`` gave.
            part: Which of the parts that were merged is masked with it.

        Raises:
            JobError: ``UnsuitableColumn``: such values cannot be masked like that.
        """
        ...


Finished: TypeAlias = tuple[Callable[..., pl.Series], str | None]
"""A transform, and what the report is to note about it."""


class OfSomeRows:
    """What is to be known of the rows that a rule is for, where it is not for all.

    Args:
        gathering: Of the rule; its errors name no rows.
        holds: Which rows of a block the rule is for.
    """

    def __init__(
        self, gathering: RuleGathering, holds: Callable[[pl.DataFrame], pl.Series]
    ) -> None:
        self.name: Final = gathering.name
        self._gathering = gathering
        self._holds = holds

    def gatherer(self) -> Gatherer:
        """See ``Gathering``."""
        return _SomeRows(self._gathering.gatherer(), self._holds)

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``."""
        return self._gathering.merge(parts)

    def finish(self, tables: Tables, part: int) -> Finished:
        """See ``RuleGathering``."""
        return self._gathering.finish(tables, part)


class _SomeRows:
    def __init__(self, gatherer: Gatherer, holds: Callable[[pl.DataFrame], pl.Series]) -> None:
        self.name = gatherer.name
        self._gatherer = gatherer
        self._holds = holds

    def add(self, block: pl.DataFrame) -> None:
        self._gatherer.add(block.filter(self._holds(block)))

    def tables(self) -> Tables:
        return self._gatherer.tables()


def gather(
    gatherings: Sequence[Gathering], blocks: Iterable[tuple[pl.DataFrame, Place]]
) -> list[Tables]:
    """Show all blocks to a new gatherer of each, and give what each knows then.

    Args:
        gatherings: What is gathered.
        blocks: The rows, and where they begin.

    Raises:
        JobError: See ``Gatherer.add``.
    """
    gatherers = [gathering.gatherer() for gathering in gatherings]
    with ThreadPoolExecutor(min(_THREADS, len(gatherers)), "gather") as pool:
        for block, place in blocks:
            done = [pool.submit(gatherer.add, block) for gatherer in gatherers]
            try:
                for one in done:
                    one.result()
            except JobError as error:
                raise error.in_block(place) from None
    return [gatherer.tables() for gatherer in gatherers]


def merged(
    gatherings: Sequence[Gathering], parts: Iterable[Sequence[Tables]]
) -> Mapping[str, Tables]:
    """What each gathering knows of all parts, by its name.

    Args:
        gatherings: As ``gather`` had them.
        parts: Per part of the source, in its order, what ``gather`` gave; gone through once per
            gathering.
    """
    return {
        gathering.name: gathering.merge(part[place] for part in parts)
        for place, gathering in enumerate(gatherings)
    }
