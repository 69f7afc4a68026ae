"""The rows of a file of any format, as rules see them: flat."""

from collections.abc import Iterator, Sequence

import polars as pl

from leeward.api.dataset import SchemaColumn
from leeward.formats.jobconfig import SourceFile
from leeward_masking.errors import FIRST, Place, in_file
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
        begin: Where they begin.

    Attributes:
        place: See ``PlacedReader``.
    """

    def __init__(self, reader: BlockReader, layout: Layout, begin: Place) -> None:
        self._reader = reader
        self.layout = layout
        self.schema = layout.schema
        self.place = begin

    def position(self) -> tuple[int, int]:
        """See ``BlockReader``."""
        return self._reader.position()

    def blocks(self) -> Iterator[pl.DataFrame]:
        """See ``BlockReader``."""
        file, row = self.place.file, self.place.row
        with in_file(file):
            for block in self._reader.blocks():
                self.place = Place(row, file)
                row += block.height
                yield self.layout.flatten(block)


def reader_of(
    config: SourceFile,
    content: Readable,
    columns: Sequence[SchemaColumn] | None,
    *,
    begin: Place = FIRST,
) -> FlatReader:
    """The rows of one file, or of a part of it.

    Args:
        config: Of the source that it belongs to.
        content: Its bytes.
        columns: Its schema; None: CSV columns are text, and those of JSON Lines are as the first
            block has them, or as the config knows them.
        begin: Where the rows begin, in errors.

    Raises:
        JobError: They cannot be read.
    """
    with in_file(begin.file):
        return flat(config, _raw(config, content, columns, begin.row), begin)


def flat(config: SourceFile, reader: BlockReader, begin: Place) -> FlatReader:
    """The rows of a file of that source, flat."""
    layout = Layout(reader.schema, config.whole or (), escaped=config.format == "JSONL")
    return FlatReader(reader, layout, begin)


def _raw(
    config: SourceFile, content: Readable, columns: Sequence[SchemaColumn] | None, first_row: int
) -> BlockReader:
    match config.format:
        case "ArrowIPC":
            return ArrowReader(content, columns)
        case "CSV":
            return CsvReader(content, config.csv, columns, first_row=first_row)
        case "JSONL":
            known = columns or config.columns or None
            return JsonlReader(content, known, first_row=first_row)
        case "Parquet":
            return ParquetReader(content, columns)
