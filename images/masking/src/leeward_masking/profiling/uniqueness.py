"""How far values tell rows apart: of one column, and of columns known together."""

from itertools import combinations
from typing import Final

import polars as pl

from leeward.formats.report import Combination
from leeward_masking.values.canonical import column_type

MOST_COLUMNS: Final = 8
"""Columns that are tried together: 28 pairs and 56 triples."""
_SHOWN: Final = 5


def unique_share(values: pl.Series) -> float:
    """Share of rows whose value no other row has; from 0 to 1."""
    if not len(values):
        return 0.0
    counts = values.drop_nulls().value_counts().get_column("count")
    return int((counts == 1).sum()) / len(values)


def telling(frame: pl.DataFrame) -> list[str]:
    """The columns that are tried together: those with most values, of which most are shared."""
    plain = [c for c in frame.iter_columns() if column_type(c.dtype) != "Other"]
    distinct = {column.name: column.n_unique() for column in plain}
    candidates = [
        name for name, count in distinct.items() if 1 < count <= max(2, frame.height // 2)
    ]
    candidates.sort(key=lambda name: (-distinct[name], name))
    kept = set(candidates[:MOST_COLUMNS])
    return [name for name in frame.columns if name in kept]


def worst_combinations(frame: pl.DataFrame, names: list[str]) -> list[Combination]:
    """The pairs and triples that leave most rows alone, the worst first."""
    codes = frame.select(pl.col(name).rank("dense").cast(pl.UInt32) for name in names)
    found = [
        _classes(codes, list(group))
        for size in (2, 3)
        for group in combinations(names, size)
        if frame.height
    ]
    found.sort(key=lambda one: (-float(one.unique), one.smallest, len(one.columns), one.columns))
    return found[:_SHOWN]


def _classes(codes: pl.DataFrame, group: list[str]) -> Combination:
    sizes = codes.group_by(group).len().get_column("len")
    smallest = int(sizes.min() or 0)  # type: ignore[arg-type]
    unique = int((sizes == 1).sum()) / codes.height
    return Combination(columns=group, smallest=smallest, unique=f"{unique:.3f}")
