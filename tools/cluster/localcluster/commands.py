"""Running other programs: with a time limit, and the last lines of output on failure."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localcluster.console import ClusterError
from localcluster.invoker import invoker

_TAIL_LINES = 20
_CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"),
    *("--pid", "--fork", "--kill-child", "--mount-proc"),
)


def run(
    argv: Sequence[object],
    *,
    limit: float = 60,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    as_user: bool = False,
    contained: bool = False,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end and return its output.

    Args:
        argv: program and arguments.
        limit: seconds after which it is killed.
        stdin: what it reads.
        environment: replaces the environment.
        folder: where it runs.
        as_user: run as the calling user instead of root.
        contained: in mount and process namespaces of its own: when it ends, or when this program
            does, whatever it started and mounted goes with it.
        check: whether an exit status other than 0 is an error.

    Raises:
        ClusterError: it is missing, ran too long, or failed (with its last lines of output).
    """
    words = [str(word) for word in argv]
    if contained:
        words = [*_CONTAINED, *words]
    identity = group = None
    if as_user:
        environment = {**invoker().environment(), **(environment or {})}
        identity, group = _other_user()
    try:
        done = subprocess.run(
            words,
            input=(stdin or "").encode(),
            capture_output=True,
            env=environment,
            cwd=folder,
            timeout=limit,
            check=False,
            user=identity,
            group=group,
            extra_groups=None if identity is None else [],
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{words[0]} is not installed: {error.filename}") from None
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"") + (error.stderr or b"")
        raise ClusterError(
            f"{describe(words)} took longer than {limit:.0f} s\n{tail(output)}"
        ) from None
    if check and done.returncode != 0:
        raise ClusterError(
            f"{describe(words)} ended with {done.returncode}\n{tail(done.stdout + done.stderr)}"
        )
    return done


def _other_user() -> tuple[int, int] | tuple[None, None]:
    """Return user and group of the calling user, where this program is root for him."""
    who = invoker()
    return (who.uid, who.gid) if who.uid != 0 and os.geteuid() == 0 else (None, None)


def describe(words: Sequence[str]) -> str:
    """Return a command line short enough for a message."""
    line = " ".join(words)
    return line if len(line) <= 120 else line[:117] + "..."


def tail(data: bytes, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of some output, indented."""
    text = data.decode(errors="replace").splitlines()[-lines:]
    return "\n".join("    " + line for line in text)


def wait_for(
    what: str,
    ready: Callable[[], bool],
    *,
    limit: float,
    explain: Callable[[], str] = str,
    pause: float = 0.1,
) -> None:
    """Poll until something is true.

    Args:
        what: what is awaited, for the message.
        ready: asked every `pause` seconds.
        limit: seconds to wait.
        explain: called at the end of the time limit; its text goes into the error.
        pause: seconds between two questions.

    Raises:
        ClusterError: it did not become true in time.
    """
    deadline = time.monotonic() + limit
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {limit:.0f} s\n{explain()}".rstrip())
        time.sleep(pause)
