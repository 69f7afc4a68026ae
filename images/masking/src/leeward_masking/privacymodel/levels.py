"""How the masked values of a quasi-identifier get coarser: by its hierarchy, or by rule and type.

Level 0 is what the column's own rule makes of the values. Every ladder ends with ``*`` for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

import numpy as np
import polars as pl

from leeward.api.privacymodel import DATE_UNITS, ColumnHierarchy, DateUnit
from leeward.api.transforms import ColumnRule, IpPrefix
from leeward_masking.anonymity.hierarchy import ANY, Hierarchy, from_columns
from leeward_masking.errors import JobError
from leeward_masking.privacymodel.tables import Steps, levels_above, table_levels
from leeward_masking.transforms.basic import bins, date_to, interval_labels
from leeward_masking.transforms.ipprefix import IpPrefixMask
from leeward_masking.transforms.valuehierarchy import hierarchy_columns
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable

NUMBERS: Final = frozenset({"Integer", "Float", "Decimal"})
DATES: Final = frozenset({"Date", "Datetime"})
_MOST_INTERVALS: Final = 128
_MOST_BORDERS: Final = 100_000
_LARGEST: Final = Fraction(1 << 63)
_DIGITS: Final = 80
_NUMBER: Final = r"-?[0-9][0-9.]*(?:e[+-]?[0-9]+)?"
_INTERVAL: Final = rf"^(?:<{_NUMBER}|>={_NUMBER}|\[{_NUMBER}, {_NUMBER}\))$"
_COARSER_THAN: Final[dict[str | None, tuple[DateUnit, ...]]] = {
    "Week": DATE_UNITS[1:],
    **{unit: DATE_UNITS[place + 1 :] for place, unit in enumerate(DATE_UNITS)},
}


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of one column.

    Attributes:
        hierarchy: Over its masked values, in the order that they were given in.
        names: What each level is, in words.
        labels: Per level what is written for each code; shape (codes of the level,).
    """

    hierarchy: Hierarchy
    names: tuple[str, ...]
    labels: tuple[pl.Series, ...]


def make_ladder(
    values: pl.Series,
    rule: ColumnRule,
    given: ColumnHierarchy | None = None,
    table: str | None = None,
) -> Ladder:
    """The ladder of one column.

    Args:
        values: Its distinct masked values; null is one of them where it occurs.
        rule: The column's own rule.
        given: What spec.privacyModel.hierarchies says of it.
        table: The table that this names, or that the rule names.

    Raises:
        JobError: ``UnsuitableColumn``: the hierarchy is for values of another type, or lacks some;
            ``InvalidConfig``: its table is none.
    """
    if given is None:
        steps = _steps(values, rule, table)
    elif given.table is not None:
        steps = table_levels(values, hierarchy_columns(given.table, table))
    elif given.prefixes is not None:
        steps = _prefixes(values, given.prefixes)
    elif given.date_units is not None:
        steps = _date_units(values, given.date_units)
    else:
        steps = _intervals(values, [Fraction(width) for width in given.widths or ()])
    # A level that joins nothing would only be more to search.
    groups = len(values)
    told = []
    for name, labels in steps:
        if labels.n_unique() < groups:
            told.append((name, labels))
            groups = labels.n_unique()
    text = canonical_text(values)
    hierarchy = from_columns(values.name, [text, *(labels for _, labels in told)]).with_any()
    if hierarchy.height > 1 + len(told):
        told.append((ANY, pl.Series([ANY]).new_from_index(0, len(values))))
    names = ("as masked", *(name for name, _ in told))
    written = [values, *(labels for _, labels in told)]
    firsts = [np.unique(codes, return_index=True)[1] for codes in hierarchy.levels]
    groups_of = zip(written, firsts, strict=True)
    return Ladder(hierarchy, names, tuple(column.gather(first) for column, first in groups_of))


def _steps(values: pl.Series, rule: ColumnRule, table: str | None) -> Steps:
    """What rule and type suggest. Values of rows that the rule is not for stay as they are."""
    coarser = rule.generalize
    if coarser is not None and coarser.hierarchy is not None:
        columns = hierarchy_columns(coarser.hierarchy, table)
        return levels_above(values, columns, coarser.hierarchy.level)
    if coarser is not None and coarser.bins is not None:
        return _joined_bins(values, coarser.bins)
    if coarser is not None and coarser.quantiles is not None:
        return _joined_bins(values, _borders_in(values))
    if coarser is not None and coarser.prefix is not None:
        return _prefixes(values, range(coarser.prefix - 1, 0, -1))
    if coarser is not None and coarser.ip_prefix is not None:
        return _networks(values, coarser.ip_prefix)
    kind = column_type(values.dtype)
    if kind in DATES:
        finest = "Day" if kind == "Date" else None
        unit = coarser.date_to if coarser is not None else None
        return _date_units(values, _COARSER_THAN.get(unit or finest, DATE_UNITS))
    is_part = rule.time_part is not None and rule.time_part.part != "Year"
    if kind in NUMBERS and not is_part:
        return _intervals(values, _nice_widths(values))
    return ()


