"""How many rows a second are masked, against the structured path of Presidio.

The same six columns of the same rows: two encrypted (ours: tokenized), one hashed, one masked in
part, one date shifted, one put into bins. Presidio's path is the one that its documentation shows:
an analysis finds out what each column holds, then the engine applies an operator to every value;
its recognizers are patterns without a model, which is the fastest that it has. It works on rows in
memory. Ours is a whole job: from a sealed Parquet file to a sealed Parquet file, with the report.
Presidio's second step alone, with the analysis given, is told besides.

    python tests/bench/bench_structured.py [--rows N] [--peer-rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench_masking import CASES, JOB, blocks, config, make_source
from figures import figure
from peers import PATTERNS_ONLY, on_one_core, peer_python

PEERS: Final = ("presidio-analyzer==2.2.366", "presidio-structured==0.0.10")
MIN_RATIO: Final = 1000
COLUMNS: Final = ("patient_id", "visit_id", "insurance_number", "phone", "admitted", "income")

PEER = (
    PATTERNS_ONLY
    + """
import datetime
import pandas as pd
from presidio_anonymizer.entities import OperatorConfig
from presidio_structured import (
    PandasAnalysisBuilder, PandasDataProcessor, StructuredAnalysis, StructuredEngine,
)
rows = pd.DataFrame(json.load(sys.stdin))
key = {"key": "0123456789abcdef"}
def shifted(text):
    return str(datetime.date.fromisoformat(text) + datetime.timedelta(days=7))
def binned(text):
    return next((label for low, label in BINS if int(text) >= low), "<0")
BINS = [
    (100000, ">=100000"), (50000, "[50000, 100000)"), (20000, "[20000, 50000)"), (0, "[0, 20000)")
]
operators = {
    "patient_id": OperatorConfig("encrypt", key),
    "visit_id": OperatorConfig("encrypt", key),
    "insurance_number": OperatorConfig("hash", {"hash_type": "sha256"}),
    "phone": OperatorConfig("mask", {"masking_char": "*", "chars_to_mask": 9, "from_end": False}),
    "admitted": OperatorConfig("custom", {"lambda": shifted}),
    "income": OperatorConfig("custom", {"lambda": binned}),
}
begin = time.perf_counter()
PandasAnalysisBuilder(analyzer=engine).generate_analysis(rows)
analysed = time.perf_counter()
analysis = StructuredAnalysis(entity_mapping={name: name for name in operators})
StructuredEngine(data_processor=PandasDataProcessor()).anonymize(rows, analysis, operators)
ended = time.perf_counter()
print(json.dumps([len(rows) / (ended - begin), len(rows) / (ended - analysed)]))
"""
)


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description="a masking job against Presidio structured")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--peer-rows", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ours = statistics.median(_ours(given.rows, given.rounds))
    print(f"note structured ours {ours:,.0f} rows/s, one core, sealed file to sealed file")
    peer = peer_python("structured", *PEERS)
    if peer is None:
        print(f"note structured is not compared: {', '.join(PEERS)} cannot be installed here")
        return 0
    rows = next(blocks(given.peer_rows)).select(COLUMNS)
    texts = {name: [str(value) for value in rows[name]] for name in COLUMNS}
    whole, second = on_one_core(str(peer), PEER, json.dumps(texts))
    print(f"note structured Presidio {whole:,.0f} rows/s; with the analysis given {second:,.0f}")
    print(f"note structured-without-analysis {ours / second:.3g} times")
    ratio = ours / whole
    return 0 if figure("structured-presidio", ratio, "times", MIN_RATIO, ratio >= MIN_RATIO) else 1


def _ours(rows: int, rounds: int) -> list[float]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        case = next(case for case in CASES if case.name == "parquet-sealed")
        plain = make_source(folder, rows, case)
        job = folder / "job.json"
        source = plain.with_name(plain.name + ".lwe1")
        job.write_text(json.dumps(config(source, folder / "output.lwe1", case)))
        return [
            rows / on_one_core(sys.executable, JOB, "\n", str(job), "0")["seconds"]
            for _ in range(rounds)
        ]


if __name__ == "__main__":
    sys.exit(main())
