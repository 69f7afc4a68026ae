"""How fast format-preserving encryption (FF1) is, against the fastest packages found.

Account numbers of 10 digits and card numbers of 16, each one different, AES-256, one core. Ours is
the transform as jobs use it, columns in and columns out. The others are fastfpe (Rust) and libffx
(Python on cryptography's AES), each called once per value as its users do, with the key set up once
where the package lets one. All must give the same results, or nothing is measured. pyffx, ff3 and
ubiq-security-fpe were tried, too: they are slower than these, or have no FF1.

    python tests/bench/bench_ff1.py [--values N] [--peer-values N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Final

from figures import figure
from peers import on_one_core, peer_python

from leeward_masking.ciphers.keys import KEY_SIZE, derive

PEERS: Final = ("fastfpe==0.2.1", "libffx==2.0.1")
MIN_RATIO: Final = 5
LENGTHS: Final = (10, 16)
MATERIAL: Final = bytes(range(32))
KEY: Final = derive(MATERIAL, "formatPreserving", KEY_SIZE).hex()
STEP: Final = 7_368_787
"""Shares no factor with 10, so that all values differ."""

OURS = """
import json, sys, time
import polars as pl
from leeward.api.transforms import FormatPreserving
from leeward_masking.transforms.formatpreserving import FormatPreservingMask
material, values = json.load(sys.stdin)
key = {"vault": {"name": "bench"}, "key": "fpe"}
rule = FormatPreserving.model_validate({"key": key, "alphabet": "Digits"})
mask = FormatPreservingMask(bytes.fromhex(material), rule)
column = pl.Series(values)
mask(column[:1000])
begin = time.perf_counter()
out = mask(column)
print(json.dumps([len(values) / (time.perf_counter() - begin), out.to_list()]))
"""

FASTFPE = """
import json, sys, time
from fastfpe import ff1
key, values = json.load(sys.stdin)
begin = time.perf_counter()
out = [ff1.encrypt(key, "", "0123456789", value) for value in values]
print(json.dumps([len(values) / (time.perf_counter() - begin), out]))
"""

LIBFFX = """
import json, sys, time
from ffx import FF1
key, values = json.load(sys.stdin)
cipher = FF1(bytes.fromhex(key), radix=10)
begin = time.perf_counter()
out = [cipher.encrypt(value) for value in values]
print(json.dumps([len(values) / (time.perf_counter() - begin), out]))
"""


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description="FF1 over columns against FF1 per value")
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--peer-values", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    peer = peer_python("ff1", *PEERS)
    if peer is None:
        print(f"note ff1 is not compared: {', '.join(PEERS)} cannot be installed here")
    good = True
    for length in LENGTHS:
        ours, mine = _rate(sys.executable, OURS, MATERIAL.hex(), length, given.values, given.rounds)
        print(f"note ff1-{length}-digits ours {ours:,.0f} values/s", flush=True)
        rates = []
        for name, program in (("fastfpe", FASTFPE), ("libffx", LIBFFX)) if peer else ():
            count = min(given.peer_values, given.values)
            rate, theirs = _rate(str(peer), program, KEY, length, count, given.rounds)
            if theirs != mine[:count]:
                raise SystemExit(f"{name} gives other results: nothing is compared")
            print(f"note ff1-{length}-digits {name} {rate:,.0f} values/s", flush=True)
            rates.append(rate)
        if rates:
            ratio = ours / max(rates)
            good &= figure(f"ff1-{length}-digits", ratio, "times", MIN_RATIO, ratio >= MIN_RATIO)
    return 0 if good else 1


def _rate(
    python: str, program: str, key: str, length: int, count: int, rounds: int
) -> tuple[float, list[str]]:
    """Values a second, the median of the rounds, and the results."""
    values = [str(number * STEP % 10**length).zfill(length) for number in range(count)]
    runs = [on_one_core(python, program, json.dumps([key, values])) for _ in range(rounds)]
    return statistics.median(rate for rate, _ in runs), runs[0][1]


if __name__ == "__main__":
    sys.exit(main())
