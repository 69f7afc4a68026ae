"""``leeward dataset put``: seal a file here, and bring it to the dataset's volume or bucket."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from leeward.api.dataset import Location
from leeward.cli import receiver
from leeward.cli.datasets import find_dataset, public_half
from leeward.cli.enabling import check_enabled
from leeward.cli.errors import CliError, UsageError
from leeward.cli.inspecting import Sent, await_inspection
from leeward.cli.installed import MaskingImage, masking_image
from leeward.cli.keyfiles import naming
from leeward.cli.output import counted
from leeward.cli.port import Cluster, Manifest, RemoteProcess
from leeward.cli.session import Session
from leeward.cli.uploadpod import upload_pod
from leeward.formats.jobconfig import OUTPUT_MOUNT
from leeward.formats.sealed import (
    NotSealed,
    Recipient,
    SealedInfo,
    SealedWriter,
    digest_file,
    inspect_file,
    recipient_from_pem,
)
from leeward.plans.shared.locations import place_in_words, pod_store

PIECE: Final = 256 << 10
ANSWER_SECONDS: Final = 120.0
STOP_SECONDS: Final = 5.0
_WHY: Final = {
    receiver.INCOMPLETE: ("the file did not come whole", "try again"),
    receiver.FULL: ("the volume is full", "make room on it, or take a larger one"),
}


@dataclass(frozen=True, slots=True)
class PutRequest:
    """Which file goes where.

    Attributes:
        replace: Put it in place of a file that is there.
        plain: The Dataset is not sealed, and that is meant.
        image: Image of the pod that writes; None: the operator's masking image.
        timeout: Seconds until the data is inspected.
    """

    namespace: str
    dataset: str
    file: Path
    replace: bool
    plain: bool
    image: str | None
    operator_namespace: str
    timeout: float


Sender = Callable[["FramedSink"], Sent]


def put_file(session: Session, cluster: Cluster, request: PutRequest) -> None:
    """Send the file, have it inspected, and wait until the Dataset speaks of this very file.

    Raises:
        CliError: The Dataset is not fit for it, or sending failed; the volume is as before then.
    """
    if not request.file.is_file():
        raise CliError(f"{request.file} is no file", "name a file on this machine")
    dataset = find_dataset(cluster, request.namespace, request.dataset)
    send = _sender(dataset, request)
    location = Location.model_validate(dataset["spec"]["location"])
    if location.path.endswith("/"):
        raise CliError(
            f"Dataset {request.dataset} is a folder ({location.path}), and put brings one file",
            "copy its files there with a tool of your own",
        )
    image = (
        MaskingImage(request.image)
        if request.image
        else masking_image(cluster, request.operator_namespace)
    )
    if dataset["spec"].get("sealedWith"):
        # With --image, the operator may be in another namespace than the one that is meant.
        operator = None if request.image else request.operator_namespace
        check_enabled(cluster, dataset, operator)
    deadline = session.clock.monotonic() + request.timeout
    with upload_pod(session, cluster, request.namespace, location, image, deadline) as pod:
        sent = _send(session, cluster, request, pod, location, send)
    found = await_inspection(session, cluster, request.namespace, request.dataset, sent, deadline)
    rows = counted(found["status"].get("rows", 0), "row")
    session.err.print(f"dataset/{request.dataset}: Ready, {rows}")


def _sender(dataset: Manifest, request: PutRequest) -> Sender:
    """How this file is sent to this Dataset."""
    info = _sealed_already(request.file)
    path = request.file
    if not dataset["spec"].get("sealedWith"):
        if not request.plain:
            raise CliError(
                f"Dataset {request.dataset} is not sealed: the file would lie readable in its"
                " place",
                "create a Dataset with sealedWith; or say --plain, if that is meant",
            )
        if info is not None:
            raise CliError(f"{path} is sealed, and Dataset {request.dataset} is plain")
        return lambda sink: _send_as_is(path, sink, None)
    if request.plain:
        raise UsageError(f"Dataset {request.dataset} is sealed", "leave out --plain")
    if info is not None:
        _check_recipients(dataset, path, info)
        return lambda sink: _send_as_is(path, sink, info)
    pem, key_id = public_half(dataset)
    with naming(f"Dataset {request.dataset}"):
        recipient = recipient_from_pem(pem.encode(), bytes.fromhex(key_id))
    return lambda sink: _send_sealed(path, sink, recipient)


def _sealed_already(path: Path) -> SealedInfo | None:
    try:
        with naming(path):
            return inspect_file(path)
    except CliError as error:
        if isinstance(error.__cause__, NotSealed):
            return None
        raise


def _check_recipients(dataset: Manifest, path: Path, info: SealedInfo) -> None:
    """A file that was sealed for somebody else would only be found out in the cluster."""
    status = dataset.get("status", {})
    if not status.get("publicKey"):
        return
    key_id = bytes.fromhex(status["keyId"])
    with naming(path):
        public = recipient_from_pem(status["publicKey"].encode(), key_id)
    if not {key_id, public.fingerprint} & {r.key_id for r in info.recipients}:
        name = dataset["metadata"]["name"]
        raise CliError(
            f"{path} is not sealed to Dataset {name}",
            f"seal it to its public half: leeward dataset public-key {name} > {name}.pem;"
            f" leeward seal --to {name}.pem FILE",
        )


def _send_as_is(path: Path, sink: FramedSink, info: SealedInfo | None) -> Sent:
    plain = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            plain.update(piece)
            sink.write(piece)
    size = path.stat().st_size
    if info is None:
        return Sent(size, f"sha256:{plain.hexdigest()}")
    return Sent(size, f"sha256:{digest_file(path).hex()}")


def _send_sealed(path: Path, sink: FramedSink, recipient: Recipient) -> Sent:
    with (
        naming(path),
        io.FileIO(path) as file,
        SealedWriter(sink, [recipient], with_digest=True) as writer,
    ):
        writer.write_from(file)
    return Sent(sink.size, f"sha256:{writer.digest.hex()}")


class RefusedError(Exception):
    """The receiver has answered already: it does not take the file."""


class FramedSink:
    """Sends bytes to ``leeward.cli.receiver`` in pieces, and their SHA-256 at the end."""

    def __init__(self, process: RemoteProcess, advanced: Callable[[int], None]) -> None:
        self._process = process
        self._advanced = advanced
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: memoryview | bytes, /) -> int:
        """Send all of ``data``.

        Raises:
            RefusedError: The receiver does not take the file.
        """
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE]
            if self._process.said():
                raise RefusedError
            self._digest.update(piece)
            self._process.write(len(piece).to_bytes(4, "big") + piece.tobytes())
            self._advanced(len(piece))
        self.size += len(view)
        return len(view)

    def end(self) -> None:
        """Say that this was all."""
        self._process.write(bytes(4) + self._digest.digest())

    def stop(self) -> None:
        """Say that nothing more comes, and that it is not all."""
        self._process.write(bytes(4) + bytes(self._digest.digest_size))


def _send(
    session: Session,
    cluster: Cluster,
    request: PutRequest,
    pod: str,
    location: Location,
    send: Sender,
) -> Sent:
    source = Path(receiver.__file__).read_text(encoding="utf-8")
    mode = "replace" if request.replace else "keep"
    store = pod_store(location, "output")
    place = OUTPUT_MOUNT if store is None else store.canonical().decode()
    command = ("python3", "-c", source, place, location.path, mode)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    shown = session.err.is_terminal
    with (
        Progress(*columns, console=session.err, transient=True, disable=not shown) as progress,
        cluster.execute(request.namespace, pod, command) as process,
    ):
        task = progress.add_task(f"sending {request.file.name}", total=request.file.stat().st_size)
        sink = FramedSink(process, lambda count: progress.update(task, advance=count))
        sent = _deliver(sink, process, send)
        _check_answer(request, location, process.line(ANSWER_SECONDS))
    if sent is None:
        raise AssertionError
    return sent


def _deliver(sink: FramedSink, process: RemoteProcess, send: Sender) -> Sent | None:
    """Send everything; None where the receiver has answered before the end."""
    try:
        sent = send(sink)
        sink.end()
    except RefusedError:
        sink.stop()
        return None
    except BaseException:
        # Let the receiver take away what it has of the file, before its pod goes.
        with suppress(CliError):
            sink.stop()
            process.line(STOP_SECONDS)
        raise
    return sent


def _check_answer(request: PutRequest, location: Location, line: bytes) -> None:
    """Say what the receiver said, where it did not take the file."""
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise CliError("the pod that writes the file gave no answer", "try again") from error
    why = answer.get("error")
    if why is None:
        return
    if why == receiver.TAKEN:
        raise CliError(
            f"there is a file at {location.path} {place_in_words(location)} already",
            "say --replace to put the new one in its place",
        )
    if why in _WHY:
        raise CliError(*_WHY[why])
    raise CliError(
        f"the file could not be written: {why}", answer.get("remedy", "check the volume")
    )
