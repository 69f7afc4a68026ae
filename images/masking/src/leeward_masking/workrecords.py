"""What was gathered, as the tables of a record in the work folder, and back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from leeward_masking.gathering import Tables
from leeward_masking.workfolder import Record

_BETWEEN: Final = "/"


def gathered_tables(known: Sequence[Tables]) -> dict[str, pl.DataFrame]:
    """What the gatherers of one shard know, in the order of the gatherings."""
    return {
        f"{place}{_BETWEEN}{name}": table
        for place, tables in enumerate(known)
        for name, table in tables.items()
    }


def read_gathered(record: Record, count: int) -> list[Tables]:
    """The same again.

    Args:
        record: Of one shard.
        count: How many gatherings there are.
    """
    known: list[Tables] = [{} for _ in range(count)]
    for path, table in record.tables.items():
        place, _, name = path.partition(_BETWEEN)
        known[int(place)][name] = table
    return known


def merged_tables(known: Mapping[str, Tables]) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    """What is known of all shards, by the name of the gathering: document and tables."""
    return {"gatherings": list(known)}, gathered_tables(list(known.values()))


def read_merged(record: Record) -> dict[str, Tables]:
    """The same again."""
    names: list[str] = record.document["gatherings"]
    return dict(zip(names, read_gathered(record, len(names)), strict=True))
