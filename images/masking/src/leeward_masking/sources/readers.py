"""The rows of a file of any format, as rules see them: flat."""

from collections.abc import Iterator, Sequence

import polars as pl

from leeward.api.dataset import SchemaColumn
from leeward.formats.jobconfig import SourceFile
from leeward_masking.sources.blocks import BlockReader
from leeward_masking.sources.columnar.arrowsource import ArrowReader
from leeward_masking.sources.columnar.parquetsource import ParquetReader
from leeward_masking.sources.text.csvsource import CsvReader
from leeward_masking.sources.text.jsonlsource import JsonlReader
from leeward_masking.storage.content import Readable
from leeward_masking.values.nesting import Layout


class FlatReader:
    """The rows of a file, one column for each leaf.

    Args:
        reader: The rows as they lie in the file.
        layout: How they are made flat.
    """

    def __init__(self, reader: BlockReader, layout: Layout) -> None:
        self._reader = reader
        self.layout = layout
        self.schema = layout.schema

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._reader.position()

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        return map(self.layout.flatten, self._reader.blocks())


def reader_of(
    config: SourceFile,
    content: Readable,
    columns: Sequence[SchemaColumn] | None,
    *,
    groups: range | None = None,
    first_row: int = 1,
) -> FlatReader:
    """The rows of one file, or of a part of it.

    Args:
        config: Of the source that it belongs to.
        content: Its bytes.
        columns: Its schema; None: CSV columns are text, and those of JSON Lines are as the first
            block has them, or as the config knows them.
        groups: Which row groups of Parquet are read; None: all.
        first_row: Number of the first row, in errors.

    Raises:
        JobError: They cannot be read.
    """
    match config.format:
        case "ArrowIPC":
            return flat(config, ArrowReader(content, columns))
        case "CSV":
            return flat(config, CsvReader(content, config.csv, columns, first_row=first_row))
        case "JSONL":
            known = columns or config.columns or None
            return flat(config, JsonlReader(content, known, first_row=first_row))
        case "Parquet":
            return flat(config, ParquetReader(content, columns, groups=groups))


def flat(config: SourceFile, reader: BlockReader) -> FlatReader:
    """The rows of a file of that source, flat."""
    layout = Layout(reader.schema, config.whole or (), escaped=config.format == "JSONL")
    return FlatReader(reader, layout)
