"""Which function carries out the rule of a column."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import polars as pl

from leeward.api.freetext import FreeText
from leeward.api.transforms import ColumnRule
from leeward.formats.jobconfig import RuleConfig
from leeward_masking.errors import JobError
from leeward_masking.freetext import FreeTextMask, normalised
from leeward_masking.rules.conditions import Condition, condition
from leeward_masking.transforms import basic
from leeward_masking.transforms.dates import DateShift, time_part
from leeward_masking.transforms.fakes.mask import FakeMask
from leeward_masking.transforms.formatpreserving import FormatPreservingMask
from leeward_masking.transforms.gathering import RuleGathering
from leeward_masking.transforms.noise import NoiseMask
from leeward_masking.transforms.owndistribution import OwnDistribution
from leeward_masking.transforms.quantiles import Quantiles
from leeward_masking.transforms.randommask import RangeMask, suppress
from leeward_masking.transforms.reversing import (
    reverse_fernet,
    reverse_gcm,
    reverse_siv,
    reverse_tokenize,
)
from leeward_masking.transforms.shuffle import ShuffleGathering
from leeward_masking.transforms.topbottom import top_bottom_code
from leeward_masking.transforms.valuehierarchy import HierarchyMask
from leeward_masking.values.canonical import canonical_text, unsuitable
from leeward_masking.values.nesting import value_dtype


class MaterialOf(Protocol):
    """Where the keys of rules come from."""

    def __call__(self, role: str) -> bytes:
        """The key material for this role.

        Raises:
            KeyError: There is none.
        """
        ...


def condition_of(rule: ColumnRule) -> Condition | None:
    """Which rows a rule is for; None: all."""
    if rule.when is None or rule.otherwise is None:
        return None
    return condition(rule.when, rule.otherwise)


def gathering_of(rule: ColumnRule, column: str, schema: pl.Schema) -> RuleGathering | None:
    """What a rule must know of all rows first; None: nothing.

    Raises:
        JobError: ``UnsuitableColumn``: it cannot work on such a column.
    """
    dtype = value_dtype(column, schema[column])
    if rule.generalize is not None and rule.generalize.quantiles is not None:
        return Quantiles(column, dtype, rule.generalize.quantiles)
    if rule.shuffle is not None:
        if dtype != schema[column]:
            raise unsuitable(column, "lies in a list, and shuffle needs one value a row")
        return ShuffleGathering(column, dtype, rule.shuffle, schema)
    if rule.random_mask is not None and rule.random_mask.distribution is not None:
        return OwnDistribution(column, dtype, rule.random_mask.distribution.min_rows)
    return None


def transform_of(config: RuleConfig, material_of: MaterialOf) -> Callable[..., pl.Series]:
    """The transform of a rule that need not know all rows first.

    Raises:
        JobError: ``InvalidConfig``: it has no key.
    """
    rule = config.rule
    if config.undo:
        return _undoing(config, rule, _material(config, material_of))
    if rule.free_text is not None:
        return _free_text(config, rule.free_text, material_of)
    if rule.key_use is not None:
        return _keyed(config, rule, _material(config, material_of))
    if rule.replace is not None:
        return basic.replace(rule.replace.value)
    if rule.partial_mask is not None:
        return basic.partial_mask(rule.partial_mask)
    if rule.generalize is not None:
        table = rule.generalize.hierarchy
        if table is not None:
            return HierarchyMask(table, config.hierarchy)
        return basic.generalize(rule.generalize)
    if rule.redact is not None:
        return basic.redact
    return _of_values(rule) or basic.keep


def _free_text(
    config: RuleConfig, rule: FreeText, material_of: MaterialOf
) -> Callable[..., pl.Series]:
    pseudonyms = None
    if rule.replacement.keyed is not None:
        material = _material(config, material_of)
        digits = rule.replacement.hash
        pseudonyms = (
            basic.keyed_hash(material, digits.length) if digits else basic.tokenize(material)
        )
    try:
        return FreeTextMask(rule, pseudonyms)
    except JobError as error:
        raise error.with_note(f'in rule "{config.rule.name}"') from None


def _of_values(rule: ColumnRule) -> Callable[..., pl.Series] | None:
    if rule.time_part is not None:
        return partial(time_part, rule.time_part)
    if rule.top_bottom_code is not None:
        return partial(top_bottom_code, rule.top_bottom_code)
    if rule.noise is not None:
        return NoiseMask(rule.noise)
    if rule.random_mask is None:
        return None
    if rule.random_mask.range is not None:
        return RangeMask(rule.random_mask.range)
    return suppress(rule.random_mask.suppress or "1")


def _keyed(config: RuleConfig, rule: ColumnRule, material: bytes) -> Callable[..., pl.Series]:
    if rule.hash is not None:
        return _normalizing(rule.hash.normalize, basic.keyed_hash(material, rule.hash.length))
    if rule.tokenize is not None:
        return _normalizing(rule.tokenize.normalize, basic.tokenize(material))
    if rule.format_preserving is not None:
        return FormatPreservingMask(material, rule.format_preserving)
    if rule.date_shift is not None:
        return DateShift(material, rule.date_shift.max_days)
    if rule.fake is not None:
        return FakeMask(material, rule.fake)
    if config.key_algorithm == "AES256_SIV":
        return basic.encrypt_siv(material)
    if config.key_algorithm == "FERNET":
        return basic.encrypt_fernet(material)
    return basic.encrypt_gcm(material)


def _undoing(config: RuleConfig, rule: ColumnRule, material: bytes) -> Callable[..., pl.Series]:
    if rule.tokenize is not None:
        return reverse_tokenize(material)
    if rule.format_preserving is not None:
        return FormatPreservingMask(material, rule.format_preserving, undo=True)
    if rule.encrypt is None:
        raise invalid(f"{rule.transform} leads nowhere back", "remove the rule")
    if config.key_algorithm == "AES256_SIV":
        return reverse_siv(material)
    return reverse_fernet(material) if config.key_algorithm == "FERNET" else reverse_gcm(material)


def _normalizing(
    entity: str | None, apply: Callable[[pl.Series], pl.Series]
) -> Callable[..., pl.Series]:
    """The transform on the normal form that free text gives to values of this kind."""
    if entity is None:
        return apply
    return lambda values: apply(normalised(entity, canonical_text(values)).alias(values.name))


def is_linkable(config: RuleConfig) -> bool:
    """Whether the key gives every value a result of its own."""
    rule = config.rule
    if config.undo:
        return False
    if rule.encrypt is not None:
        return config.key_algorithm == "AES256_SIV"
    return any((rule.hash, rule.tokenize, rule.format_preserving))


def _material(config: RuleConfig, material_of: MaterialOf) -> bytes:
    role = config.key_role or ""
    try:
        return material_of(role)
    except KeyError:
        raise invalid(
            f'the pod was given no key for the rule "{config.rule.name}"',
            "delete the job and create it again",
        ) from None


def invalid(message: str, remedy: str) -> JobError:
    """A config that cannot be carried out."""
    return JobError("InvalidConfig", message, remedy)
