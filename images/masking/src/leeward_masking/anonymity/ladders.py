"""Hierarchies made by a rule: prefixes, intervals, units of dates."""

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from leeward_masking.anonymity.hierarchy import Hierarchy, from_columns
from leeward_masking.canonical import canonical_text, column_type, unsuitable
from leeward_masking.errors import JobError
from leeward_masking.transforms import date_to


def prefixes(values: pl.Series, lengths: Sequence[int]) -> Hierarchy:
    """The first characters, fewer at each level, and ``*`` for each of the others.

    Args:
        values: Distinct values; postcodes, say. Null stays null.
        lengths: Characters kept per level above the values, falling.

    Raises:
        JobError: ``InvalidConfig`` or ``UnsuitableColumn``.
    """
    if any(short >= long for long, short in pairwise(lengths)) or min(lengths, default=0) < 0:
        raise _invalid(values.name, "lengths of prefixes must fall", "give 3, 2, 1, say")
    text = pl.lit(canonical_text(values))
    kept = [pl.select(text.str.head(n).str.pad_end(text.str.len_chars(), "*")) for n in lengths]
    return from_columns(values.name, [canonical_text(values), *(k.to_series() for k in kept)])


def intervals(values: pl.Series, edges: Sequence[Sequence[float]]) -> Hierarchy:
    """Intervals between edges, closed below and open above, fewer at each level.

    Args:
        values: Distinct numbers. Null stays null; NaN counts as null from level 1 on.
        edges: Per level above the values, rising; those of a level are among those of the one
            before.

    Raises:
        JobError: ``InvalidConfig`` or ``UnsuitableColumn``.
    """
    if column_type(values.dtype) not in ("Integer", "Float", "Decimal"):
        raise unsuitable(values.name, "holds no numbers: intervals need a numeric column")
    if any(low >= high for level in edges for low, high in pairwise(level)):
        raise _invalid(values.name, "edges must rise", "order them, each once")
    if not all(edges):
        fault = f"level {[len(level) for level in edges].index(0) + 1} has no edge"
        raise _invalid(values.name, fault, "give each level at least one edge")
    for level, (fine, coarse) in enumerate(pairwise(edges), 1):
        if not set(coarse) <= set(fine):
            fault = f"level {level + 1} has an edge that level {level} lacks"
            raise _invalid(values.name, fault, "take the edges of a level from the one before")
    numbers = values.cast(pl.Float64).fill_nan(None)
    columns = [canonical_text(values)]
    for borders in edges:
        ends = ["", *(f"{edge:.15g}" for edge in borders), ""]
        names = [f"[{low}, {high})" for low, high in pairwise(ends)]
        names[0], names[-1] = f"< {ends[1]}", f">= {ends[-2]}"
        place = pl.Series(borders, dtype=pl.Float64).search_sorted(numbers, side="right")
        columns.append(pl.Series(names).gather(place.set(numbers.is_null(), None)))
    return from_columns(values.name, columns)


def date_units(values: pl.Series, units: Sequence[str]) -> Hierarchy:
    """The first day of units that grow: Day, Month, Quarter, Year, Decade.

    Args:
        values: Distinct Dates or Datetimes. Null stays null.
        units: Per level above the values.

    Raises:
        JobError: ``InvalidConfig`` (the units do not grow) or ``UnsuitableColumn``.
    """
    dates = [canonical_text(date_to(unit)(values)) for unit in units]
    return from_columns(values.name, [canonical_text(values), *dates])


def _invalid(name: str, fault: str, remedy: str) -> JobError:
    return JobError(
        "InvalidConfig", f'the hierarchy of column "{name}": {fault}', remedy, column=name
    )
