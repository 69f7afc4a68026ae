"""What is kept of each block keeps no block in memory."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import polars as pl
from leeward_masking.report.sample import RowSample
from leeward_masking.transforms.distribution import Distribution

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) >> 10

def block(number):
    texts = pl.int_range(131_072, eager=True).cast(pl.String).str.pad_start(40, "x")
    return pl.DataFrame({"text": texts + f"-{number}"})

samples = RowSample({"text": True}, {"text": True}, rows=200)
distribution = Distribution(pl.String(), max_values=200)
for number in range(60):
    if number == 10:
        before = resident()
    rows = block(number)
    if sys.argv[1] == "sample":
        samples.add(rows, rows, None)
    else:
        distribution.add(rows["text"])
print(resident() - before)
"""


@pytest.mark.parametrize("what", ["sample", "distribution"])
def test_a_few_rows_of_each_block_take_little_memory(what: str) -> None:
    """Fifty blocks of six MiB; a view of one text would keep each."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 100
