"""A source that is a folder: its files, one after another, as one table."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

import polars as pl

from leeward.api.dataset import DataFormat
from leeward.formats.document import canonical_json
from leeward.formats.jobconfig import SourceFile
from leeward.formats.result import ResultFile
from leeward_masking.errors import FIRST, JobError, Place, in_file
from leeward_masking.sources.readers import FlatReader, reader_of
from leeward_masking.storage.content import Content, changed, open_content
from leeward_masking.storage.places import storage_of

MAX_FILES: Final = 10_000
_NAMES: Final[dict[DataFormat, tuple[str, ...]]] = {
    "ArrowIPC": (".arrow", ".feather"),
    "CSV": (".csv", ".tsv", ".txt"),
    "JSONL": (".jsonl", ".ndjson"),
    "Parquet": (".parquet", ".pq"),
}
_COMPRESSED: Final = (".gz", ".zst")
_PACKED: Final = frozenset({"CSV", "JSONL"})
_HIDDEN: Final = (".", "_")
_SHOWN: Final = 100


def is_folder(config: SourceFile) -> bool:
    """Whether a source is a folder: its path ends with a slash."""
    return config.path.endswith("/")


def files_in(config: SourceFile) -> list[str]:
    """Names of the files of a folder, sorted; what begins with a dot or underscore is left out.

    Raises:
        JobError: ``FileMissing``: there are none; ``WrongFormat``: there is something else;
            ``TooLarge``.
    """
    names = sorted(_sizes(config))
    if not names:
        raise JobError(
            "FileMissing",
            f"the folder of the Dataset holds no {config.format} file",
            "put the files there, or correct the path",
        )
    if len(names) > MAX_FILES:
        raise JobError(
            "TooLarge",
            f"the folder holds {len(names)} files, and at most {MAX_FILES} can be read as one",
            "put them together into fewer files",
        )
    return names


def _sizes(config: SourceFile) -> dict[str, int]:
    """Bytes of the files, by name."""
    sizes: dict[str, int] = {}
    for name, size in (storage_of(config.store).entries(config.path) or {}).items():
        if name.startswith(_HIDDEN):
            continue
        if size is None or not _is_named(name, config.format):
            raise _other(name, config.format)
        sizes[name] = size
    return sizes


def folder_size(config: SourceFile) -> int | None:
    """Bytes of all files; None: there are none yet.

    Raises:
        JobError: See ``files_in``.
    """
    sizes = _sizes(config)
    return sum(sizes.values()) if sizes else None


def describe_folder(config: SourceFile, found: Mapping[str, ResultFile]) -> ResultFile:
    """What the folder is: a digest over names, sizes and digests of its files."""
    listed = [[name, found[name].bytes, found[name].digest] for name in sorted(found)]
    return ResultFile(
        path=config.path,
        digest="sha256:" + hashlib.sha256(canonical_json(listed)).hexdigest(),
        bytes=sum(file.bytes for file in found.values()),
    )


@contextmanager
def open_file(config: SourceFile, name: str) -> Iterator[Content]:
    """Open one of the files.

    Raises:
        JobError: It cannot be opened; the message names it.
    """
    with ExitStack() as stack:
        with in_file(name):
            opened = open_content(storage_of(config.store), config.path + name, None)
            content = stack.enter_context(opened)
        yield content


class FolderReader:
    """The rows of all files in order.

    Args:
        config: The source.
        typed: Whether its schema is pinned.

    Attributes:
        place: See ``PlacedReader``.

    Raises:
        JobError: There are no files, or the first one cannot be opened.
    """

    def __init__(self, config: SourceFile, *, typed: bool) -> None:
        self._config = config
        self._columns = config.columns if typed else None
        self._names = files_in(config)
        self._size = folder_size(config) or 0
        self._done = 0
        self._current: FlatReader | None = None
        self._found: dict[str, ResultFile] = {}
        with open_file(config, self._names[0]) as first:
            begin = Place(file=self._names[0])
            self.layout = reader_of(config, first, self._columns, begin=begin).layout
        self.schema = self.layout.schema

    @property
    def place(self) -> Place:
        """See ``PlacedReader``."""
        return self._current.place if self._current else FIRST

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        within = self._current.position()[0] if self._current else 0
        return min(self._size, self._done + within), self._size

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        for name in self._names:
            with in_file(name):
                yield from self._blocks_of(name)

    def _blocks_of(self, name: str) -> Iterator[pl.DataFrame]:
        with open_file(self._config, name) as content:
            begin = Place(file=name)
            reader = self._current = reader_of(self._config, content, self._columns, begin=begin)
            if reader.schema != self.schema:
                raise changed("has other columns than when it was inspected")
            yield from reader.blocks()
            self._found[name] = content.describe()
        self._current = None
        self._done += self._found[name].bytes

    def describe(self) -> ResultFile:
        """The folder, once all of it was read."""
        return describe_folder(self._config, self._found)


def _is_named(name: str, form: DataFormat) -> bool:
    lower = name.lower()
    if form in _PACKED:
        for ending in _COMPRESSED:
            lower = lower.removesuffix(ending)
    return lower.endswith(_NAMES[form])


def _other(name: str, form: DataFormat) -> JobError:
    return JobError(
        "WrongFormat",
        f'the folder of the Dataset holds "{name[:_SHOWN]}", which is no {form} file by its name'
        f" ({', '.join(_NAMES[form])})",
        "take it away, or give it a name that begins with a dot or underscore: such are left out",
    )
