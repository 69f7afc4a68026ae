"""Entry point of the masking image: ``python -m leeward_masking``."""

# ruff: noqa: E402 (the allocators are set up before Polars is imported)

from leeward_masking.pod.allocators import tune_allocators

tune_allocators()

import argparse
import hashlib
import os
import signal
import sys
import threading
from pathlib import Path

from pydantic import ValidationError

from leeward.formats.jobconfig import (
    CONFIG_DIGEST_VARIABLE,
    CONFIG_PATH,
    HTTP_PORT,
    INDEX_VARIABLE,
    JobConfig,
    parse_job_config,
)
from leeward.formats.keyset import KEYSET_PATH, PodKeyset
from leeward.formats.result import Result
from leeward_masking.errors import JobError, interrupted
from leeward_masking.pod.logs import Log
from leeward_masking.pod.metrics import exposition
from leeward_masking.pod.program import (
    Pod,
    deliver,
    exit_code,
    run_until_stopped,
    wait_until_taken,
)
from leeward_masking.pod.server import EVERYWHERE, PodServer, ResultBox, listening, serving
from leeward_masking.progress import Progress


def main(arguments: list[str] | None = None) -> int:
    """Run the task of the config; returns the exit code."""
    options = _parse(arguments)
    _silence_native_libraries()
    stop = threading.Event()
    told: list[int] = []

    def on_signal(number: int, _: object) -> None:
        told.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    results = ResultBox()
    try:
        config = _read_config(options.config, os.environ.get(CONFIG_DIGEST_VARIABLE))
        keyset = _read_keyset(options.keys)
    except JobError as error:
        failed = Result(outcome="Failed", error=error.result())
        deliver(failed, options.termination_log, results)
        return exit_code(failed)
    progress = Progress()
    index = int(os.environ.get(INDEX_VARIABLE, "0"))
    pod = Pod(config, keyset, progress, results, Log(), index)
    keys: list[dict[str, str | int]] = [
        {"id": key.id, "version": key.version} for key in keyset.keys
    ]
    metrics = exposition(progress, config.task)
    server = listening(
        (options.bind,) if options.bind else EVERYWHERE,
        lambda host: PodServer((host, options.port), metrics, progress, keys, results),
    )
    with serving(server):
        pod.log.event("listening", port=server.server_address[1])
        result = run_until_stopped(pod, stop)
        waiting = deliver(result, options.termination_log, results)
        if waiting is not None:
            progress.deliver(waiting)
            if not wait_until_taken(results, lambda: bool(told)):
                result = Result(outcome="Failed", error=interrupted().result())
                deliver(result, options.termination_log, results)
    return exit_code(result)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="leeward_masking", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path(CONFIG_PATH))
    parser.add_argument("--keys", type=Path, default=Path(KEYSET_PATH))
    parser.add_argument("--termination-log", type=Path, default=Path("/dev/termination-log"))
    parser.add_argument("--port", type=int, default=HTTP_PORT)
    parser.add_argument("--bind", help="one address to listen at; default: every one")
    return parser.parse_args(arguments)


def _silence_native_libraries() -> None:
    """Panics of native code print data to standard error: nobody may read that."""
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _read_config(path: Path, digest: str | None) -> JobConfig:
    """The config.

    Args:
        path: Where it is.
        digest: What it must have; None: nobody says.

    Raises:
        JobError: ``InvalidConfig``.
    """
    try:
        data = path.read_bytes()
        if digest not in (None, "sha256:" + hashlib.sha256(data).hexdigest()):
            raise JobError(
                "InvalidConfig",
                "the config of the job is not the one that the operator wrote",
                "find out who changes its ConfigMap, then create the resource again",
            )
        return parse_job_config(data)
    except (OSError, ValidationError):
        raise JobError(
            "InvalidConfig",
            "the config of the job is missing, or of a version that this image does not read",
            "use a masking image of the operator's version",
        ) from None


def _read_keyset(path: Path) -> PodKeyset:
    """The keys; none where no file is mounted."""
    if not path.exists():
        return PodKeyset(keys=[])
    try:
        return PodKeyset.parse(path.read_bytes())
    except (OSError, ValueError):
        raise JobError(
            "InvalidConfig",
            "the keys of the job cannot be read",
            "use a masking image of the operator's version",
        ) from None


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # At once: Python would wait for threads that wait for a store, until the pod is killed.
    os._exit(code)
