"""What the search decided, and how it is done to the rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np
import polars as pl

from leeward.api.plaintransforms import NoParameters
from leeward.api.privacymodel import PrivacyModel
from leeward.api.transforms import ColumnRule
from leeward_masking.anonymity.counts import CountTable, SensitiveCounts
from leeward_masking.anonymity.hierarchy import Hierarchy
from leeward_masking.anonymity.lattice import make_lattice
from leeward_masking.anonymity.models import (
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    Model,
    TCloseness,
)
from leeward_masking.anonymity.search import Answer, search
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.classes import Counted, encode
from leeward_masking.privacymodel.levels import DATES, NUMBERS, Ladder, make_ladder
from leeward_masking.values.canonical import column_type, unsuitable


@dataclass(frozen=True, slots=True)
class Release:
    """What is written of each masked row.

    Attributes:
        values: Per quasi-identifier its distinct masked values, in the order of the codes.
        ladders: Its levels.
        answer: Which of them, and which classes are left out.
    """

    values: tuple[pl.Series, ...]
    ladders: tuple[Ladder, ...]
    answer: Answer

    def apply(self, masked: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The rows of a masked block that stay, generalized.

        Returns:
            The rows, and which of the block they are; shape (rows of the block,).

        Raises:
            JobError: ``SourceChanged``: a value is there that was not when the rows were counted.
        """
        codes = [encode(masked.get_column(known.name), known) for known in self.values]
        for known, column in zip(self.values, codes, strict=True):
            if (column < 0).any():
                raise _changed(known.name)
        coarse, stays = self.answer.apply(np.stack(codes))
        columns = [
            ladder.labels[level].gather(column).alias(known.name)
            for known, ladder, level, column in zip(
                self.values, self.ladders, self.answer.node, coarse, strict=True
            )
            if level
        ]
        kept = pl.Series(stays)
        return masked.with_columns(columns).filter(kept), kept


def decide(
    counted: Counted,
    model: PrivacyModel,
    rules: Mapping[str, ColumnRule],
    tables: Mapping[str, str],
) -> Release:
    """Search the levels of least loss at which the table keeps to the models.

    Args:
        counted: All rows.
        model: What is asked.
        rules: The rule of each quasi-identifier.
        tables: Tables of hierarchies by column.

    Raises:
        JobError: ``PrivacyModelUnmet``: there are none; ``UnsuitableColumn``; ``TooLarge``.
    """
    given = {hierarchy.name: hierarchy for hierarchy in model.hierarchies}
    names = model.quasi_identifiers
    values = tuple(v.alias(name) for v, name in zip(counted.values, names, strict=True))
    ladders = tuple(
        make_ladder(known, rules[name], given.get(name), tables.get(name))
        for known, name in zip(values, names, strict=True)
    )
    weights = {entry.name: float(entry.weight) for entry in model.weights}
    lattice = make_lattice(
        [ladder.hierarchy for ladder in ladders], [weights.get(name, 1.0) for name in names]
    )
    table, models = _models(counted, model, tables)
    limit = Fraction(model.k_anonymity.max_suppression)
    _check_enough(table, model)
    try:
        return Release(values, ladders, search(table.settle(), lattice, models, limit))
    except JobError as error:
        if error.code != "PrivacyModelUnmet":
            raise
        raise error.with_note(_all_there_is(table, model)) from None


def _check_enough(table: CountTable, model: PrivacyModel) -> None:
    """Refuse what not even one class of all rows could keep to; a table without rows has none."""
    people, has = _people(table, model)
    k, diverse = model.k_anonymity.k, model.l_diversity
    if 0 < people < k:
        raise JobError(
            "PrivacyModelUnmet",
            f"privacyModel.kAnonymity.k = {k:,}, but the data has {has}",
            "choose a smaller k, or mask a source with more people",
        )
    if diverse is None or not people:
        return
    values = np.count_nonzero(table.sensitive[model.sensitive.index(diverse.column)].totals())
    if values < diverse.l:
        raise JobError(
            "PrivacyModelUnmet",
            f'privacyModel.lDiversity.l = {diverse.l:,}, but column "{diverse.column}" has'
            f" {values:,} different value{'' if values == 1 else 's'}",
            "choose a smaller l, or another column",
            column=diverse.column,
        )


def _people(table: CountTable, model: PrivacyModel) -> tuple[int, str]:
    """How many k counts in the whole table, and that in words."""
    people = int(table.settled.sum()) + len(np.unique(table.open_subject))
    one, more = ("row", "rows") if model.k_anonymity.count == "Rows" else ("person", "people")
    return people, f"{people:,} {one if people == 1 else more}"


def _all_there_is(table: CountTable, model: PrivacyModel) -> str:
    """What the whole table has of that which every class must have."""
    values = [
        f'{np.count_nonzero(counts.totals()):,} values of "{column}"'
        for column, counts in zip(model.sensitive, table.sensitive, strict=True)
    ]
    return f"there are {', '.join([_people(table, model)[1], *values])}"


def _models(
    counted: Counted, model: PrivacyModel, tables: Mapping[str, str]
) -> tuple[CountTable, Sequence[Model]]:
    """The table as the models want it, and the models."""
    table = counted.table
    models: list[Model] = [KAnonymity(model.k_anonymity.k)]
    columns = model.sensitive
    diverse, close = model.l_diversity, model.t_closeness
    if diverse is not None:
        place = columns.index(diverse.column)
        kind = DistinctLDiversity if diverse.measure == "Distinct" else EntropyLDiversity
        models.append(kind(diverse.l, place))
    if close is not None:
        place = columns.index(close.column)
        values = counted.sensitive[place].alias(close.column)
        if close.distance == "Ordered":
            table = _ranked(table, place, values)
        whole = table.sensitive[place].totals()
        distance: Literal["Equal", "Ordered"] | Hierarchy
        distance = (
            _tree(values, model, tables) if close.distance == "Hierarchical" else close.distance
        )
        models.append(TCloseness(float(close.t), whole, distance, place))
    return table, models


def _ranked(table: CountTable, place: int, values: pl.Series) -> CountTable:
    """The table with ranks for the codes of one sensitive column; a missing value ranks lowest."""
    if column_type(values.dtype) not in NUMBERS | DATES:
        raise unsuitable(values.name, "has no order: distance Ordered needs numbers or dates")
    ranks = np.empty(len(values), np.int64)
    ranks[values.arg_sort().to_numpy()] = np.arange(len(values))
    counts = table.sensitive[place]
    ranked = SensitiveCounts.of(
        counts.size, counts.entry, ranks[counts.value], counts.rows, len(table)
    )
    sensitive = (*table.sensitive[:place], ranked, *table.sensitive[place + 1 :])
    return replace(table, sensitive=sensitive)


def _tree(values: pl.Series, model: PrivacyModel, tables: Mapping[str, str]) -> Hierarchy:
    """The hierarchy over the values of the column of t-closeness."""
    given = next(entry for entry in model.hierarchies if entry.name == values.name)
    rule = ColumnRule(name=values.name, keep=NoParameters())
    tree = make_ladder(values, rule, given, tables.get(values.name)).hierarchy
    if tree.height > 1:
        return tree
    # One value alone: all distances are 0, however it is counted.
    return Hierarchy(tree.name, tree.levels * 2, tree.labels * 2)


def _changed(column: str) -> JobError:
    return JobError(
        "SourceChanged",
        f'the source was changed while it was read: column "{column}" has other values than before',
        "copy the file to the volume again and let the Dataset be inspected anew, then create the"
        " job again",
        column=column,
    )
