"""How fast a masking job is against a bare copy by Polars, and how much memory it takes.

Yardstick: Polars scans the plain file and writes it again in the same format, synced to disk. The
job reads the same rows (sealed, or plain), tokenizes two columns, hashes one, masks one in part,
shifts one date and puts one number into bins, keeps six, seals the output and syncs it. Both run in
turns, each in a process of its own; the clock runs from the first byte read, after the imports. A
ratio of 0.5 means that the job takes twice as long; the median of the rounds counts, without the
first, which reads from the disk what the others find in memory. Resident memory is the peak of the
job's whole process. All runs are on two cores, those of sealed Parquet on one as well. CSV is told
without a limit: Polars copies it with a third less work than Parquet, and the job writes twice the
bytes.

Two workers that share a job, each on a core of its own, are measured against one on one core.

    python tests/bench/bench_masking.py [--rows N] [--rounds N] [--folder FOLDER] [--case NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from figures import figure
from polars.io.plugins import register_io_source

from leeward.formats.sealed import ArtefactKey, seal_file

MIN_RATIO: Final = 1 / 2
MAX_RESIDENT_MIB: Final = 1024
WORKERS: Final = "two-workers"
MIN_SHARED: Final = 1.7
ROW_GROUP: Final = 262_144
KEY: Final = ArtefactKey(bytes(16), bytes(32))
SCHEMA: Final = {
    "patient_id": "String",
    "visit_id": "Integer",
    "insurance_number": "String",
    "phone": "String",
    "admitted": "Date",
    "income": "Integer",
    "sex": "String",
    "age": "Integer",
    "ward": "String",
    "days": "Integer",
    "diagnosis": "String",
    "cost": "Float",
}

BARE = """
import json, sys, time
import polars as pl
source, target, form = sys.argv[1:]
begin = time.perf_counter()
if form == "CSV":
    pl.scan_csv(source).sink_csv(target, sync_on_close="all")
else:
    pl.scan_parquet(source).sink_parquet(target, sync_on_close="all")
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "processor": time.process_time()}))
"""

JOB = """
import json, os, sys, time
index = int(sys.argv[2])
if len(sys.argv) > 3:
    os.sched_setaffinity(0, {int(sys.argv[3])})
from leeward_masking.pod.allocators import tune_allocators
tune_allocators()
from pathlib import Path
from leeward.formats.jobconfig import MaskingConfig
from leeward.formats.sealed import ArtefactKey
from leeward_masking.engine import mask_file
from leeward_masking.progress import Progress
from leeward_masking.workers.worker import Worker
config = MaskingConfig.model_validate_json(Path(sys.argv[1]).read_text())
key = ArtefactKey(bytes(16), bytes(32))
keys = [key] if config.source.key_role else None
material_of = lambda role: bytes(64)
print(flush=True)
sys.stdin.readline()
begin, imported = time.perf_counter(), time.process_time()
if config.workers is None:
    mask_file(config, keys, material_of, key, Progress())
else:
    Worker(config, keys, material_of, key, bytes(32), index, Progress()).run()
