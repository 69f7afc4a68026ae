"""How fast sealing and opening a file is, and how much memory it takes.

Yardstick: one thread that reads the file, seals or opens each MiB with AES-256-GCM, writes it and
syncs the result: the least that can leave an encrypted file on the disk. Ours besides derives keys,
hashes the core for receipts, checks the end, renames. Both run in turns over the same file in the
page cache; medians count. Resident memory is that of a process that does nothing else, with
interpreter and libraries in it.

    python tests/bench/bench_seal.py [--size MiB] [--rounds N] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leeward.formats.sealed import ArtefactKey, open_file, seal_file

MIB = 1 << 20
TAG = 16
KEY = ArtefactKey(bytes(16), bytes(32))

CHILD = """
import sys
from pathlib import Path
from leeward.formats.sealed import ArtefactKey, open_file, seal_file
key = ArtefactKey(bytes(16), bytes(32))
operation, source, target = sys.argv[1:]
if operation != "import":
    {"seal": seal_file, "open": open_file}[operation](Path(source), Path(target), [key])
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def bare_loop(source: Path, target: Path, seal: bool, durable: bool = True) -> None:
    """Read, AES-GCM, write, chunk by chunk, in the same two buffers all the time."""
    aead = AESGCM(bytes(32))
    crypt = aead.encrypt_into if seal else aead.decrypt_into
    taken = memoryview(bytearray(MIB if seal else MIB + TAG))
    given = memoryview(bytearray(MIB + TAG if seal else MIB))
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        index = 0
        while count := reading.readinto(taken):
            out = given[: count + TAG if seal else count - TAG]
            crypt(index.to_bytes(12, "big"), taken[:count], None, out)
            writing.write(out)
            index += 1
        if durable:
            os.fsync(writing.fileno())


def seconds(work: Callable[[], object], target: Path) -> float:
    """Wall-clock time of `work`, which makes `target` anew."""
    target.unlink(missing_ok=True)
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def resident_mib(operation: str, source: Path, target: Path) -> float:
    """Peak resident memory of a process of its own."""
    target.unlink(missing_ok=True)
    command = [sys.executable, "-c", CHILD, operation, str(source), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return int(done.stdout) / 1024


def figure(name: str, value: float, unit: str, limit: float, ok: bool) -> bool:
    """Print one figure; returns `ok`."""
    print(f"figure {name} {value:.2f} {unit} limit {limit} {'ok' if ok else 'SHORT'}", flush=True)
    return ok


def ratio(
    name: str,
    yardsticks: Sequence[Callable[[], object]],
    ours: Callable[[], object],
    target: Path,
    rounds: int,
    size: int,
) -> bool:
    """Time the yardsticks and ours in turns, and print how fast ours is against the first."""
    times: list[list[float]] = [[], [], []]
    for _ in range(rounds + 1):
        for taken, work in zip(times, [*yardsticks, ours], strict=True):
            taken.append(seconds(work, target))
    durable, unsynced, own = (statistics.median(taken[1:]) for taken in times)
    # Round by round, so that what else the machine does weighs on both sides alike.
    faster = statistics.median(a / b for a, b in zip(times[0][1:], times[2][1:], strict=True))
    print(
        f"note {name}: ours {size / own:.0f} MiB/s, yardstick {size / durable:.0f} MiB/s, "
        f"yardstick that leaves the file in the page cache {size / unsynced:.0f} MiB/s"
    )
    return figure(f"{name}-ratio", faster, "times", 0.9, faster >= 0.9)


def main() -> int:
    """Run all four figures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, metavar="MiB")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        plain, bare, sealed = folder / "plain", folder / "bare", folder / "sealed"
        target = folder / "target"
        with plain.open("wb") as file:
            for _ in range(arguments.size):
                file.write(os.urandom(MIB))
        bare_loop(plain, bare, seal=True)
        seal_file(plain, sealed, [KEY])
        works = {
            "seal": (plain, partial(seal_file, plain, target, [KEY])),
            "open": (bare, partial(open_file, sealed, target, [KEY])),
        }
        results = []
        for operation, (source, ours) in works.items():
            loop = partial(bare_loop, source, target, operation == "seal")
            yardsticks = [loop, partial(loop, durable=False)]
            rounds, size = arguments.rounds, arguments.size
            results.append(ratio(operation, yardsticks, ours, target, rounds, size))
        idle = resident_mib("import", plain, target)
        print(f"note {idle:.0f} MiB of the resident memory are interpreter and libraries")
        for operation, source in (("seal", plain), ("open", sealed)):
            peak = resident_mib(operation, source, target)
            results.append(figure(f"{operation}-rss", peak, "MiB", 64, peak <= 64))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
