"""Opening a source as blocks of rows, whatever its format and seal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from leeward.formats.jobconfig import SourceFile
from leeward.formats.result import ResultFile
from leeward.formats.sealed import Unwrapper
from leeward_masking.blocks import BlockReader
from leeward_masking.content import Content, check_digest, open_content
from leeward_masking.csvsource import CsvReader
from leeward_masking.errors import JobError
from leeward_masking.parquetsource import ParquetReader
from leeward_masking.volumestorage import VolumeStorage


@dataclass(frozen=True, slots=True)
class Source:
    """An open source.

    Attributes:
        content: Its bytes.
        reader: Its rows; to be read to the end before ``verify``.
    """

    content: Content
    reader: BlockReader
    expected_digest: str | None

    def verify(self) -> ResultFile:
        """Read what is left, and compare the digest with the one that admission pinned.

        Raises:
            JobError: ``SourceChanged``, or the rest cannot be read.
        """
        found = self.content.describe()
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
    with open_content(VolumeStorage(), config.path, keys) as content:
        reader: BlockReader
        if config.format == "CSV":
            reader = CsvReader(content, config.csv, columns)
        else:
            reader = ParquetReader(content, columns)
        yield Source(content, reader, config.digest)
