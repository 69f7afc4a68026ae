"""What an inspection finds in the rows of a file: its columns, their types, where values lack."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Protocol

import polars as pl

from leeward.api.csvoptions import CsvOptions
from leeward.api.dataset import ColumnType, SchemaColumn
from leeward.api.meta import MAX_COLUMN_NAME, MAX_COLUMNS
from leeward.formats.jobconfig import SourceFile
from leeward_masking.errors import JobError
from leeward_masking.freetext.detection import ContentSample, detect
from leeward_masking.progress import Told
from leeward_masking.sources.readers import reader_of
from leeward_masking.sources.text.csvtypes import TypeInference
from leeward_masking.sources.text.delimiter import check_delimiter
from leeward_masking.sources.text.jsonlsource import JsonlLines, parse_lines
from leeward_masking.sources.text.jsonlsurvey import JsonlSurvey
from leeward_masking.storage.content import Content, empty
from leeward_masking.values.canonical import column_type
from leeward_masking.values.nesting import value_dtype, values_of


class SchemaFinder(Protocol):
    """Adds up what is in the rows of all files of a source."""

    @property
    def rows(self) -> int:
        """Rows so far."""
        ...

    def add(self, content: Content, told: Told) -> None:
        """Read a file to its end.

        Args:
            content: Its bytes.
            told: How many of them were read.

        Raises:
            JobError: It cannot be read, or has other columns than the files before.
        """
        ...

    def columns(self) -> list[SchemaColumn]:
        """The leaves, with the types of all of their values.

        Raises:
            JobError: The values of a column have no type in common.
        """
        ...


def finder_of(source: SourceFile) -> SchemaFinder:
    """What looks at the files of a source."""
    return _LineFinder() if source.format == "JSONL" else _TableFinder(source)


class _TableFinder:
    """Of formats with columns; those of CSV are text until all of it was seen."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._is_csv = source.format == "CSV"
        self._schema = pl.Schema()
        self._types: dict[str, TypeInference] = {}
        self._nullable: dict[str, bool] = {}
        self._samples: dict[str, ContentSample] = {}
        self.rows = 0

    def add(self, content: Content, told: Told) -> None:
        """See ``SchemaFinder``."""
        reader = reader_of(self._source, content, None)
        if self._is_csv:
            check_delimiter(reader.schema.names(), self._source.csv or CsvOptions())
        if not self._schema:
            self._begin(reader.schema)
        elif reader.schema != self._schema:
            raise _schema_differs(self._schema, reader.schema)
        for block in reader.blocks():
            self.rows += block.height
            for column in block.iter_columns():
                self._look_at(column)
            told.advance(reader.position()[0])

    def columns(self) -> list[SchemaColumn]:
        """See ``SchemaFinder``."""
        detected = detect(list(self._samples.values()))
        return [
            SchemaColumn(
                name=name,
                type=self._type(name, dtype),
                nullable=self._nullable[name],
                detected=entity,
            )
            for (name, dtype), entity in zip(self._schema.items(), detected, strict=True)
        ]

    def _begin(self, schema: pl.Schema) -> None:
        _check_names(schema.names())
        self._schema = schema
        self._types = {name: TypeInference() for name in schema}
        self._nullable = dict.fromkeys(schema, False)
        self._samples = {name: ContentSample(name) for name in schema}

    def _look_at(self, column: pl.Series) -> None:
        values = values_of(column)
        self._samples[column.name].add(values)
        if not self._nullable[column.name]:
            self._nullable[column.name] = column.has_nulls() or values.has_nulls()
        if self._is_csv:
            self._types[column.name].add(column)

    def _type(self, name: str, dtype: pl.DataType) -> ColumnType:
        return self._types[name].type() if self._is_csv else column_type(value_dtype(name, dtype))


class _LineFinder:
    """Of JSON Lines."""

    def __init__(self) -> None:
        self._survey = JsonlSurvey()
        self._sample = b""

    @property
    def rows(self) -> int:
        """Objects so far."""
        return self._survey.rows

    def add(self, content: Content, told: Told) -> None:
        """See ``SchemaFinder``."""
        before = self.rows
        self._survey.begin_file()
        lines = JsonlLines(content)
        for block in lines.blocks():
            self._sample = self._sample or block
            self._survey.add_block(block)
            told.advance(lines.position()[0])
        if self.rows == before:
            raise empty("holds no JSON object")

    def columns(self) -> list[SchemaColumn]:
        """See ``SchemaFinder``."""
        columns = self._survey.columns()
        frame = parse_lines(self._sample, columns)
        samples = [ContentSample(column.name) for column in columns]
        for sample, column in zip(samples, frame.iter_columns(), strict=True):
            sample.add(values_of(column))
        return [
            column.model_copy(update={"detected": entity})
            for column, entity in zip(columns, detect(samples), strict=True)
        ]


def _schema_differs(first: pl.Schema, other: pl.Schema) -> JobError:
    """Two files of a source do not fit together."""
    places = zip_longest(first.items(), other.items(), fillvalue=("", None))
    (here, kind), (there, other_kind) = next(pair for pair in places if pair[0] != pair[1])
    name = (there or here)[:MAX_COLUMN_NAME]
    if here == there:
        what = f'"{name}" is of type {other_kind}, and {kind} in the first file'
    elif there not in first:
        what = f'"{name}" is a column that the first file does not have at its place'
    else:
        what = f'"{name}" stands at another place than in the first file'
    if not there:
        what = f'"{name}" is lacking, which the first file has'
    return JobError(
        "SchemaDiffers",
        what,
        "write all files of the folder with the same columns in the same order",
        column=name,
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
