"""Types of CSV columns: inferred over the whole file, so that writing a value gives its text back.

A column is Integer only where every value is written as the integer's canonical text: identifiers
with leading zeros, with a plus sign or of more than 64 bits stay text. Dates are ISO 8601.
"""

from typing import Final

import polars as pl

from leeward.api.dataset import ColumnType
from leeward_masking.sources.text.structure import malformed

DTYPES: Final[dict[ColumnType, pl.DataType]] = {
    "String": pl.String(),
    "Integer": pl.Int64(),
    "Float": pl.Float64(),
    "Boolean": pl.Boolean(),
    "Date": pl.Date(),
    "Datetime": pl.Datetime("us"),
}
_CANDIDATES: Final[tuple[ColumnType, ...]] = ("Integer", "Float", "Boolean", "Date", "Datetime")
_FLOAT: Final = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,3})?$"
_EXPONENT: Final = r"[eE]"
_ZERO: Final = r"^-?0(?:\.0+)?(?:[eE]|$)"
_DATETIME: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?$"


class TypeInference:
    """Narrows the type of one column, block by block.

    Args:
        candidates: Types that it may have besides String, the narrowest first.
    """

    def __init__(self, candidates: tuple[ColumnType, ...] = _CANDIDATES) -> None:
        self._open = candidates
        self._seen = False

    @property
    def is_open(self) -> bool:
        """Whether it may still be another type than String."""
        return bool(self._open)

    def add(self, texts: pl.Series) -> None:
        """Look at the texts of another block."""
        present = texts.drop_nulls()
        if present.is_empty() or not self._open:
            return
        self._seen = True
        self._open = tuple(kind for kind in self._open if bool(fits(present, kind).all()))

    def type(self) -> ColumnType:
        """The narrowest type that all values have; String where there are none."""
        return self._open[0] if self._open and self._seen else "String"


def fits(texts: pl.Series, kind: ColumnType) -> pl.Series:
    """Which of these texts, none null, are written as values of this type are."""
    if kind == "Integer":
        return (texts.cast(pl.Int64, strict=False).cast(pl.String) == texts).fill_null(False)
    if kind == "Float":
        return texts.str.contains(_FLOAT) & _is_in_range(texts)
    if kind == "Boolean":
        return texts.is_in(["true", "false"])
    if kind == "Date":
        days = texts.str.to_date("%Y-%m-%d", strict=False)
        return (days.dt.to_string("%Y-%m-%d") == texts).fill_null(False)
    if kind == "Datetime":
        return texts.str.contains(_DATETIME) & _datetimes(texts).is_not_null()
    return pl.Series([True]).new_from_index(0, len(texts))


def _is_in_range(texts: pl.Series) -> pl.Series:
    """Which real numbers do not become infinite, or 0, as binary numbers of 64 bits."""
    wide = texts.str.contains(_EXPONENT)
    if not wide.any():
        return ~wide
    numbers = texts.cast(pl.Float64, strict=False)
    kept = numbers.is_finite() & ((numbers != 0) | texts.str.contains(_ZERO))
    return ~wide | kept.fill_null(False)


def parse_column(texts: pl.Series, kind: ColumnType, first_row: int) -> pl.Series:
    """A column of text as its type; a column that is parsed already is given back.

    Args:
        texts: The column.
        kind: Its type.
        first_row: Row of its first value.

    Raises:
        JobError: ``MalformedData``, with row and column.
    """
    if texts.dtype == DTYPES[kind]:
        return texts
    parsed = _parse(texts, kind)
    wrong = (parsed.is_null() & texts.is_not_null()).arg_true()
    if len(wrong):
        row = first_row + int(wrong[0])
        raise malformed(
            f'row {row}: the value in column "{texts.name}" is no {kind}',
            row=row,
            column=texts.name,
        )
    return parsed


def _parse(texts: pl.Series, kind: ColumnType) -> pl.Series:
    if kind == "Boolean":
        flags = pl.when(pl.lit(texts) == "true").then(True).when(pl.lit(texts) == "false")
        return pl.select(flags.then(False).alias(texts.name)).to_series()
    if kind == "Date":
        return texts.str.to_date("%Y-%m-%d", strict=False)
    if kind == "Datetime":
        return _datetimes(texts)
    return texts.cast(DTYPES[kind], strict=False)


def _datetimes(texts: pl.Series) -> pl.Series:
    joined = texts.str.replace(" ", "T", literal=True)
    return joined.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
