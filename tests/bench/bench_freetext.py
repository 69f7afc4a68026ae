"""How fast personal data is found in short notes, and how much of it, against Presidio.

Ours and the yardstick run one after the other, each in a process of its own on one core. Presidio
gets its pattern recognizers for English and a blank spaCy tokenizer, without a model; both look for
the same entities: mail, phone, card, IBAN, IP, URL and national identifiers. The notes are those of
tests/golden/freetext/en.txt, repeated. All our entities, also those that Presidio has no pattern
for, are measured besides. Presidio is no requirement of the project: it is installed from PyPI
(peers.py); where that fails, only our figures are printed, and a line says so.

    python tests/bench/bench_freetext.py [--notes N] [--peer-notes N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl
from figures import figure
from peers import PATTERNS_ONLY, on_one_core, peer_python

from leeward_masking.freetext import evaluate, read_labelled
from leeward_masking.freetext.spans import SPAN_SCHEMA

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = ROOT / "tests" / "golden" / "freetext" / "en.txt"
PEER_VERSION: Final = "presidio-analyzer==2.2.366"
MIN_RATIO: Final = 20
SHARED: Final = {
    "EMAIL_ADDRESS": "Mail",
    "PHONE_NUMBER": "Phone",
    "CREDIT_CARD": "Card",
    "IBAN_CODE": "Iban",
    "IP_ADDRESS": "Ip",
    "URL": "Url",
    "US_SSN": "NationalId",
    "UK_NHS": "NationalId",
}

OURS = """
import json, sys, time
import polars as pl
from leeward_masking.freetext import FreeTextDetector, ENTITIES
sample, count, entities = json.load(sys.stdin)
notes = pl.Series((sample * (count // len(sample) + 1))[:count])
detector = FreeTextDetector(entities or ENTITIES)
detector.find(notes[:1000])
begin = time.perf_counter()
for start in range(0, count, 50_000):
    detector.find(notes[start : start + 50_000])
print(json.dumps(count / (time.perf_counter() - begin)))
"""

PEER = (
    PATTERNS_ONLY
    + """
sample, count, entities = json.load(sys.stdin)
def find(note):
    return engine.analyze(note, language="en", entities=entities)
found = [(row, one.start, one.end, one.entity_type, one.score)
         for row, note in enumerate(sample) for one in find(note)]
notes = (sample * (count // len(sample) + 1))[:count]
begin = time.perf_counter()
for note in notes:
    find(note)
print(json.dumps([count / (time.perf_counter() - begin), found]))
"""
)


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--notes", type=int, default=1_000_000)
    parser.add_argument("--peer-notes", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    notes, labelled = read_labelled(SAMPLE.read_text(encoding="utf-8").splitlines())
    sample = notes.to_list()
    shared = sorted(set(SHARED.values()))
    rates = [_ours(sample, given.notes, shared) for _ in range(given.rounds)]
    ours = statistics.median(rates)
    print(f"{given.notes:,} notes, one core, median of {given.rounds}")
    print(f"entities that Presidio has, too   {ours:12,.0f} notes/s")
    print(f"all entities                      {_ours(sample, given.notes, []):12,.0f} notes/s")
    peer = peer_python("presidio", PEER_VERSION)
    if peer is None:
        print(f"Presidio is not measured: {PEER_VERSION} cannot be installed here")
        return 0
    rate, spans = on_one_core(
        str(peer), PEER, json.dumps([sample, given.peer_notes, sorted(SHARED)])
    )
    print(f"Presidio, patterns only           {rate:12,.0f} notes/s, {given.peer_notes:,} notes")
    fast = figure("freetext-presidio", ours / rate, "times", MIN_RATIO, ours >= MIN_RATIO * rate)
    better = _compare(notes, labelled, spans, shared)
    return 0 if fast and better else 1


def _compare(
    notes: pl.Series, labelled: pl.DataFrame, spans: list[list[Any]], shared: list[str]
) -> bool:
    """Print recall by entity; whether ours is at least the same everywhere."""
    from leeward_masking.freetext import FreeTextDetector

    rows = [(row, start, end, SHARED[kind], "", sure) for row, start, end, kind, sure in spans]
    peer = evaluate(labelled, pl.DataFrame(rows, SPAN_SCHEMA, orient="row"))
    mine = evaluate(labelled, FreeTextDetector(shared).find(notes))
    print(f"{'entity':12} labelled  recall ours  Presidio  precision ours  Presidio")
    better = True
    for entity in shared:
        ours, theirs = mine[entity], peer[entity]
        better &= ours.touched_recall >= theirs.touched_recall
        print(
            f"{entity:12} {ours.labelled:8}  {ours.touched_recall:11.3f} "
            f" {theirs.touched_recall:8.3f}"
            f"  {ours.precision:14.3f}  {theirs.precision:8.3f}"
        )
    return better


def _ours(sample: list[str], count: int, entities: list[str]) -> float:
    return float(on_one_core(sys.executable, OURS, json.dumps([sample, count, entities])))


if __name__ == "__main__":
    sys.exit(main())
