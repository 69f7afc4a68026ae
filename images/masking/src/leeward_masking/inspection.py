"""Inspecting a Dataset's file: does it exist, does it open, digest, rows, schema."""

from collections.abc import Callable, Sequence
from typing import Final

from leeward.api.dataset import CsvOptions, SchemaColumn
from leeward.api.meta import MAX_COLUMN_NAME, MAX_COLUMNS
from leeward.formats.jobconfig import InspectConfig
from leeward.formats.result import Result
from leeward.formats.sealed import Unwrapper
from leeward_masking.canonical import column_type
from leeward_masking.content import describe_headers
from leeward_masking.csvtypes import TypeInference
from leeward_masking.delimiter import check_delimiter
from leeward_masking.detection import ContentSample, detect
from leeward_masking.errors import JobError
from leeward_masking.places import storage_of
from leeward_masking.progress import Progress
from leeward_masking.source import Source, open_source

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
    if storage.is_folder(path):
        raise JobError(
            "WrongFormat",
            "the path of the source leads to a folder",
            "put a file there, or create a Dataset whose path names a file",
        )
    _wait_for(lambda: storage.size(path), config.wait_seconds, progress)
    if config.sealed and config.source.key_role is None:
        return Result(outcome="Succeeded", source=describe_headers(storage, path))
    with open_source(config.source, keys if config.sealed else None, typed=False) as source:
        if config.source.format == "CSV":
            check_delimiter(source.reader.schema.names(), config.source.csv or CsvOptions())
        _check_names(source.reader.schema.names())
        columns, rows = _read_all(source, config.source.format == "CSV", progress)
        found = source.verify()
    names = {column.name for column in columns}
    return Result(
        outcome="Succeeded",
        source=found.model_copy(update={"rows": rows, "columns": columns}),
        missing_columns=[name for name in config.expected_columns if name not in names],
    )


def _check_names(names: Sequence[str]) -> None:
    """They fit into the status of a Dataset.

    Raises:
        JobError: ``TooLarge`` or ``UnsuitableColumn``.
    """
    if len(names) > MAX_COLUMNS:
        raise JobError(
            "TooLarge",
            f"the file has {len(names)} columns, and at most {MAX_COLUMNS} can be described",
            "split it into files with fewer columns, each a Dataset of its own",
        )
    for place, name in enumerate(names, 1):
        if not 0 < len(name) <= MAX_COLUMN_NAME:
            raise JobError(
                "UnsuitableColumn",
                f"the name of column {place} has {len(name)} characters, and must have 1 to"
                f" {MAX_COLUMN_NAME}",
                "give the column another name in the file",
            )


def _wait_for(size_of: Callable[[], int | None], seconds: int, progress: Progress) -> None:
    """Wait until the file is there and has stopped growing; an empty one is given some time."""
    progress.begin("waiting", seconds)
    waited = empty = 0.0
    size = size_of()
    while waited < seconds and empty < _EMPTY:
        if size and waited == 0.0:
            return
        progress.wait(min(_POLL, seconds - waited))
        waited += _POLL
        progress.advance(min(seconds, int(waited)))
        size, before = size_of(), size
        if size and size == before:
            return
        empty = empty + _POLL if size == 0 else 0.0
    if size is None:
        raise JobError(
            "FileMissing",
            "the file of the Dataset is not there",
            "put the file at the Dataset's path, or correct the path",
        )


def _read_all(source: Source, is_csv: bool, progress: Progress) -> tuple[list[SchemaColumn], int]:
    """Read every row; the schema is that of the whole file, not of its first rows."""
    schema = source.reader.schema
    inference = {name: TypeInference() for name in schema}
    samples = {name: ContentSample(name) for name in schema}
    nullable = dict.fromkeys(schema, False)
    rows = 0
    progress.begin("bytes", source.reader.position()[1])
    for block in source.reader.blocks():
        rows += block.height
        for column in block.iter_columns():
            nullable[column.name] = nullable[column.name] or column.null_count() > 0
            samples[column.name].add(column)
            if is_csv:
                inference[column.name].add(column)
        progress.advance(source.reader.position()[0])
    detected = dict(zip(samples, detect(list(samples.values())), strict=True))
    columns = [
        SchemaColumn(
            name=name,
            type=inference[name].type() if is_csv else column_type(dtype),
            nullable=nullable[name],
            detected=detected[name],
        )
        for name, dtype in schema.items()
    ]
    return columns, rows
