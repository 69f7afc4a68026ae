"""Inspecting a Dataset's file: does it exist, does it open, digest, rows, schema."""

from collections.abc import Callable, Sequence
from typing import Final

from leeward.api.dataset import SchemaColumn
from leeward.formats.columnpaths import below
from leeward.formats.jobconfig import InspectConfig, SourceFile
from leeward.formats.result import Result, ResultFile
from leeward.formats.sealed import Unwrapper
from leeward_masking.engine import Reading
from leeward_masking.errors import JobError, in_file
from leeward_masking.progress import Progress
from leeward_masking.sources.folder import folder_size, is_folder
from leeward_masking.storage.content import describe_headers, empty
from leeward_masking.storage.places import storage_of
from leeward_masking.tasks.schemafinding import finder_of
from leeward_masking.workers.sharding import SourceFiles

_POLL: Final = 2.0
"""Seconds between two looks for a file that is not there yet."""
_EMPTY: Final = 6.0
"""Seconds for which an empty file is taken for one that is being copied."""


def inspect_file(
    config: InspectConfig, keys: Sequence[Unwrapper] | None, progress: Progress
) -> Result:
    """Look at the file, after waiting for it.

    Args:
        config: What to look at. Sealed and without a key role: only the headers are read.
        keys: What opens it; None: it is plain, or no key was given.
        progress: Told how many bytes are read.

    Raises:
        JobError: It does not come, does not open, or cannot be read to its end.
    """
    path = config.source.path
    storage = storage_of(config.source.store)
    if not is_folder(config.source) and storage.is_folder(path):
        raise JobError(
            "WrongFormat",
            "the path of the source leads to a folder",
            "put a file there, or create a Dataset whose path names a file; where all files of the"
            " folder are meant, one whose path ends with '/'",
        )
    _wait_for(lambda: _size(config.source), config.wait_seconds, progress)
    if config.sealed and config.source.key_role is None:
        return Result(outcome="Succeeded", source=describe_headers(storage, path))
    columns, found = _read_all(config.source, keys if config.sealed else None, progress)
    return Result(
        outcome="Succeeded",
        source=found,
        missing_columns=missing_columns(config.expected_columns, columns),
    )


def missing_columns(expected: Sequence[str], columns: Sequence[SchemaColumn]) -> list[str]:
    """Which of the columns that a Dataset speaks of are not there, as leaves or around some."""
    names = [column.name for column in columns]
    return [name for name in expected if not below(name, names)]


def _size(source: SourceFile) -> int | None:
    if is_folder(source):
        return folder_size(source)
    return storage_of(source.store).size(source.path)


def _read_all(
    source: SourceFile, keys: Sequence[Unwrapper] | None, progress: Progress
) -> tuple[list[SchemaColumn], ResultFile]:
    """Read every row; the schema is that of all of them, not of the first ones."""
    files = SourceFiles(source, keys)
    finder = finder_of(source)
    progress.begin("bytes", files.size)
    before = 0
    for number in range(files.count):
        with in_file(files.name(number)), files.open(number) as content:
            finder.add(content, Reading(progress, before))
            found = files.check(number, content.describe())
            before += content.size
    columns = finder.columns()
    if not columns:
        raise empty("has rows and no columns")
    return columns, found.model_copy(update={"rows": finder.rows, "columns": columns})


def _wait_for(size_of: Callable[[], int | None], seconds: int, progress: Progress) -> None:
    """Wait until the file is there and has stopped growing; an empty one is given some time."""
    progress.begin("waiting", seconds)
    waited = unfilled = 0.0
    size = size_of()
    while waited < seconds and unfilled < _EMPTY:
        if size and waited == 0.0:
            return
        progress.wait(min(_POLL, seconds - waited))
        waited += _POLL
        progress.advance(min(seconds, int(waited)))
        size, before = size_of(), size
        if size and size == before:
            return
        unfilled = unfilled + _POLL if size == 0 else 0.0
    if size is None:
        raise JobError(
            "FileMissing",
            "the file of the Dataset is not there",
            "put the file at the Dataset's path, or correct the path",
        )
