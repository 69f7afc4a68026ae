"""What the pods of one job tell each other: tasks, taken by locks, with sealed results in a folder.

A task is taken by a POSIX record lock on a file of its own, which the kernel gives up when the
process ends, however it ends. It is done when its result stands under its name, put there by a
rename. Where a file system tells two pods that both have the lock, both do the task, and one of the
two results stands: nothing else may come of it. All results are sealed with the key that only the
pods of this job have, since they hold what stands in the data; each says which task it is of.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import polars as pl

from leeward.formats.document import canonical_json
from leeward.formats.sealed import ArtefactKey, SealedError, open_reader
from leeward_masking.errors import OUTPUT, JobError, from_os_error, from_sealed_error, volume
from leeward_masking.output.sink import sealed_output
from leeward_masking.progress import Progress
from leeward_masking.storage.volume import VolumeStorage

_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_TAKEN: Final = (errno.EACCES, errno.EAGAIN)
_SUFFIX: Final = ".work"
_MODE: Final = 0o640
_TELL: Final = 0.5
"""Seconds between two looks at how far all are."""


def work_folder(output: Path) -> Path:
    """The folder beside an output in which the pods of its job work."""
    return output.with_name(f".{output.name}{_SUFFIX}")


Lock: TypeAlias = Callable[[int, int], object]
"""Locks a file by its descriptor, or raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class Record:
    """The result of one task.

    Attributes:
        document: JSON.
        tables: What is larger.
    """

    document: dict[str, Any]
    tables: dict[str, pl.DataFrame]


class WorkFolder:
    """The tasks of one job.

    Args:
        output: The file that the job makes.
        job: What tells this job from an earlier one with the same output: records of another are
            not seen.
        key: Seals the results.
        lock: ``fcntl.lockf``.
    """

    def __init__(self, output: Path, job: str, key: ArtefactKey, lock: Lock = fcntl.lockf) -> None:
        self._lock = lock
        self._folder = work_folder(output) / job
        self._key = key

    def make(self) -> None:
        """Have the folder.

        Raises:
            JobError: The volume refuses.
        """
        with volume(OUTPUT):
            self._folder.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove it with everything in it, also what an earlier job left."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)

    def leave(self) -> None:
        """Remove it where nothing but locks is in it: nobody has begun, or all is done."""
        with suppress(OSError):
            for lock in self._folder.glob("*.lock"):
                lock.unlink()
            self._folder.rmdir()
            self._folder.parent.rmdir()

    def has(self, task: str) -> bool:
        """Whether a task is done."""
        with volume(OUTPUT):
            return (self._folder / task).exists()

    @contextmanager
    def taken(self, task: str) -> Iterator[bool]:
        """Take a task, for as long as the block lasts; False: another pod has it.

        Raises:
            JobError: ``LocksUnsupported``, or the volume fails.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        with volume(OUTPUT):
            number = os.open(self._folder / f"{task}.lock", flags, _MODE)
        try:
            yield self._locked(number)
        finally:
            # Whatever is said of a volume that is away: the lock is given up.
            with suppress(OSError):
                os.close(number)

    def _locked(self, number: int) -> bool:
        try:
            self._lock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            if error.errno in _NO_LOCKS:
                raise JobError(
                    "LocksUnsupported",
                    "the volume of the output has a file system without locks, by which several"
                    " workers share their work",
                    "set spec.parallelism to 1, or name a claim of another storage class",
                ) from None
            with volume(OUTPUT):
                raise
        return True

    def put(
        self,
        task: str,
        document: Mapping[str, Any],
        tables: Mapping[str, pl.DataFrame] | None = None,
    ) -> None:
        """Store the result of a task.

        Raises:
            JobError: The volume is full or refuses.
        """
        blobs = {name: _ipc(table) for name, table in (tables or {}).items()}
        head = {
            "task": task,
            "document": document,
            "tables": [[name, len(blob)] for name, blob in blobs.items()],
        }
        with sealed_output(VolumeStorage(), str(self._folder / task), self._key) as output:
            output.write_bytes(canonical_json(head) + b"\n")
            for blob in blobs.values():
                output.write_bytes(blob)

    def get(self, task: str) -> Record | None:
        """The result of a task; None: it is not done.

        Raises:
            JobError: It is damaged, or not from a pod of this job.
        """
        path = self._folder / task
        try:
            with open_reader(path, [self._key]) as reader:
                head = json.loads(reader.readline())
                tables = {
                    name: pl.read_ipc(BytesIO(reader.read(size))) for name, size in head["tables"]
                }
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, OUTPUT) from None
        except SealedError as error:
            raise from_sealed_error(error, "a file of the job's own", []) from None
        if head["task"] != task:
            raise tampered(
                "a file of the job's own stands under another name than it was written to"
            )
        return Record(head["document"], tables)

    def tell(self, worker: int, text: str) -> None:
        """Say how far a pod is, to who asks another one; nothing depends on it."""
        with suppress(OSError):
            (self._folder / f"worker-{worker}.progress").write_text(text)

    def told(self) -> list[str]:
        """What all pods said last."""
        texts = []
        for path in self._folder.glob("worker-*.progress"):
            with suppress(OSError, UnicodeDecodeError):
                texts.append(path.read_text())
        return texts


def tampered(what: str) -> JobError:
    """Somebody else has written to the folder of the output."""
    remedy = "find out who writes to the folder of the output, then run the job again"
    return JobError("Tampered", what, remedy)


class Telling:
    """Tells how far all pods are together, while this one works shard by shard.

    Args:
        work: Through which the pods tell each other.
        index: Of this pod.
        progress: Told.
        total: Bytes of all shards, in all readings.
    """

    def __init__(self, work: WorkFolder, index: int, progress: Progress, total: int) -> None:
        self._work = work
        self._index = index
        self._progress = progress
        self._done = 0
        self._next = 0.0
        progress.begin("bytes", total)

    def add(self, size: int) -> None:
        """Some pod has done a shard of so many bytes."""
        self._done += size

    def advance(self, done: int) -> None:
        """See ``Told``: so many bytes of the shard that this pod has."""
        self.check()
        if time.monotonic() >= self._next:
            self._work.tell(self._index, str(done))
            self.look()

    def rest(self) -> None:
        """This pod has no shard any more."""
        self._work.tell(self._index, "0")

    def look(self) -> None:
        """Tell how far all are."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL
            begun = sum(int(text) for text in self._work.told() if text.isdecimal())
            self._progress.advance(self._done + begun)

    def check(self) -> None:
        """See ``Told``."""
        self._progress.check()


def _ipc(table: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    table.write_ipc(buffer)
    return buffer.getvalue()
