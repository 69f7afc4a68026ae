"""How long k-anonymity of a million rows takes on one core, and whether the loss is the least.

Rows of 9 quasi-identifiers, with as many values and levels as the hierarchies that are usual for
the census extract "Adult" (12,960 nodes), drawn by a seed: skewed, and the first five depend on
each other. The clock runs from columns of text to generalized codes: encoding, counting in blocks,
the search, and applying the answer. The yardstick is the same search without pruning, which looks
at every node of the same lattice and rolls counts up in the same way: its loss is the optimum.

    python tests/bench/bench_anonymity.py [--rows N] [--limit SHARE]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from fractions import Fraction
from typing import Final

import numpy as np
import polars as pl
from figures import figure

from leeward_masking.anonymity.counts import CountTable, count_block, merge
from leeward_masking.anonymity.grouping import CodeArray
from leeward_masking.anonymity.hierarchy import Hierarchy, from_columns
from leeward_masking.anonymity.lattice import Lattice, make_lattice
from leeward_masking.anonymity.models import KAnonymity
from leeward_masking.anonymity.search import Answer, search
from leeward_masking.privacymodel.classes import encode as codes_of

K: Final = 5
MAX_SECONDS: Final = 60.0
BLOCK: Final = 131_072
WIDTHS: Final = {
    "age": (1, 5, 10, 20, 74),
    "sex": (1, 2),
    "race": (1, 5),
    "marital_status": (1, 3, 7),
    "education": (1, 3, 6, 16),
    "country": (1, 9, 41),
    "work_class": (1, 3, 8),
    "occupation": (1, 5, 14),
    "salary_class": (1, 2),
}
"""Per column how many values are joined at each level; the last: all of them."""


def hierarchies() -> list[Hierarchy]:
    """One per column: values are joined in order."""
    made = []
    for name, widths in WIDTHS.items():
        values = np.arange(widths[-1])
        made.append(from_columns(name, [pl.Series(values // width) for width in widths]))
    return made


def draw(rows: int) -> pl.DataFrame:
    """Skewed columns; half of the values of the first five follow a common one."""
    random = np.random.default_rng(7)
    common = random.random(rows)
    columns = {}
    for place, (name, widths) in enumerate(WIDTHS.items()):
        follows = (random.random(rows) < 0.5) & (place < 5)
        share = np.where(follows, common, random.random(rows)) ** 2
        columns[name] = pl.Series((share * widths[-1]).astype(np.int64)).cast(pl.String)
    return pl.DataFrame(columns)


def encode(frame: pl.DataFrame, made: list[Hierarchy], start: int) -> CodeArray:
    """The codes of one block."""
    block = frame.slice(start, BLOCK)
    return np.stack([codes_of(block[hierarchy.name], hierarchy.labels[0]) for hierarchy in made])


def anonymize(
    frame: pl.DataFrame, made: list[Hierarchy], lattice: Lattice, limit: Fraction
) -> tuple[CountTable, Answer]:
    """All of the work, with what each part takes."""
    began = time.perf_counter()
    blocks = [encode(frame, made, start) for start in range(0, frame.height, BLOCK)]
    encoded = time.perf_counter()
    sizes = [hierarchy.values for hierarchy in made]
    table = merge([count_block(block, sizes) for block in blocks]).settle()
    counted = time.perf_counter()
    answer = search(table, lattice, [KAnonymity(K)], limit)
    searched = time.perf_counter()
    left_out = sum(int(np.count_nonzero(~answer.apply(block)[1])) for block in blocks)
    applied = time.perf_counter()
    if left_out != answer.table.rows[answer.suppressed].sum():
        raise AssertionError
    print(
        f"{frame.height:,} rows, {len(table):,} combinations: encode {encoded - began:.1f} s, count"
        f" {counted - encoded:.1f} s, search {searched - counted:.1f} s ({answer.evaluated:,} of"
        f" {np.prod(lattice.shape):,} nodes), apply {applied - searched:.1f} s",
        flush=True,
    )
    return table, answer


def main() -> int:
    """Measure; 0 where both figures hold."""
    parser = argparse.ArgumentParser(description="k-anonymity against looking at every node")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--limit", type=Fraction, default=Fraction(2, 100))
    options = parser.parse_args()
    # The last core, as interrupts go to the first; before Polars asks how many there are.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    made = hierarchies()
    lattice = make_lattice(made)
    frame = draw(options.rows)
    began = time.perf_counter()
    table, answer = anonymize(frame, made, lattice, options.limit)
    seconds = time.perf_counter() - began
    good = figure("anonymity-time", round(seconds, 2), "s", MAX_SECONDS, seconds <= MAX_SECONDS)
    began = time.perf_counter()
    optimum = search(table, lattice, [KAnonymity(K)], options.limit, prune=False)
    print(
        f"note every one of {optimum.evaluated:,} nodes: {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    same = (answer.node, answer.loss) == (optimum.node, optimum.loss)
    good &= figure("anonymity-loss", answer.loss, "of-1", optimum.loss, same, digits=9)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
