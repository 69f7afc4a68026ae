"""What the pod does: one task, one result."""

import base64
import binascii
import hashlib
import io
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from leeward.formats.jobconfig import (
    GRACE_SECONDS,
    CleanConfig,
    InspectConfig,
    JobConfig,
    MaskingConfig,
    PreviewConfig,
    ReencryptConfig,
    ReportConfig,
    RewrapConfig,
    UnmaskTokensConfig,
)
from leeward.formats.keyset import PodKeyset
from leeward.formats.result import MAX_MESSAGE, RETRYABLE, DetachedResult, Result
from leeward.formats.sealed import HpkePublicKey, SealedWriter
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError, internal, interrupted
from leeward_masking.pod.logs import Log
from leeward_masking.pod.server import JSON, ResultBox
from leeward_masking.podkeys import recipient, shared_key, unwrappers
from leeward_masking.progress import Progress
from leeward_masking.report.stored import stored_report
from leeward_masking.storage.places import storage_of
from leeward_masking.tasks.cleaning import clean
from leeward_masking.tasks.inspection import inspect_file
from leeward_masking.tasks.preview import source_rows
from leeward_masking.tasks.rewrapping import reencrypt_source, rewrap_source
from leeward_masking.tasks.unmasking import unmask_tokens
from leeward_masking.workers.worker import Worker

SUCCEEDED: Final = 0
RETRY: Final = 1
FAILED: Final = 2
SERVE_SECONDS: Final = 24 * 3600
"""How long a result that is too large for the termination message waits to be fetched: the operator
may be away for a night, and what the job has made is worth nothing without it."""
_TICK: Final = 0.5
_GRACE: Final = GRACE_SECONDS - 3.0
"""Seconds that a task has to stop in; the rest is for removing what it wrote, and the answer: a pod
that is killed cannot be told from one that ran out of memory, and is not tried again."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What a task works with.

    Attributes:
        index: Of this pod among those of its Job.
    """

    config: JobConfig
    keyset: PodKeyset
    progress: Progress
    results: ResultBox
    log: Log
    index: int = 0


def run_task(pod: Pod) -> Result:
    """Do the task; every failure becomes a result."""
    began = time.monotonic()
    pod.log.event("task began", task=pod.config.task)
    try:
        result = _do(pod)
    except JobError as error:
        result = Result(outcome="Failed", error=error.result())
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 (see internal)
        result = Result(outcome="Failed", error=internal(error).result())
    _log_result(pod.log, result, time.monotonic() - began)
    return result


def run_until_stopped(pod: Pod, stop: threading.Event) -> Result:
    """Do the task in a thread; when ``stop`` is set, let it clean up and end."""
    answer: list[Result] = []
    ended = threading.Event()

    def work() -> None:
        try:
            answer.append(run_task(pod))
        finally:
            ended.set()
            stop.set()

    thread = threading.Thread(target=work, name="task", daemon=True)
    thread.start()
    stop.wait()
    if not ended.is_set():
        pod.progress.stop()
        ended.wait(_GRACE)
    if answer:
        return answer[0]
    _remove_output(pod.config)
    return Result(outcome="Failed", error=interrupted().result())


def deliver(result: Result, termination_log: Path, results: ResultBox) -> str | None:
    """Write the termination message; the digest of a result that needs /result for its size."""
    body = result.canonical()
    if len(body) <= MAX_MESSAGE:
        termination_log.write_bytes(body)
        return None
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    results.put(body, JSON, digest)
    termination_log.write_bytes(DetachedResult(digest=digest, size=len(body)).canonical())
    return digest


def wait_until_taken(
    results: ResultBox, stopped: Callable[[], bool], seconds: float = SERVE_SECONDS
) -> bool:
    """Wait for somebody to take the result over; whether the pod was not told to stop before."""
    ends = time.monotonic() + seconds
    while not results.deleted.wait(_TICK) and time.monotonic() < ends:
        if stopped():
            return False
    return True


def exit_code(result: Result) -> int:
    """0: done; 1: another try may succeed; 2: it will not."""
    if result.error is None:
        return SUCCEEDED
    return RETRY if result.error.code in RETRYABLE else FAILED


