"""Opening a source as blocks of rows, whatever its format and seal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leeward.formats.jobconfig import SourceFile
from leeward.formats.parts import parts_folder
from leeward.formats.result import ResultFile
from leeward.formats.sealed import Unwrapper
from leeward_masking.errors import JobError
from leeward_masking.sources.folder import FolderReader, is_folder
from leeward_masking.sources.partsource import PartsReader, manifest_in
from leeward_masking.sources.readers import FlatReader, reader_of
from leeward_masking.storage.content import check_digest, open_content
from leeward_masking.storage.places import storage_of


class Described(Protocol):
    """What can say which file it is."""

    def describe(self) -> ResultFile:
        """Digest and ids of the file, once all of it was read."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """An open source.

    Attributes:
        described: What it is read from.
        reader: Its rows; to be read to the end before ``verify``.
    """

    described: Described
    reader: FlatReader | PartsReader | FolderReader
    expected_digest: str | None

    def verify(self) -> ResultFile:
        """Read what is left, and compare the digest with the one that admission pinned.

        Raises:
            JobError: ``SourceChanged``, or the rest cannot be read.
        """
        found = self.described.describe()
        check_digest(found, self.expected_digest)
        return found


@contextmanager
def open_source(
    config: SourceFile, keys: Sequence[Unwrapper] | None, *, typed: bool
) -> Iterator[Source]:
    """Open the file that a config names.

    Args:
        config: Where it is, and what it is.
        keys: What opens it; None: it is plain.
        typed: Whether its schema is pinned; without, CSV columns are text.

    Raises:
        JobError: It cannot be opened.
    """
    columns = config.columns if typed else None
    if typed and not config.columns:
        raise JobError(
            "InvalidConfig",
            "the schema of the source is not known",
            "wait until the Dataset is inspected",
        )
    if is_folder(config):
        folder = FolderReader(config, typed=typed)
        yield Source(folder, folder, config.digest)
        return
    storage = storage_of(config.store)
    with open_content(storage, config.path, keys) as content:
        manifest = manifest_in(content)
        if manifest is None:
            yield Source(content, reader_of(config, content, columns), config.digest)
        else:
            parts = PartsReader(
                storage,
                content,
                manifest,
                Path(parts_folder(Path(config.path))),
                lambda part, begin: reader_of(config, part, columns, begin=begin),
            )
            yield Source(parts, parts, config.digest)