seconds = time.perf_counter() - begin
status = Path("/proc/self/status").read_text()
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
processor = time.process_time() - imported
figures = {"seconds": seconds, "processor": processor, "mib": int(peak) / 1024}
print(json.dumps(figures))
"""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    form: str
    sealed: bool


CASES: Final = (
    Case("parquet-sealed", "Parquet", True),
    Case("parquet-plain", "Parquet", False),
    Case("csv-sealed", "CSV", True),
)


def blocks(rows: int) -> Iterator[pl.DataFrame]:
    """Made-up admissions: a fifth as many patients as rows, in no order; every visit once."""
    random = np.random.default_rng(1)
    letters = np.array(["A", "B", "C", "D", "E"])
    for start in range(0, rows, ROW_GROUP):
        count = min(ROW_GROUP, rows - start)
        patient = random.integers(0, max(1, rows // 5), count)
        yield pl.DataFrame(
            {
                "patient_id": pl.Series(patient).cast(pl.String).str.zfill(9),
                "visit_id": np.arange(start, start + count) * 7919,
                "insurance_number": pl.Series(patient * 7_368_787 % 10**10)
                .cast(pl.String)
                .str.zfill(10),
                "phone": "+44 7" + pl.Series(random.integers(10**8, 10**9, count)).cast(pl.String),
                "admitted": pl.Series(random.integers(14_000, 20_000, count))
                .cast(pl.Int32)
                .cast(pl.Date),
                "income": random.integers(0, 150_000, count),
                "sex": pl.Series(letters[random.integers(0, 3, count)].tolist()),
                "age": random.integers(0, 100, count),
                "ward": pl.Series(letters[random.integers(0, 5, count)].tolist()),
                "days": random.integers(0, 60, count),
                "diagnosis": "I" + pl.Series(random.integers(0, 999, count)).cast(pl.String),
                "cost": np.round(random.gamma(2, 1000, count), 2),
            }
        )


def make_source(folder: Path, rows: int, case: Case) -> Path:
    """The plain file; sealed beside it where the case wants it."""
    path = folder / f"source.{case.form.lower()}"
    if not path.exists():
        schema = next(blocks(1)).schema
        lazy = register_io_source(lambda *_: blocks(rows), schema=schema)
        if case.form == "CSV":
            lazy.sink_csv(path)
        else:
            lazy.sink_parquet(path, row_group_size=ROW_GROUP)
    sealed = path.with_name(path.name + ".lwe1")
    if case.sealed and not sealed.exists():
        seal_file(path, sealed, [KEY])
    return path


def config(source: Path, output: Path, case: Case, workers: int | None = None) -> dict[str, object]:
    """The job: six columns transformed, six kept."""
    key = {"vault": {"name": "clinic"}, "key": "tokens"}
    transforms: dict[str, dict[str, object]] = {
        "patient_id": {"tokenize": {"key": key}},
        "visit_id": {"tokenize": {"key": key}},
        "insurance_number": {"hash": {"key": key, "length": 32}},
        "phone": {"partialMask": {"keepLast": 4}},
        "admitted": {"dateShift": {"maxDays": 30, "key": key}},
        "income": {"generalize": {"bins": ["0", "20000", "50000", "100000"]}},
    }
    return {
        "source": {
            "path": str(source),
            "format": case.form,
            "keyRole": "source" if case.sealed else None,
            "columns": [{"name": name, "type": kind} for name, kind in SCHEMA.items()],
        },
        "rules": [
            {
                "rule": {"name": name, **transforms.get(name, {"keep": {}})},
                "columns": [name],
                "keyRole": f"rule:{name}",
                "subject": "patient_id",
            }
            for name in SCHEMA
        ],
        "output": {"path": str(output), "format": case.form},
        "workers": workers,
    }


def run(program: str, cores: Sequence[int], *arguments: str) -> dict[str, float]:
    """Run a program in a process of its own on these cores; what it prints is its figures."""
    pinned = ["taskset", "-c", ",".join(map(str, cores))]
    command = [*pinned, sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=1800, input="\n"
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def run_workers(job: Path, cores: Sequence[int]) -> tuple[float, list[dict[str, float]]]:
    """Run one worker on each of these cores; seconds until the last has ended, and their figures.

    All have imported what they need before the clock runs.
    """
    commands = [
        [sys.executable, "-c", JOB, str(job), str(index), str(core)]
        for index, core in enumerate(cores)
    ]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for command in commands
        ]
        for process in processes:
            if process.stdout is None or process.stdout.readline() != "\n":
                raise RuntimeError("a worker did not start")
        begin = time.perf_counter()
        for process in processes:
            if process.stdin is not None:
                process.stdin.write("\n")
                process.stdin.flush()
        texts = [process.communicate(timeout=1800)[0] for process in processes]
        seconds = time.perf_counter() - begin
    return seconds, [json.loads(text) for text in texts]


def two_workers(folder: Path, rows: int, rounds: int) -> tuple[float, float]:
    """How much faster two workers are on two cores than one on one, and the largest peak in MiB."""
    case = CASES[0]
    source = make_source(folder, rows, case)
    source = source.with_name(source.name + ".lwe1")
    output, job = folder / "shared.lwe1", folder / "job.json"
    first, second = sorted(os.sched_getaffinity(0))[:2]
    ratios, peaks = [], []
    for number in range(rounds + 1):
        job.write_text(json.dumps(config(source, output, case)))
        alone, (one,) = run_workers(job, [first])
        output.unlink()
        job.write_text(json.dumps(config(source, output, case, workers=2)))
        together, both = run_workers(job, [first, second])
        output.unlink()
        shutil.rmtree(f"{output}.parts")
        peaks += [worker["mib"] for worker in both]
        if number:
            ratios.append(alone / together)
        processor = " + ".join(f"{worker['processor']:.1f}" for worker in both)
        print(
            f"note workers round {number or 'not counted'}: one {alone:.1f} s (processor "
            f"{one['processor']:.1f} s), two {together:.1f} s (processor {processor} s), resident "
            f"{max(worker['mib'] for worker in both):.0f} MiB each",
            flush=True,
        )
    return statistics.median(ratios), max(peaks)


def compare(
    case: Case, folder: Path, rows: int, rounds: int, cores: Sequence[int]
) -> tuple[float, float]:
    """Ratio of the speeds, and the job's peak of resident memory in MiB."""
    plain = make_source(folder, rows, case)
    source = plain.with_name(plain.name + ".lwe1") if case.sealed else plain
    output, copy = folder / "output.lwe1", folder / "copy"
    job = folder / "job.json"
    job.write_text(json.dumps(config(source, output, case)))
    ratios, peaks = [], []
    for number in range(rounds + 1):
        # What a side wrote goes right before it writes again: a virtual machine whose host takes
        # free memory away would else fetch that memory back while the side is measured.
        copy.unlink(missing_ok=True)
        bare = run(BARE, cores, str(plain), str(copy), case.form)
        output.unlink(missing_ok=True)
        own = run(JOB, cores, str(job), "0")
        peaks.append(own["mib"])
        if number:
            # Round by round, so that what else the machine does weighs on both sides alike.
            ratios.append(bare["seconds"] / own["seconds"])
        print(
            f"note {case.name} on {len(cores)} round {number or 'not counted'}: "
            f"bare {bare['seconds']:.1f} s (processor {bare['processor']:.1f} s), "
            f"job {own['seconds']:.1f} s (processor {own['processor']:.1f} s), "
            f"resident {own['mib']:.0f} MiB",
            flush=True,
        )
    return statistics.median(ratios), max(peaks)