def _do(pod: Pod) -> Result:
    config, keyset = pod.config, pod.keyset
    match config:
        case MaskingConfig():
            return _mask(config, pod)
        case UnmaskTokensConfig():
            return unmask_tokens(
                config,
                lambda role: keyset.by_role(role).raw(),
                recipient(keyset, config.output.key_role),
            )
        case InspectConfig():
            return inspect_file(config, unwrappers(keyset, config.source.key_role), pod.progress)
        case PreviewConfig():
            return _preview(config, pod)
        case ReportConfig():
            return _report(config, pod)
        case CleanConfig():
            return clean(config)
        case RewrapConfig():
            return rewrap_source(config, keyset)
        case ReencryptConfig():
            return reencrypt_source(config, keyset, pod.progress)


def _mask(config: MaskingConfig, pod: Pod) -> Result:
    keyset = pod.keyset
    source_keys = unwrappers(keyset, config.source.key_role)
    sample_keys = unwrappers(keyset, config.sample.key_role) if config.sample else None
    output = recipient(keyset, config.output.key_role)

    def material_of(role: str) -> bytes:
        return keyset.by_role(role).raw()

    if config.workers is None:
        return mask_file(config, source_keys, material_of, output, pod.progress, sample_keys)
    shared = shared_key(keyset)
    worker = Worker(
        *(config, source_keys, material_of, output, shared, pod.index, pod.progress),
        sample_keys=sample_keys,
    )
    return worker.run()


def _preview(config: PreviewConfig, pod: Pod) -> Result:
    """Seal the first rows to who asked, and serve them until they are fetched."""
    reader = _reader(config.recipient_key)
    keys = unwrappers(pod.keyset, config.source.key_role)
    receipt = secrets.token_hex(16)
    rows = source_rows(config.source, keys, config.rows, receipt)
    return _serve(pod, rows, reader, receipt, config.serve_seconds)


def _report(config: ReportConfig, pod: Pod) -> Result:
    """Seal the report to who asked, and serve it until it is fetched."""
    reader = _reader(config.recipient_key)
    keys = unwrappers(pod.keyset, config.key_role)
    receipt = secrets.token_hex(16)
    document = stored_report(storage_of(config.store), config.path, config.digest, keys, receipt)
    return _serve(pod, document, reader, receipt, config.serve_seconds)


def _serve(pod: Pod, document: bytes, reader: HpkePublicKey, receipt: str, seconds: int) -> Result:
    sealed = io.BytesIO()
    with SealedWriter(sealed, [reader]) as writer:
        writer.write(document)
    pod.results.put(sealed.getvalue(), "application/octet-stream", receipt)
    pod.progress.begin("serving", seconds)
    waited = 0
    while waited < seconds and not pod.results.deleted.wait(1.0):
        waited += 1
        pod.progress.advance(waited)
    pod.results.delete()
    return Result(outcome="Succeeded")


def _reader(key: str) -> HpkePublicKey:
    try:
        raw = base64.b64decode(key, validate=True)
        return HpkePublicKey(X25519PublicKey.from_public_bytes(raw))
    except (binascii.Error, ValueError):
        raise JobError(
            "InvalidConfig",
            "recipientKey is not an X25519 public key (32 bytes in base64)",
            "use `leeward dataset preview` or `leeward report`, which make the key",
        ) from None


def _remove_output(config: JobConfig) -> None:
    """The task did not stop in time: what it wrote so far goes with the process.

    A store may be what it waits for: what was sent there, nobody sees, and the next try removes.
    """
    if not isinstance(config, MaskingConfig) or config.workers is not None:
        return
    if config.output.store is None:
        clean(CleanConfig(path=config.output.path))


def _log_result(log: Log, result: Result, seconds: float) -> None:
    if result.error is None:
        rows = result.report.rows if result.report else None
        log.event("task succeeded", rows=rows, seconds=round(seconds, 3))
    else:
        error = result.error
        log.event(
            "task failed",
            code=error.code,
            reason=error.message,
            row=error.row,
            column=error.column,
            seconds=round(seconds, 3),
        )
