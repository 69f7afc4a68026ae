"""Which rule each column of a source has, and what is wrong with that.

A rule that names a column takes it, whatever else fits it. Of the others, which match by pattern,
tag, type or detected content, at most one may fit a column: nobody can tell which was meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leeward.api.dataset import ColumnType, Detected, Tag
from leeward.api.transforms import ColumnRule
from leeward.formats.columnpaths import below, expand
from leeward.plans.shared.listing import listed
from leeward.plans.shared.verdict import Denied

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of one column.

    Attributes:
        type: Of its values.
        tags: What its owner says of it.
        detected: What the inspection took its values for.
    """

    type: ColumnType
    tags: list[Tag]
    detected: Detected | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Rules and columns.

    Attributes:
        rule_of: The rule of each column that has one: those that are named, or lie in a struct or
            list that is named, then in the order of the source.
        fault: Why the rules cannot be carried out; None: they can.
    """

    rule_of: dict[str, ColumnRule]
    fault: Denied | None

    def columns_of(self, rule: ColumnRule) -> list[str]:
        """The columns that a rule is for."""
        return [name for name, found in self.rule_of.items() if found.name == rule.name]


def select(rules: Sequence[ColumnRule], columns: Mapping[str, Traits], source: str) -> Selection:
    """Find the rule of each column.

    Args:
        rules: Of the job, each with a name of its own.
        columns: Of the source, by name.
        source: The Dataset, in words.
    """
    by_name = {name: rule for rule in rules for name in rule.column_names}
    unknown = {name: rule for name, rule in by_name.items() if not below(name, columns)}
    rule_of = unknown | expand(by_name, list(columns))
    named = set(rule_of)
    matching = [rule for rule in rules if rule.match is not None and rule.match.names is None]
    fault: Denied | None = None
    covered: dict[str, list[str]] = {rule.name: [] for rule in matching}
    for name, traits in columns.items():
        fitting = [rule for rule in matching if _fits(rule, name, traits)]
        for rule in fitting:
            covered[rule.name].append(name)
        if name in named or not fitting:
            continue
        if len(fitting) > 1 and fault is None:
            fault = _clash(name, fitting, source)
        rule_of[name] = fitting[0]
    selection = Selection(rule_of, fault)
    if fault is not None:
        return selection
    idle = next((rule for rule in matching if not selection.columns_of(rule)), None)
    if idle is None:
        return selection
    return Selection(rule_of, _idle(idle, covered[idle.name], source))


def _fits(rule: ColumnRule, name: str, traits: Traits) -> bool:
    return rule.match is not None and rule.match.fits(
        name, traits.type, traits.tags, traits.detected
    )


def _clash(name: str, rules: Sequence[ColumnRule], source: str) -> Denied:
    told = listed([f'"{rule.name}" ({rule.match.words})' for rule in rules if rule.match], _SHOWN)
    return Denied(
        "RulesClash",
        f'column "{name}" of {source} fits {len(rules)} rules, {told}: give it a rule of its own,'
        " which comes before those, or narrow one of them",
    )


def _idle(rule: ColumnRule, covered: Sequence[str], source: str) -> Denied:
    asked = rule.match.words if rule.match else ""
    if covered:
        told = listed([f'"{name}"' for name in covered], _SHOWN)
        why = f"stands for no column: all that fit it ({told}) are named by other rules"
    else:
        why = f"fits no column of {source} ({asked})"
    return Denied(
        "MatchesNothing", f'rule "{rule.name}" {why}: correct its match, or remove the rule'
    )
