"""What pods made of a shard, as records in the work folder tell it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from leeward.formats.parts import Part
from leeward.formats.result import ResultFile
from leeward_masking.transforms.gathering import Tables
from leeward_masking.workers.workfolder import Record

_BETWEEN: Final = "/"


def part_of(path: Path, written: ResultFile | None, rows: int) -> Part:
    """A part of the output, as its manifest names it.

    Args:
        path: Where it is.
        written: What was written there.
        rows: How many it holds.
    """
    if written is None or written.file_id is None:
        raise AssertionError(path)
    return Part(
        name=path.name,
        file_id=written.file_id,
        digest=written.digest,
        bytes=written.bytes,
        rows=rows,
    )


def gathered_tables(known: Sequence[Tables]) -> dict[str, pl.DataFrame]:
    """What the gatherers of one shard know, in the order of the gatherings."""
    return {
        f"{place}{_BETWEEN}{name}": table
        for place, tables in enumerate(known)
        for name, table in tables.items()
    }


class GatheredParts:
    """The same again, of all shards in turn: one is in memory at a time.

    Args:
        records: Reads the record of each shard, in order.
        count: How many gatherings there are.
    """

    def __init__(self, records: Callable[[], Iterator[Record]], count: int) -> None:
        self._records = records
        self._count = count

    def __iter__(self) -> Iterator[list[Tables]]:
        """What the gatherers know of each shard, read anew."""
        for record in self._records():
            yield _tables(record, self._count)


def merged_tables(known: Mapping[str, Tables]) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    """What is known of all shards, by the name of the gathering: document and tables."""
    return {"gatherings": list(known)}, gathered_tables(list(known.values()))


def read_merged(record: Record) -> dict[str, Tables]:
    """The same again."""
    names: list[str] = record.document["gatherings"]
    return dict(zip(names, _tables(record, len(names)), strict=True))


def _tables(record: Record, count: int) -> list[Tables]:
    known: list[Tables] = [{} for _ in range(count)]
    for path, table in record.tables.items():
        place, _, name = path.partition(_BETWEEN)
        known[int(place)][name] = table
    return known
