"""A source whose rows stand in several sealed files, which its manifest names."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl

from leeward.formats.parts import (
    MAGIC,
    MAX_MANIFEST,
    Part,
    PartsManifest,
    parse_manifest,
)
from leeward.formats.result import ResultFile
from leeward_masking.errors import FIRST, JobError, Place
from leeward_masking.sources.readers import FlatReader
from leeward_masking.storage.content import Content, changed, open_content
from leeward_masking.storage.port import Storage

OpenReader = Callable[[Content, Place], FlatReader]
"""Opens the rows of a file, which begin there."""


def manifest_in(content: Content) -> PartsManifest | None:
    """The manifest that a sealed file holds; None: it holds the rows themselves.

    Raises:
        JobError: ``MalformedData``: it begins like one, and is none that can be read.
    """
    if content.core_header is None or content.peek_at(0, len(MAGIC)) != MAGIC:
        return None
    if content.size > MAX_MANIFEST:
        raise _unreadable()
    try:
        return parse_manifest(content.peek_at(0, content.size))
    except ValueError:
        raise _unreadable() from None


@contextmanager
def open_part(
    storage: Storage, manifest: PartsManifest, folder: Path, part: Part
) -> Iterator[Content]:
    """Open a part; see ``check_part``.

    Raises:
        JobError: It is missing, or does not open.
    """
    with ExitStack() as stack:
        try:
            opened = open_content(storage, str(folder / part.name), [manifest.part_key])
            content = stack.enter_context(opened)
        except JobError as error:
            missing = error.code == "FileMissing"
            raise (_missing(part.name) if missing else error.in_file(part.name)) from None
        yield content


def check_part(part: Part, found: ResultFile) -> None:
    """It must be the one that the manifest names.

    Raises:
        JobError: ``SourceChanged``.
    """
    if (found.file_id, found.digest) != (part.file_id, part.digest):
        raise changed(f"has another part {part.name} than its manifest says")


class PartsReader:
    """The rows of all parts in order, as of one file.

    Args:
        storage: Where manifest and parts lie.
        content: That of the manifest.
        manifest: What it says.
        folder: Where the parts are.
        open_reader: Opens the rows of one part.

    Attributes:
        place: See ``PlacedReader``.

    Raises:
        JobError: The first part cannot be opened.
    """

    def __init__(
        self,
        storage: Storage,
        content: Content,
        manifest: PartsManifest,
        folder: Path,
        open_reader: OpenReader,
    ) -> None:
        self._storage = storage
        self._content = content
        self._manifest = manifest
        self._folder = folder
        self._open_reader = open_reader
        self._done = 0
        self._current: FlatReader | None = None
        with open_part(storage, manifest, folder, manifest.parts[0]) as first:
            self.layout = open_reader(first, Place(file=manifest.parts[0].name)).layout
        self.schema = self.layout.schema

    @property
    def place(self) -> Place:
        """See ``PlacedReader``."""
        return self._current.place if self._current else FIRST

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        within = self._current.position()[0] if self._current else 0
        total = self._manifest.part_bytes
        return min(total, self._done + within), total

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        for part in self._manifest.parts:
            with open_part(self._storage, self._manifest, self._folder, part) as content:
                reader = self._current = self._open_reader(content, Place(file=part.name))
                if reader.schema != self.schema:
                    raise changed(f"has a part {part.name} with other columns than the first one")
                yield from reader.blocks()
                check_part(part, content.describe())
            self._current = None
            self._done += part.bytes

    def describe(self) -> ResultFile:
        """The manifest as the file, with the size of all."""
        found = self._content.describe()
        return found.model_copy(update={"bytes": found.bytes + self._manifest.part_bytes})


def _missing(name: str) -> JobError:
    return JobError(
        "FileMissing",
        f"part {name} of the source is not in the folder beside it",
        "put the folder whose name ends in .parts back beside the file",
        file=name,
    )


def _unreadable() -> JobError:
    return JobError(
        "MalformedData",
        "the source begins like a manifest of parts, and is none that this image reads",
        "use a masking image of the release that wrote it, or an intact copy of the file",
    )
