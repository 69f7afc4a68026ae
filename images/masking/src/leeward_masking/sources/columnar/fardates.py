"""Dates and times that the calendar of Polars cannot show: it panics where it writes them as text.

Parquet and Arrow keep days and moments as numbers, of which the largest are millions of years off.
A file holds such ones where its writer took another number for a date.
"""

from typing import Final, TypeAlias

import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.values.nesting import Layout, values_of

_Type: TypeAlias = pl.DataType | pl.datatypes.DataTypeClass
_YEARS: Final = 200_000
"""Polars goes about 262,000 years to both sides."""
_DAYS: Final = _YEARS * 365
_PER_DAY: Final = {"ms": 86_400_000, "us": 86_400_000_000}
"""Nanoseconds in 64 bits reach 292 years."""


def check_dates(frame: pl.DataFrame, first_row: int) -> None:
    """Refuse dates and times that are too far off, wherever they are nested.

    Args:
        frame: Rows as they lie in a file.
        first_row: Number of the first one.

    Raises:
        JobError: ``MalformedData``, with row and column.
    """
    dated = frame.select(name for name, dtype in frame.schema.items() if _holds_dates(dtype))
    for column in Layout(dated.schema).flatten(dated).iter_columns():
        values = values_of(column)
        limit = _limit(values.dtype)
        if limit is not None and _is_beyond(values, limit):
            raise _too_far(column.name, first_row + _place(column, limit))


def _holds_dates(dtype: _Type) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_dates(field.dtype) for field in dtype.fields)
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_dates(dtype.inner)
    return _limit(dtype) is not None


def _limit(dtype: _Type) -> int | None:
    """The largest number of that type that is shown; None: it has no dates, or none so far off."""
    if dtype == pl.Date:
        return _DAYS
    if isinstance(dtype, pl.Datetime) and dtype.time_unit in _PER_DAY:
        return _DAYS * _PER_DAY[dtype.time_unit]
    return None


def _is_beyond(values: pl.Series, limit: int) -> bool:
    numbers = values.to_physical()
    return not numbers.is_between(-limit, limit).all(ignore_nulls=True)


def _place(column: pl.Series, limit: int) -> int:
    """The first row, from 0, with a value beyond: by halves."""
    first, rows = 0, len(column)
    while rows > 1:
        half = rows // 2
        if _is_beyond(values_of(column.slice(first, half)), limit):
            rows = half
        else:
            first, rows = first + half, rows - half
    return first


def _too_far(name: str, row: int) -> JobError:
    return JobError(
        "MalformedData",
        f'row {row}: the date in column "{name}" is more than {_YEARS:,} years off',
        "correct the date in the source (leave it out where it is unknown), or see whether the"
        " program that wrote the file took numbers for dates",
        row=row,
        column=name,
    )
