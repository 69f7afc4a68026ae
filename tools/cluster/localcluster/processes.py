"""Long-running processes: started in a node's namespaces, recorded, checked, stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster import cgroups
from localcluster.commands import tail
from localcluster.layout import LOG, RUN, Node, boot_id, write_if_changed

_RECORDS = RUN / "processes"
_MAX_LOG = 32 * 2**20


@dataclass(frozen=True)
class Program:
    """One process of the cluster.

    Attributes:
        name: unique name, also of its log.
        argv: program and arguments.
        node: in whose namespaces it runs.
        group: control group below the cluster's.
        configs: files that it reads at start; when one changes the process is started again.
        grace: seconds between SIGTERM and SIGKILL.
    """

    name: str
    argv: Sequence[object]
    node: Node
    group: str
    configs: Sequence[Path] = ()
    grace: float = 5

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return LOG / f"{self.name}.log"

    def fingerprint(self) -> str:
        """Return a hash of everything that decides what runs."""
        digest = hashlib.sha256("\0".join(map(str, self.argv)).encode())
        for path in self.configs:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def is_current(program: Program) -> bool:
    """Tell whether the process runs, with the same program, arguments and configuration."""
    record = _read(program.name)
    return bool(record and record.get("fingerprint") == program.fingerprint())


def start(program: Program, *, inherit: Sequence[int] = ()) -> bool:
    """Start a process unless the very same is running; return whether it was started.

    Args:
        program: what to start.
        inherit: open files that it finds under the same numbers.
    """
    if is_current(program):
        return False
    stop(program.name, grace=program.grace)
    cgroups.make(program.group)
    entries = [str(path) for path in cgroups.entry_files(program.group)]
    # The shell enters the control groups before anything else runs, so that whatever dies here,
    # and whenever, leaves no process that the groups do not know.
    enter = "".join(f"echo 0 >{path} && " for path in entries) + 'exec "$@"'
    namespaces = [f"--net={program.node.network}", f"--mount={program.node.mounts}"]
    argv = ["/bin/sh", "-c", enter, "sh", "nsenter", *namespaces, *map(str, program.argv)]
    if program.log.exists() and program.log.stat().st_size > _MAX_LOG:
        program.log.replace(program.log.with_suffix(".log.old"))
    with program.log.open("ab") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=tuple(inherit),
            cwd="/",
        )
    record: dict[str, str | int] = {
        "pid": child.pid,
        "started": _start_time(child.pid),
        "boot": boot_id(),
        "fingerprint": program.fingerprint(),
    }
    _write(program.name, record)
    return True


def pid_of(name: str, records: Path = _RECORDS) -> int | None:
    """Return the id of a recorded process that is alive."""
    record = _read(name, records)
    return int(record["pid"]) if record else None


def stop(name: str, *, grace: float = 5) -> None:
    """End a recorded process: SIGTERM, then SIGKILL after the grace period (seconds)."""
    record = _read(name)
    if record:
        pid = int(record["pid"])
        # If this program is killed now, the next one must not take it for one that runs.
        _write(name, {**record, "fingerprint": ""})
        _signal(pid, signal.SIGTERM if grace > 0 else signal.SIGKILL)
        deadline = time.monotonic() + grace
        while _read(name) and time.monotonic() < deadline:
            time.sleep(0.02)
        if _read(name):
            _signal(pid, signal.SIGKILL)
            while _read(name):
                time.sleep(0.02)
    (_RECORDS / name).unlink(missing_ok=True)


def recorded() -> list[str]:
    """Return the names of all recorded processes, alive or not."""
    paths = _RECORDS.iterdir() if _RECORDS.exists() else ()
    return sorted(path.name for path in paths if path.suffix != ".new")


def explain(*names: str) -> str:
    """Return the last log lines of some processes, for an error message."""
    parts = []
    for name in names:
        state = "running" if pid_of(name) else "NOT running"
        path = LOG / f"{name}.log"
        parts.append(f"  {name} ({state}), end of {path}:\n{_end_of(path)}")
    return "\n".join(parts)


def _end_of(path: Path) -> str:
    if not path.exists():
        return "    (no log)"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 8192))
        return tail(log.read(), 12)


def _write(name: str, record: Mapping[str, object]) -> None:
    write_if_changed(_RECORDS / name, json.dumps(record))


def _read(name: str, records: Path = _RECORDS) -> dict[str, str | int] | None:
    """Return the record of a process, or nothing where that process is gone."""
    try:
        record: dict[str, str | int] = json.loads((records / name).read_text())
        same = record["boot"] == boot_id() and record["started"] == _start_time(int(record["pid"]))
    except (OSError, ValueError, KeyError):
        return None
    return record if same else None


def _start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot: with its id it is unique.

    Raises:
        OSError: there is no such process, or it is a zombie.
    """
    # A child of this program that has ended stays a zombie until it is waited for.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError(pid)
    return int(fields[19])


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
