"""How fast sealing and opening a file is on one core, and how much memory it takes.

Yardsticks, in the same run, on the same core, over the same file in the page cache, all syncing
what they wrote: a loop that reads, seals or opens each MiB by AES-256-GCM, and writes; age; Tink.
They run in turns with ours, and the quickest run of each counts: what else the machine and its
disk do only ever adds to a time. Resident memory is that of a process that does nothing else, with
interpreter and libraries in it. In memory, the writer and the chunks of the format go over one MiB
again and again, as `openssl speed` does, in seconds of the processor.

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

from figures import figure
from sealpeers import MIB, TAG, Age, Tink, Work, bare_loop, openssl_speed

from leeward.formats.sealed import ArtefactKey, SealedWriter, open_file, seal_file
from leeward.formats.sealed.chunks import ChunkCipher
from leeward.formats.sealed.layout import ALGORITHM_AES256_GCM, CoreFields

Job = tuple[Path, Work]
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


def ratio(name: str, ours: Job, theirs: Job, target: Path, rounds: int, size: int) -> float:
    """Run both in turns; how fast ours is in times of the other.

    Args:
        name: Of the figure.
        ours: What it reads, and what it does.
        theirs: The same.
        target: What they make.
        rounds: How often each runs.
        size: MiB of the plaintext.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for taken, (source, work) in zip(times, (theirs, ours), strict=True):
            taken.append(seconds(work, source, target))
    target.unlink()
    other, own = (size / min(taken) for taken in times)
    print(f"note {name}, MiB/s: ours {own:.0f}, the other {other:.0f}", flush=True)
    return own / other


def sealing(works: dict[str, Work], plain: Path, target: Path, rounds: int) -> list[bool]:
    """Sealing in times of each of the others."""
    size, results = plain.stat().st_size // MIB, []
    for who, limit in LIMITS.items():
        jobs = ((plain, works["ours"]), (plain, works[who]))
        faster = ratio(f"seal-{who}", *jobs, target, rounds, size)
        results.append(figure(f"seal-{who}", faster, "times", limit, faster >= limit))
    return results


def opening(
    seal: dict[str, Work], unseal: dict[str, Work], plain: Path, target: Path, rounds: int
) -> list[bool]:
    """Opening in times of each of the others.

    One after the other, with as few files as can be: those of all of them, of 4 GiB each, would
    push one another out of the page cache, and what is measured then is the disk.
    """
    size, results = plain.stat().st_size // MIB, []
    ours, other = plain.with_name("ours"), plain.with_name("other")
    seal["ours"](plain, ours)
    for who, limit in LIMITS.items():
        seal[who](plain, other)
        jobs = ((ours, unseal["ours"]), (other, unseal[who]))
        faster = ratio(f"open-{who}", *jobs, target, rounds, size)
        results.append(figure(f"open-{who}", faster, "times", limit, faster >= limit))
        other.unlink()
    ours.unlink()
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
    parser.add_argument("--rounds", type=int, default=4)
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
        results += sealing(seal, plain, target, arguments.rounds)
        results += opening(seal, unseal, plain, target, arguments.rounds)
        seal_ours(plain, folder / "ours")
        results += residents({"seal": plain, "open": folder / "ours"}, target)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