def measured(name: str | None) -> Iterator[tuple[Case, list[int]]]:
    """The cases of that name, or all, with the cores that they run on; the first on one, too."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    for case in CASES:
        if name in (None, case.name):
            yield case, cores
    if name in (None, CASES[0].name) and len(cores) > 1:
        yield CASES[0], cores[:1]


def main() -> int:
    """Run the cases; 0 where every figure holds."""
    parser = argparse.ArgumentParser(description="masking against a bare Polars scan and write")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    names = [*(case.name for case in CASES), WORKERS]
    parser.add_argument("--case", choices=names, default=None)
    options = parser.parse_args()
    good = True
    peak = 0.0
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        for case, cores in measured(options.case):
            ratio, mib = compare(case, Path(temporary), options.rows, options.rounds, cores)
            name = f"masking-{case.name}-{'one-core' if len(cores) == 1 else 'speed'}"
            if case.form == "Parquet":
                good &= figure(name, ratio, "times", MIN_RATIO, ratio >= MIN_RATIO)
            else:
                print(f"note {name} {ratio:.3g} times", flush=True)
            peak = max(peak, mib)
        if options.case in (None, WORKERS) and len(os.sched_getaffinity(0)) > 1:
            ratio, mib = two_workers(Path(temporary), options.rows, options.rounds)
            good &= figure("masking-two-workers", ratio, "times", MIN_SHARED, ratio >= MIN_SHARED)
            peak = max(peak, mib)
    good &= figure("masking-resident", peak, "MiB", MAX_RESIDENT_MIB, peak <= MAX_RESIDENT_MIB)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
