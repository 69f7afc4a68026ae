"""From the rules of a job to the functions that mask a block."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from leeward.api.transforms import ColumnRule
from leeward.formats.columnpaths import below, enclosing, expand, same_list
from leeward.formats.jobconfig import PrivacyConfig, RuleConfig
from leeward_masking.errors import FIRST, JobError, Place
from leeward_masking.freetext import FreeTextMask
from leeward_masking.privacymodel.gathering import ClassGathering
from leeward_masking.privacymodel.release import Release
from leeward_masking.rules.conditions import Condition
from leeward_masking.rules.ruletransforms import (
    MaterialOf,
    condition_of,
    gathering_of,
    invalid,
    is_linkable,
    transform_of,
)
from leeward_masking.transforms.gathering import Gathering, OfSomeRows, RuleGathering, Tables
from leeward_masking.values.canonical import column_type, unsuitable
from leeward_masking.values.nesting import list_depth, map_values, value_dtype

_LED_BACK: Final = "led back: these are the values that had been masked"
_ANY_TYPE = frozenset({"keep", "drop", "redact", "replace", "randomMask", "shuffle"})
"""Transforms that work on lists, structs and binary columns, too, or look for themselves."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What happens to one column that stays.

    Attributes:
        rule: Name of its rule; empty where no rule names it.
        apply: The transform; given the column, and those that ``beside`` names, too. None: it is
            not known before ``gathering`` is done.
        gathering: What must be known of all rows first; None: nothing, or it is known.
        beside: Other columns that it looks at: whose row it is, or which group.
        linkable: Whether the key gives every value a result of its own: equal ones stay equal.
        free_text: The same as ``apply``, where it searches notes: it counts what it found.
        note: What the report is to say about this column.
        condition: Which rows it is for; None: all.
    """

    name: str
    rule: str
    transform: str
    apply: Callable[..., pl.Series] | None
    gathering: RuleGathering | None = None
    beside: tuple[str, ...] = ()
    linkable: bool = False
    free_text: FreeTextMask | None = None
    note: str | None = None
    condition: Condition | None = None

    def mask(self, frame: pl.DataFrame) -> pl.Series:
        """The masked column of a block.

        Raises:
            JobError: ``UnsuitableColumn``: the transform cannot work on its type, or on one value;
                its row is counted from the first one of the block.
        """
        if self.condition is not None:
            return self.condition.mask(frame, self.name, self._masked)
        return self._masked(frame)

    def _masked(self, frame: pl.DataFrame) -> pl.Series:
        if self.apply is None:
            raise AssertionError(self.transform)
        beside = [frame.get_column(name) for name in self.beside]
        return map_values(frame.get_column(self.name), self.apply, beside)

    def finished(self, gathered: Mapping[str, Tables], part: int) -> "ColumnPlan":
        """The same with its transform; itself where that was known before."""
        if self.gathering is None:
            return self
        apply, note = self.gathering.finish(gathered[self.gathering.name], part)
        return replace(self, apply=apply, gathering=None, note=note)


@dataclass(frozen=True, slots=True)
class MaskedBlock:
    """What is written of one block.

    Attributes:
        frame: The rows.
        stays: Which rows of the block these are, shape (rows of the block,); None: all.
    """

    frame: pl.DataFrame
    stays: pl.Series | None = None

    def in_source(self, error: JobError) -> JobError:
        """An error whose row is one of these, by its row in the block that they come from."""
        if self.stays is None or error.row is None:
            return error
        return error.at_row(int(self.stays.arg_true()[error.row - 1]) + 1)


@dataclass(frozen=True, slots=True)
class AskedOfAll:
    """What must hold of all rows together.

    Attributes:
        privacy: The models.
        rules: The rule of each quasi-identifier.
        tables: Tables of hierarchies by column: of the models, else of the column's own rule.
        schema: Of the source.
    """

    privacy: PrivacyConfig
    rules: dict[str, ColumnRule]
    tables: dict[str, str]
    schema: pl.Schema


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """What happens to every column, in the order of the source.

    Attributes:
        columns: Those that stay.
        dropped: Name and rule of those that do not; the rule is empty where no rule names it.
        asked: What must hold of all rows together; None: nothing.
        release: What follows from it; None: nothing, or it is not known yet.
    """

    columns: tuple[ColumnPlan, ...]
    dropped: tuple[tuple[str, str], ...]
    asked: AskedOfAll | None = None
    release: Release | None = None

    @property
    def gatherings(self) -> tuple[Gathering, ...]:
        """What the next reading of the source must gather; none: the plan can mask.

        Once that is known, there may be others, which look at what is masked with it.
        """
        rules = tuple(column.gathering for column in self.columns if column.gathering)
        # Classes are of masked values: they wait until every rule can mask.
        return rules or ((self._classes(),) if self._awaits_release else ())

    @property
    def readings(self) -> int:
        """How often the source is read before the plan can mask."""
        of_rules = any(column.gathering for column in self.columns)
        return of_rules + self._awaits_release

    def finished(
        self, gathered: Mapping[str, Tables], part: int = 0, release: Release | None = None
    ) -> "MaskPlan":
        """The plan after one reading.

        Args:
            gathered: Merged tables by name of the gathering.
            part: Which of the parts that were merged is masked with it.
            release: What was decided of the same tables before; None: nothing yet.

        Raises:
            JobError: See ``RuleGathering.finish`` and ``ClassGathering.decide``.
        """
        if self._awaits_release and not any(column.gathering for column in self.columns):
            classes = self._classes()
            for column in self.columns:
                if column.free_text is not None:
                    column.free_text.forget()
            return replace(self, release=release or classes.decide(gathered[classes.name]))
        return replace(self, columns=tuple(c.finished(gathered, part) for c in self.columns))

    def check(self, schema: pl.Schema) -> None:
        """Try what is known of the plan on no rows, for errors of types before any work.

        Raises:
            JobError: ``UnsuitableColumn``.
        """
        known = tuple(column for column in self.columns if column.apply is not None)
        MaskPlan(known, ()).mask(pl.DataFrame(schema=schema))

    def mask(self, frame: pl.DataFrame, place: Place = FIRST) -> MaskedBlock:
        """What is written of a block.

        Args:
            frame: The block.
            place: Where it begins.

        Raises:
            JobError: ``UnsuitableColumn``, with the row where it is for one value;
                ``SourceChanged``: it has other values than all rows had.
        """
        try:
            masked = pl.DataFrame([column.mask(frame) for column in self.columns])
        except JobError as error:
            raise error.in_block(place) from None
        if self.release is None:
            return MaskedBlock(masked)
        return MaskedBlock(*self.release.apply(masked))

    @property
    def _awaits_release(self) -> bool:
        return self.asked is not None and self.release is None

    def _classes(self) -> ClassGathering:
        if self.asked is None:
            raise AssertionError
        columns = {column.name: column for column in self.columns}

        def mask(block: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
            return pl.DataFrame([columns[name].mask(block) for name in names])

        asked = self.asked
        return ClassGathering(
            asked.privacy.model,
            asked.rules,
            asked.tables,
            asked.schema,
            mask,
            asked.privacy.subject,
        )


def compile_plan(
    rules: Sequence[RuleConfig],
    schema: pl.Schema,
    material_of: MaterialOf,
    privacy: PrivacyConfig | None = None,
) -> MaskPlan:
    """Resolve the rules against the columns of the source: the first of two steps.

    Columns without a rule are dropped. A rule for a struct or list acts on every leaf in it that
    has no rule nearer by. What ``gatherings`` of the plan names must be gathered, and
    the plan be ``finished`` with it, before it can mask.

    Raises:
        JobError: ``ColumnMissing``, ``UnsuitableColumn`` or ``InvalidConfig``.
    """
    named = _by_column(rules)
    for name in named:
        if not below(name, schema):
            raise missing(name)
    by_column = expand(named, schema.names())
    keep: list[ColumnPlan] = []
    dropped: list[tuple[str, str]] = []
    for name in schema:
        config = by_column.get(name)
        if config is None or config.rule.transform == "drop":
            dropped.append((name, config.rule.name if config else ""))
        else:
            keep.append(_column_plan(name, config, schema, material_of))
    if not keep:
        raise invalid("no column is left", "keep or mask at least one column")
    asked = None if privacy is None else _asked_of_all(privacy, by_column, keep, schema)
    return MaskPlan(tuple(keep), tuple(dropped), asked)


def whole_columns(rules: Sequence[RuleConfig]) -> list[str]:
    """Columns that are masked as a whole, lists and structs, too: nothing of them is left.

    Raises:
        JobError: ``InvalidConfig``: two rules name the same column.
    """
    by_column = _by_column(rules)
    return [
        name
        for name, config in by_column.items()
        if config.rule.takes_whole and not any(name in enclosing(other) for other in by_column)
    ]


def _by_column(rules: Sequence[RuleConfig]) -> dict[str, RuleConfig]:
    by_column: dict[str, RuleConfig] = {}
    for rule in rules:
        for name in rule.columns:
            if name in by_column:
                raise invalid(f'two rules name the column "{name}"', "remove one of them")
            by_column[name] = rule
    return by_column


def _asked_of_all(
    privacy: PrivacyConfig,
    by_column: Mapping[str, RuleConfig],
    keep: Sequence[ColumnPlan],
    schema: pl.Schema,
) -> AskedOfAll:
    model = privacy.model
    if (fault := model.fault()) is not None:
        raise invalid(f"privacyModel: {fault[0]}", fault[1])
    stays = {column.name for column in keep}
    for name in (*model.quasi_identifiers, *model.sensitive):
        if name not in stays or column_type(schema[name]) == "Other":
            raise invalid(
                f'privacyModel names the column "{name}", which is not written, or is a list,'
                " struct or binary column",
                "remove it there, or give the column another rule",
            )
    if privacy.subject is not None and privacy.subject not in schema:
        raise missing(privacy.subject)
    rules = {name: by_column[name].rule for name in model.quasi_identifiers}
    own = {name: by_column[name].hierarchy for name in rules}
    tables = {name: text for name, text in own.items() if text is not None} | privacy.tables
    return AskedOfAll(privacy, rules, tables, schema)


def _column_plan(
    name: str, config: RuleConfig, schema: pl.Schema, material_of: MaterialOf
) -> ColumnPlan:
    _check_type(name, config.rule.transform, value_dtype(name, schema[name]))
    when = config.rule.when
    for other in (*_beside(config), *([when.column] if when else ())):
        if other not in schema:
            raise missing(other or "(no subject)")
        in_list = list_depth(other, schema[other]) > 0
        if in_list and (not same_list(name, other) or (when and when.column == other)):
            raise unsuitable(name, f'has a rule that looks at "{other}", which lies in a list')
    if (fault := config.rule.fault()) is not None:
        raise invalid(f'rule "{config.rule.name}": {fault[0]}', fault[1])
    condition = condition_of(config.rule)
    gathering = gathering_of(config.rule, name, schema)
    if gathering is not None and condition is not None:
        gathering = OfSomeRows(gathering, condition.holds)
    apply = None if gathering else transform_of(config, material_of)
    return ColumnPlan(
        name=name,
        rule="" if config.by_default else config.rule.name,
        transform=config.rule.transform,
        apply=apply,
        gathering=gathering,
        beside=_beside(config),
        linkable=is_linkable(config),
        note=_LED_BACK if config.undo else None,
        free_text=apply if isinstance(apply, FreeTextMask) else None,
        condition=condition,
    )


def _beside(config: RuleConfig) -> tuple[str, ...]:
    if config.rule.by_subject is not None:
        return (config.subject or "",)
    if config.rule.free_text is not None:
        return tuple(one.column for one in config.rule.free_text.known)
    return tuple(config.rule.shuffle.within) if config.rule.shuffle else ()


def _check_type(name: str, transform: str, dtype: pl.DataType) -> None:
    kind = column_type(dtype)
    if kind == "Other" and transform not in _ANY_TYPE:
        raise unsuitable(name, f"is a list, struct or binary column: {transform} needs text")


def missing(name: str) -> JobError:
    """A rule names a column that the file lacks."""
    return JobError(
        "ColumnMissing",
        f'the source has no column "{name}"',
        "correct the name in the rule, or remove the rule",
        column=name,
    )
