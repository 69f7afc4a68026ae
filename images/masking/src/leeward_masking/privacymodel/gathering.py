"""The reading of the source in which rows are counted for spec.privacyModel."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward_masking.privacymodel.classes import Counted, Counter, count_rows, merge_counts
from leeward_masking.privacymodel.release import Release, decide
from leeward_masking.transforms.gathering import Tables


@dataclass(frozen=True, slots=True)
class ClassGathering:
    """Classes of equal quasi-identifiers, after the rules of their columns.

    Attributes:
        model: What is asked.
        rules: The rule of each quasi-identifier.
        tables: Tables of hierarchies by column.
        schema: Of the source.
        mask: The named columns of a block, masked.
        subject: The column that says whose row it is; None: each row is of somebody else.
    """

    model: PrivacyModel
    rules: dict[str, ColumnRule]
    tables: dict[str, str]
    schema: pl.Schema
    mask: Callable[[pl.DataFrame, Sequence[str]], pl.DataFrame]
    subject: str | None

    @property
    def name(self) -> str:
        """See ``Gathering``."""
        return "privacyModel"

    def gatherer(self) -> "ClassGatherer":
        """See ``Gathering``."""
        return ClassGatherer(self)

    def merge(self, parts: Iterable[Tables]) -> Tables:
        """See ``Gathering``."""
        return merge_counts([Counted.of(part) for part in parts]).tables()

    def decide(self, tables: Tables) -> Release:
        """What is written of each row.

        Raises:
            JobError: ``PrivacyModelUnmet``, ``UnsuitableColumn`` or ``TooLarge``.
        """
        return decide(Counted.of(tables), self.model, self.rules, self.tables)


class ClassGatherer:
    """Counts the blocks of one part of the source."""

    def __init__(self, gathering: ClassGathering) -> None:
        self.name = gathering.name
        self._gathering = gathering
        self._counter = Counter(self._count(pl.DataFrame(schema=gathering.schema)))

    def add(self, block: pl.DataFrame) -> None:
        """See ``Gatherer``."""
        self._counter.add(self._count(block))

    def tables(self) -> Tables:
        """See ``Gatherer``."""
        return self._counter.counted().tables()

    def _count(self, block: pl.DataFrame) -> Counted:
        model, subject = self._gathering.model, self._gathering.subject
        names = [*model.quasi_identifiers, *model.sensitive]
        masked = self._gathering.mask(block, names)
        count = len(model.quasi_identifiers)
        columns = [masked.get_column(name) for name in names]
        subjects = None if subject is None else block.get_column(subject)
        return count_rows(columns[:count], columns[count:], subjects)
