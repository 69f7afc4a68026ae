"""The canonical text of values: what is hashed, tokenized, encrypted and partially masked.

Equal values must get equal results whatever file they come from, so the text does not depend on
the file format: CSV and Parquet, 32 and 64 bits, milliseconds and microseconds give one text.

    String, Categorical, Enum   as it is (not normalised, not trimmed)
    Integer                     decimal: -12
    Float                       shortest decimal that reads back as the same number, whole numbers
                                without ".0", no negative zero: 7, 0.1, 1e+20, NaN, inf
    Decimal                     without trailing zeros: 7.5
    Boolean                     true, false
    Date                        2026-01-31
    Datetime                    2026-01-31T09:30:00, fraction of 3, 6 or 9 digits only where there
                                is one; with a time zone: in UTC, with Z
    Time                        09:30:00, fraction likewise
"""

import polars as pl

from leeward.api.dataset import ColumnType
from leeward_masking.errors import JobError


def column_type(dtype: pl.DataType) -> ColumnType:
    """The type of a column as a Dataset's status says it."""
    if dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum):
        return "String"
    if dtype.is_integer():
        return "Integer"
    if dtype.is_float():
        return "Float"
    if dtype.is_decimal():
        return "Decimal"
    plain: dict[type[pl.DataType], ColumnType] = {
        pl.Boolean: "Boolean",
        pl.Date: "Date",
        pl.Datetime: "Datetime",
        pl.Time: "Time",
    }
    return plain.get(dtype.base_type(), "Other")


def canonical_text(values: pl.Series) -> pl.Series:
    """The canonical text of each value; nulls stay null.

    Raises:
        JobError: ``UnsuitableColumn``: lists, structs, binary and the like have no text.
    """
    kind = column_type(values.dtype)
    if values.dtype == pl.String:
        return values
    if kind in ("String", "Integer"):
        return values.cast(pl.String)
    if kind == "Boolean":
        return pl.Series(["false", "true"]).gather(values.cast(pl.UInt32)).alias(values.name)
    if kind == "Float":
        return values.abs().zip_with(values == 0, values).cast(pl.String).str.strip_suffix(".0")
    if kind == "Decimal":
        text = values.cast(pl.String)
        return text.str.replace(r"^(-?\d+)(?:\.0*|(\.\d*[1-9])0*)$", "$1$2")
    if kind == "Date":
        return values.dt.to_string("%Y-%m-%d")
    if kind == "Time":
        return values.dt.to_string("%H:%M:%S%.f")
    if kind == "Datetime":
        zone = getattr(values.dtype, "time_zone", None)
        if zone is None:
            return values.dt.to_string("%Y-%m-%dT%H:%M:%S%.f")
        return values.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    raise unsuitable(values.name, "has no text form (a list, struct or binary column)")


def unsuitable(column: str, why: str) -> JobError:
    """A transform that cannot work on a column of this type."""
    return JobError(
        "UnsuitableColumn",
        f'column "{column}" {why}',
        "choose another transform for the column, or redact or drop it",
        column=column,
    )
