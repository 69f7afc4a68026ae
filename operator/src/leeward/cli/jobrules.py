"""Rules of a MaskingJob in a manifest: what the API server and the admission policy refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from leeward.api.maskingjob import MaskingJobSpec
from leeward.api.transforms import RULE_MEMBERS, TRANSFORMS, ColumnRule, FormatPreserving
from leeward.cli.errors import CliError


def check_members(name: str, spec: Any) -> None:
    """Name the rule that has a transform or a parameter which does not exist.

    Args:
        name: Of the MaskingJob.
        spec: As it is written; what is no mapping is left to the model.

    Raises:
        CliError: What is written, and what may be.
    """
    rules = spec.get("columns") if isinstance(spec, dict) else None
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict):
            _check_rule_members(f'MaskingJob {name}, rule "{rule.get("name", "")}"', rule)


def _check_rule_members(where: str, rule: dict[str, Any]) -> None:
    parameters = ColumnRule.parameters()
    for member, value in rule.items():
        if member in RULE_MEMBERS:
            continue
        if member not in TRANSFORMS:
            raise CliError(
                f'{where} has unknown transform "{member}"', f"use one of {', '.join(TRANSFORMS)}"
            )
        strange = (
            [p for p in value if p not in parameters[member]] if isinstance(value, dict) else []
        )
        if strange:
            allowed = ", ".join(parameters[member]) or "none"
            raise CliError(
                f'{where}: {member} has no parameter "{strange[0]}"',
                f"remove it; {member} has {allowed}",
            )


def check_rules(name: str, spec: MaskingJobSpec) -> None:
    """What the API server checks of rules beyond the shape of each field.

    Raises:
        CliError: A rule is not as it must be; it is named. Or the job leads values back, of which
            nothing can be tried here.
    """
    if spec.direction == "Unmask":
        raise CliError(
            f"MaskingJob {name} has direction Unmask, and the keys for that are in the cluster",
            "give a job that masks; or lead tokens back: leeward unmask",
        )
    for rule in spec.columns:
        given = [transform for transform in TRANSFORMS if transform in rule.manifest()]
        if len(given) != 1:
            has = f"the transforms {' and '.join(given)}" if given else "no transform"
            raise CliError(
                f'MaskingJob {name}, rule "{rule.name}" has {has}',
                f"give exactly one of {', '.join(TRANSFORMS)}",
            )
        if rule.generalize is not None and len(rule.generalize.manifest()) != 1:
            raise CliError(
                f'MaskingJob {name}, rule "{rule.name}": generalize has not exactly one parameter',
                f"give one of {', '.join(ColumnRule.parameters()['generalize'])}",
            )
        if rule.generalize is not None and rule.generalize.bins is not None:
            _check_bins(f'MaskingJob {name}, rule "{rule.name}"', rule.generalize.bins)
        if rule.format_preserving is not None:
            _check_check_digit(f'MaskingJob {name}, rule "{rule.name}"', rule.format_preserving)
        if (fault := rule.fault()) is not None:
            raise CliError(f'MaskingJob {name}, rule "{rule.name}": {fault[0]}', fault[1])
    counts = Counter(column for rule in spec.columns for column in rule.column_names)
    twice = next((column for column, count in counts.items() if count > 1), None)
    if twice is not None:
        raise CliError(f'MaskingJob {name}: column "{twice}" has two rules', "remove one of them")


def _check_check_digit(where: str, parameters: FormatPreserving) -> None:
    if parameters.check_digit == "None":
        return
    if parameters.alphabet != "Digits":
        raise CliError(
            f"{where}: a check digit needs alphabet Digits",
            "change the alphabet, or remove checkDigit",
        )
    if parameters.keep_last:
        raise CliError(
            f"{where}: the check digit is the last digit and changes",
            "remove keepLast, or checkDigit",
        )


def _check_bins(where: str, bins: Sequence[str]) -> None:
    if any(border.startswith("-") for border in bins):
        raise CliError(
            f"{where}: a bin cannot be negative",
            "start at 0; what lies below the first bin falls in the bin '<first'",
        )
    # As the API server compares them, by the nearest binary numbers.
    if any(float(low) >= float(high) for low, high in pairwise(bins)):
        raise CliError(
            f"{where}: bins must rise",
            "write each border once, from small to large, and none that differs from the next after"
            " the 15th digit only",
        )