def _date_units(values: pl.Series, units: Sequence[DateUnit]) -> Steps:
    if column_type(values.dtype) not in DATES:
        raise unsuitable(values.name, "holds no dates, and its hierarchy has dateUnits")
    return [(unit, date_to(unit)(values)) for unit in units]


def _prefixes(values: pl.Series, lengths: Sequence[int]) -> Steps:
    """The first characters, and ``*`` for each of the others; shorter ones stay as they are."""
    text = pl.lit(canonical_text(values))
    steps = []
    for length in lengths:
        kept = text.str.head(length).str.pad_end(text.str.len_chars(), "*")
        name = f"{length} character{'s' if length > 1 else ''}"
        steps.append((name, pl.select(kept).to_series()))
    return steps


def _networks(values: pl.Series, rule: IpPrefix) -> Steps:
    """Networks of 8 (IPv4) and 16 (IPv6) bits less at each level; other texts stay."""
    steps = []
    text = canonical_text(values)
    addresses = pl.select(pl.lit(text).str.split("/").list.first().alias(text.name)).to_series()
    v4, v6 = rule.v4, rule.v6
    while v4 > 8 or v6 > 16:
        v4, v6 = _less(v4, 8), _less(v6, 16)
        cut = IpPrefixMask(IpPrefix(v4=v4, v6=v6, unsuitable="Redact"))(addresses)
        steps.append((f"/{v4} and /{v6}", cut.zip_with(cut.is_not_null(), text)))
    return steps


def _less(bits: int, step: int) -> int:
    return max((math.ceil(bits / step) - 1) * step, min(bits, step))


def _joined_bins(values: pl.Series, borders: Sequence[str]) -> Steps:
    """Every other border less at each level, until none is left; other texts stay."""
    steps: list[tuple[str, pl.Series]] = []
    if not borders:
        return steps
    places = interval_labels(list(borders))
    text = canonical_text(values)
    step = 2
    while kept := [border for i, border in enumerate(borders, 1) if i % step == 0]:
        joined = interval_labels(kept).gather(
            pl.Series(range(len(places)), dtype=pl.UInt32) // step
        )
        steps.append((f"{step} bins joined", text.replace(places, joined)))
        step *= 2
    return steps


def _borders_in(labels: pl.Series) -> list[str]:
    """The borders that labels of intervals name, rising."""
    texts = labels.cast(pl.String)
    intervals = texts.filter(texts.str.contains(_INTERVAL))
    borders = intervals.str.extract_all(_NUMBER).explode().unique().to_list()
    return sorted(borders, key=Decimal)


def _nice_widths(values: pl.Series) -> list[Fraction]:
    """Widths 1, 5, 10, 50, ... (and 0.5, 0.1, ...), each a multiple of the one before.

    Those that make some of the values equal, and from 2 to 128 intervals.
    """
    numbers = values.drop_nulls().cast(pl.Float64).drop_nans()
    finite = numbers.filter(numbers.is_finite())
    if len(finite) < 2:
        return []
    low, high = _bounds(finite)
    spread = high - low
    if not spread or spread > _LARGEST:
        return []
    widths = []
    width = Fraction(10) ** (math.floor(math.log10(spread)) - 3)
    times = (5, 2)
    while width < spread:
        fits = spread / width <= _MOST_INTERVALS - 2
        if fits and not (column_type(values.dtype) == "Integer" and width <= 1):
            widths.append(width)
        width *= times[0]
        times = times[::-1]
    return widths


def _intervals(values: pl.Series, widths: Sequence[Fraction]) -> Steps:
    """Intervals ``[a, b)`` that begin at multiples of the width."""
    if column_type(values.dtype) not in NUMBERS:
        raise unsuitable(values.name, "holds no numbers, and its hierarchy has widths")
    numbers = values.drop_nulls().cast(pl.Float64).drop_nans()
    finite = numbers.filter(numbers.is_finite())
    if not len(finite):
        return []
    low, high = _bounds(finite)
    steps = []
    for width in widths:
        # The largest may be the next border, for numbers with a point are not exact. Beyond the
        # last one are infinities alone.
        first, last = math.floor(low / width), math.floor(high / width) + 2
        if last - first > _MOST_BORDERS:
            raise JobError(
                "UnsuitableColumn",
                f'width {_decimal(width)} cuts column "{values.name}" into more than'
                f" {_MOST_BORDERS:,} intervals",
                "let its widths in privacyModel.hierarchies begin wider",
                column=values.name,
            )
        borders = [_decimal(place * width) for place in range(first, last + 1)]
        steps.append((f"width {_decimal(width)}", bins(borders)(values)))
    return steps


def _bounds(numbers: pl.Series) -> tuple[Fraction, Fraction]:
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, float) or not isinstance(high, float):
        raise TypeError
    return Fraction(low), Fraction(high)


def _decimal(number: Fraction) -> str:
    """The number in decimal digits; its denominator divides a power of ten."""
    with localcontext(prec=_DIGITS):
        return f"{Decimal(number.numerator) / Decimal(number.denominator):f}"
