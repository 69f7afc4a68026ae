"""Writing blocks in the format of the output: what each format cannot hold becomes text, or fails.

Text is the canonical one: times and dates as in ISO 8601, decimals with all of their digits.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

import polars as pl
from polars.io.plugins import register_io_source

from leeward.api.dataset import ColumnType, DataFormat, SchemaColumn
from leeward.formats.result import MaskingReport
from leeward_masking.errors import JobError
from leeward_masking.output.rowgroups import MAX_ROWS, cut
from leeward_masking.values.canonical import canonical_text, column_type
from leeward_masking.values.nesting import Layout, map_values, value_dtype, values_of

ZSTD_LEVEL: Final = 1
"""Tokens and hashes do not compress: level 3 takes twice the time for 3 % less. Statistics of them
help no reader either."""
ARROW_ROWS: Final = 8192
"""Most rows of a record batch: a reader decodes it at once."""
_DATETIME: Final = "%Y-%m-%dT%H:%M:%S%.f"
_PLAIN: Final = frozenset(
    {pl.String, pl.Boolean, pl.Date, pl.Float32, pl.Float64, pl.Categorical, pl.Enum, pl.Null}
)
_TEXT_FORMATS: Final = frozenset({"CSV", "JSONL"})


class Encoder:
    """Writes flat blocks in one format.

    Args:
        form: The format.
        layout: Of the source: structs and lists get back the form that they had there.
    """

    def __init__(self, form: DataFormat, layout: Layout) -> None:
        self._form = form
        self._layout = layout

    def written(self, frames: Iterator[pl.DataFrame]) -> tuple[int, Iterator[pl.DataFrame]]:
        """Blocks as they are written, and the rows of row groups or record batches.

        The first blocks are read to tell. Here and later:

        Args:
            frames: The blocks, as ``ready`` gives them.

        Raises:
            JobError: ``TooLarge``: rows grow too long for row groups.
        """
        if self._form in _TEXT_FORMATS:
            return 0, frames
        return cut(frames, ARROW_ROWS if self._form == "ArrowIPC" else MAX_ROWS)

    def ready(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A flat block as the file holds it.

        Raises:
            JobError: ``UnsuitableColumn``: the format cannot hold a column, or one of its values.
        """
        if self._form == "CSV":
            return pl.DataFrame([_csv_column(column) for column in frame.iter_columns()])
        if self._form == "JSONL":
            frame = pl.DataFrame([_json_column(column) for column in frame.iter_columns()])
        return self._layout.nest(frame)

    def written_schema(self, schema: pl.Schema) -> pl.Schema:
        """The schema of such blocks; ``schema`` is that of flat ones."""
        return self.ready(pl.DataFrame(schema=schema)).schema

    def columns(self, schema: pl.Schema, report: MaskingReport) -> list[SchemaColumn]:
        """The leaves of the file, for the Dataset that is published.

        Args:
            schema: Of flat blocks.
            report: Of all of them.
        """
        nulls = {column.name: column.nulls_after for column in report.columns}
        written = Layout(self.written_schema(schema), escaped=self._form == "JSONL").schema
        found = {name: value_dtype(name, dtype) for name, dtype in schema.items()}
        return [
            SchemaColumn(
                name=name,
                type=self._type(found.get(name, value_dtype(name, dtype))),
                nullable=nulls.get(name, 1) > 0 or "[]" in name,
            )
            for name, dtype in written.items()
        ]

    def write(
        self, frames: Iterator[pl.DataFrame], rows: int, schema: pl.Schema, target: BinaryIO
    ) -> None:
        """Write blocks, with a bounded number of bytes in memory.

        Args:
            frames: The blocks, as ``written`` gives them.
            rows: Of each row group or record batch.
            schema: As ``written_schema`` gives it.
            target: Where to.
        """
        match self._form:
            case "ArrowIPC":
                # Texts as they were before Arrow 15, which most programs read.
                _scan(frames, schema).sink_ipc(
                    target,
                    compression="zstd",
                    compat_level=pl.CompatLevel.oldest(),
                    record_batch_size=rows,
                )
            case "CSV":
                # Block by block: a sink would collect blocks by rows, however long these are.
                pl.DataFrame(schema=schema).write_csv(target)
                for frame in frames:
                    frame.write_csv(target, include_header=False, datetime_format=_DATETIME)
            case "JSONL":
                for frame in frames:
                    frame.write_ndjson(target)
            case "Parquet":
                _scan(frames, schema).sink_parquet(
                    target,
                    compression="zstd",
                    compression_level=ZSTD_LEVEL,
                    statistics=False,
                    row_group_size=rows,
                )

    def _type(self, dtype: pl.DataType) -> ColumnType:
        """What a column is read back as."""
        kind = column_type(dtype)
        if self._form not in _TEXT_FORMATS:
            return kind
        if kind == "Integer" and dtype in (pl.UInt64, pl.Int128, pl.UInt128):
            return "String"
        if isinstance(dtype, pl.Datetime) and (dtype.time_zone or dtype.time_unit == "ns"):
            return "String"
        return "String" if kind in ("Decimal", "Time", "Other") else kind


def _scan(frames: Iterator[pl.DataFrame], schema: pl.Schema) -> pl.LazyFrame:
    return register_io_source(lambda *_: frames, schema=schema)


def _csv_column(column: pl.Series) -> pl.Series:
    naive = isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None
    return column if naive or _is_plain(column.dtype) else canonical_text(column)


def _json_column(column: pl.Series) -> pl.Series:
    dtype = value_dtype(column.name, column.dtype)
    if dtype.is_nested():
        inside = Layout(pl.Schema({column.name: column.dtype}))
        leaves = inside.flatten(column.to_frame()).iter_columns()
        return inside.nest(pl.DataFrame([_json_column(leaf) for leaf in leaves])).to_series()
    if dtype.is_float():
        _check_finite(column)
    return column if _is_plain(dtype) else map_values(column, canonical_text)


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.base_type() in _PLAIN


def _check_finite(column: pl.Series) -> None:
    if values_of(column).is_finite().all(ignore_nulls=True):
        return
    flat = column.dtype.is_float()
    wrong = column.is_finite().not_().arg_true().to_list() if flat else []
    raise JobError(
        "UnsuitableColumn",
        f'column "{column.name}" holds an infinite number or one that is none (NaN), which JSON'
        " cannot hold",
        "write Parquet, or mask the column so that no such value is left",
        row=wrong[0] + 1 if wrong else None,
        column=column.name,
    )
