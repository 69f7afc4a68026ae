"""How fast sealing and opening a file is on one core, and how much memory it takes.

Yardsticks, in the same run, on the same core, over the same file in the page cache, all syncing
what they wrote: a loop that reads, seals or opens each MiB by AES-256-GCM, and writes; age; Tink.
They run in turns with ours; the median of the ratios counts, so that what else the machine does
weighs on all alike. Resident memory is that of a process that does nothing else, with interpreter
and libraries in it. In memory, the writer and the chunks of the format go over one MiB again and
again, as `openssl speed` does, in seconds of the processor.

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
from functools import partial
from pathlib import Path

from sealpeers import MIB, TAG, Age, Tink, Work, bare_loop, openssl_speed

from leeward.formats.sealed import ArtefactKey, SealedWriter, open_file, seal_file
from leeward.formats.sealed.chunks import ChunkCipher
from leeward.formats.sealed.layout import ALGORITHM_AES256_GCM, CoreFields

KEY = ArtefactKey(bytes(16), bytes(32))
LIMITS = {"loop": 0.9, "age": 1.3, "tink": 2.0}
"""How fast ours is to be at least, in times of each."""

MEMORY_SECONDS = 1
RESIDENT_LIMIT = 64
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


def seal_ours(source: Path, target: Path) -> None:
    """As `leeward seal` does it."""
    seal_file(source, target, [KEY])


def open_ours(source: Path, target: Path) -> None:
    """As `leeward open` does it."""
    open_file(source, target, [KEY])


def seconds(work: Work, source: Path, target: Path) -> float:
    """Time of `work`, which makes `target` anew."""
    target.unlink(missing_ok=True)
    os.sync()
    begin = time.perf_counter()
    measured = work(source, target)
    return measured or time.perf_counter() - begin


def figure(name: str, value: float, unit: str, limit: float, ok: bool) -> bool:
    """Print one figure; returns `ok`."""
    print(f"figure {name} {value:.2f} {unit} limit {limit} {'ok' if ok else 'SHORT'}", flush=True)
    return ok


def ratios(
    name: str, works: dict[str, tuple[Path, Work]], target: Path, rounds: int, size: int
) -> list[bool]:
    """Run all in turns, and print how fast ours is in times of each of the others.

    Args:
        name: Of the operation.
        works: By name, "ours" among them: what it reads, and what it does.
        target: What they make.
        rounds: How often each runs; the first time does not count.
        size: MiB of the plaintext.
    """
    times: dict[str, list[float]] = {who: [] for who in works}
    for _ in range(rounds + 1):
        for who, (source, work) in works.items():
            times[who].append(seconds(work, source, target))
    target.unlink()
    told = ", ".join(
        f"{who} {size / statistics.median(taken[1:]):.0f}" for who, taken in times.items()
    )
    print(f"note {name}, MiB/s: {told}")
    results = []
    for who, limit in LIMITS.items():
        pairs = zip(times[who][1:], times["ours"][1:], strict=True)
        faster = statistics.median(theirs / own for theirs, own in pairs)
        results.append(figure(f"{name}-{who}", faster, "times", limit, faster >= limit))
    return results


def resident_mib(operation: str, source: Path, target: Path) -> float:
    """Peak resident memory of a process of its own."""
    target.unlink(missing_ok=True)
    command = [sys.executable, "-c", CHILD, operation, str(source), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return int(done.stdout) / 1024


def residents(files: dict[str, Path], target: Path) -> list[bool]:
    """Resident memory of both operations."""
    idle = resident_mib("import", target, target)
    print(f"note {idle:.0f} MiB of the resident memory are interpreter and libraries")
    results = []
    for operation, source in files.items():
        peak = resident_mib(operation, source, target)
        results.append(
            figure(f"{operation}-rss", peak, "MiB", RESIDENT_LIMIT, peak <= RESIDENT_LIMIT)
        )
    return results


class Nowhere:
    """Takes everything."""

    def write(self, data: memoryview | bytes) -> int:
        """Nothing is kept."""
        return len(data)


def sealed_per_second() -> float:
    """MiB that the writer seals in a second of the processor, in memory."""
    plain, count = bytes(MIB), 0
    with SealedWriter(Nowhere(), [KEY]) as writer:
        begin = time.process_time()
        while (passed := time.process_time() - begin) < MEMORY_SECONDS:
            writer.write(plain)
            count += 1
    return count / passed


def opened_per_second() -> float:
    """MiB that are opened in a second of the processor, in memory: one chunk again and again."""
    fields = CoreFields(ALGORITHM_AES256_GCM, MIB, bytes(16), bytes(16))
    cipher = ChunkCipher(bytes(32), bytes(128), fields)
    plain, sealed = memoryview(bytearray(MIB)), memoryview(bytearray(MIB + TAG))
    cipher.seal(0, False, plain, sealed)
    count, begin = 0, time.process_time()
    while (passed := time.process_time() - begin) < MEMORY_SECONDS:
        cipher.open(0, False, sealed, plain)
        count += 1
    return count / passed


def in_memory(rounds: int) -> list[bool]:
    """Both operations in times of `openssl speed`."""
    results = []
    for name, ours in (("seal", sealed_per_second), ("open", opened_per_second)):
        theirs = partial(openssl_speed, MEMORY_SECONDS, seal=name == "seal")
        pairs = [(theirs(), ours()) for _ in range(rounds)]
        other, own = (statistics.median(taken) for taken in zip(*pairs, strict=True))
        print(f"note {name} in memory, MiB/s: ours {own:.0f}, openssl speed {other:.0f}")
        faster = statistics.median(mine / their for their, mine in pairs)
        results.append(figure(f"{name}-memory", faster, "times", 1.0, faster >= 1.0))
    return results


def main() -> int:
    """Run all figures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4096, metavar="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    age, tink = Age(), Tink()
    # The last one: interrupts go to the first by default.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    results = in_memory(arguments.rounds)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        plain, target = folder / "plain", folder / "target"
        with plain.open("wb") as file:
            for _ in range(arguments.size):
                file.write(os.urandom(MIB))
        seal: dict[str, Work] = {
            "ours": seal_ours,
            "loop": partial(bare_loop, seal=True),
            "age": age.work("seal"),
            "tink": tink.seal,
        }
        unseal: dict[str, Work] = {
            "ours": open_ours,
            "loop": partial(bare_loop, seal=False),
            "age": age.work("open"),
            "tink": tink.open,
        }
        rounds, size = arguments.rounds, arguments.size
        sealing = {who: (plain, work) for who, work in seal.items()}
        results += ratios("seal", sealing, target, rounds, size)
        opening = {}
        for who, work in unseal.items():
            seal[who](plain, folder / who)
            opening[who] = (folder / who, work)
        results += ratios("open", opening, target, rounds, size)
        results += residents({"seal": plain, "open": folder / "ours"}, target)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
