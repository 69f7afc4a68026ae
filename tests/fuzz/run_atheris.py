"""Fuzz all parsers of untrusted bytes for long, guided by coverage (atheris, libFuzzer).

    python tests/fuzz/run_atheris.py --cases 10000000 --jobs 2
    python tests/fuzz/run_atheris.py --seconds 30 --harness import-pem

Each harness runs in a process of its own, begins with its seeds and what earlier runs found to be
of interest (build/fuzz/NAME), and prints one line. `--cases` are shared evenly by all harnesses and
counted from run to run (build/fuzz/NAME.cases): what was ended goes on where it was. A crash, an
error that is not declared, a secret in an error or a case that takes too long ends a harness:
the input is kept beside, and the exit status is 1.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "fuzz"
INSTRUMENTED = ["leeward", "joserfc", "shamir_mnemonic", "zxcvbn"]
"""Packages in Python whose branches guide the search."""

CASE_LIMIT = 60
"""Seconds that one case may take until libFuzzer stops it: a case that never ends."""

MEMORY_LIMIT = 1024
"""MiB of one process."""

SLICE = 120
"""Seconds after which a process is followed by another: what it tried is on record then."""

_EXECUTED = re.compile(r"stat::number_of_executed_units: +(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


def main() -> int:
    """Fuzz what was asked for; 1 if anything was found."""
    options = _options()
    if options.one:
        _fuzz(options.one, options.arguments)
        return 0
    names = options.harness or _names()
    share = -(-options.cases // len(names))
    with ThreadPoolExecutor(options.jobs) as pool:
        sound = list(pool.map(lambda name: _run(name, share, options.seconds), names))
    return 0 if all(sound) else 1


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--cases", type=int, default=0, help="cases of all harnesses together; 0: no limit"
    )
    parser.add_argument("--seconds", type=int, default=0, help="of each harness; 0: no limit")
    parser.add_argument("--jobs", type=int, default=2, help="harnesses that run at once")
    parser.add_argument("--harness", action="append", help="only this one; may be given often")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.cases or options.seconds or options.one):
        parser.error("say when to end: --cases or --seconds")
    return options


def _targets() -> ModuleType:
    for folder in (ROOT / "tests", ROOT / "operator" / "src"):
        sys.path.insert(0, str(folder))
    sys.path.remove(str(Path(__file__).parent))
    from fuzz import targets

    return targets


def _names() -> list[str]:
    made = _targets().harnesses()
    return sorted(name for name in made if made[name].soaks)


def _run(name: str, share: int, seconds: int) -> bool:
    """One harness up to its share of cases, or for so long; whether nothing was found."""
    record = OUTPUT / f"{name}.cases"
    begun = time.monotonic()
    done = int(record.read_text()) if share and record.exists() else 0
    before, covered, sound = done, 0, True
    while sound and (done < share if share else done == before):
        cases, covered, sound = _slice(name, max(0, share - done), seconds or SLICE)
        done += cases
        if share:
            record.write_text(str(done))
        sound = sound and cases > 0
    passed = time.monotonic() - begun
    verdict = "ok" if sound else f"FOUND, see {(OUTPUT / name).relative_to(ROOT)}.log"
    rate = (done - before) / passed
    figures = f"{done:>11} cases {rate:>7.0f} /s {passed:>6.0f} s {covered:>5} edges"
    print(f"{name:22} {figures} {verdict}", flush=True)
    return sound


def _slice(name: str, cases: int, seconds: int) -> tuple[int, int, bool]:
    """A process of one harness: cases that it tried, branches, and whether nothing was found."""
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--one", name, "--", f"-artifact_prefix={folder}-"]
    command += [f"-timeout={CASE_LIMIT}", f"-rss_limit_mb={MEMORY_LIMIT}", "-print_final_stats=1"]
    command += [f"-max_total_time={seconds}", *([f"-runs={cases}"] if cases else [])]
    ended = subprocess.run(
        [*command, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    (OUTPUT / f"{name}.log").write_text(ended.stdout)
    counted = _EXECUTED.search(ended.stdout)
    covered = max((int(number) for number in _COVERED.findall(ended.stdout)), default=0)
    return int(counted[1]) if counted else 0, covered, ended.returncode == 0


def _fuzz(name: str, arguments: list[str]) -> None:
    """In the process of one harness: fuzz until a limit, or a find."""
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = _targets()
        harness = targets.harnesses()[name]
    folder = Path(arguments[-1])
    for seed in harness.beginnings():
        (folder / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)

    def mutate(data: bytes, size: int, number: int) -> bytes:
        # Half by structure, half by libFuzzer, which knows what comparisons failed.
        changed = harness.mutate(data, number) if number % 2 else atheris.Mutate(data, size)
        return bytes(changed[:size])

    run: Callable[[bytes], None] = harness
    atheris.Setup(
        [sys.argv[0], f"-max_len={harness.max_size}", *arguments],
        lambda data: run(data),
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
