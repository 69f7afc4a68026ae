"""What rows are joined by: Polars does not find NaN by NaN where each stands alone."""

from math import nan

import numpy as np
import polars as pl


def joinable(column: pl.Series) -> pl.Series:
    """Values that are equal where those of the column are, NaN as well; null stays null.

    Numbers with a point become their bits; others stay.
    """
    if not column.dtype.is_float():
        return column
    numbers = column.fill_null(0.0).fill_nan(nan).to_numpy()
    # Added to 0, -0.0 becomes 0.0.
    signless = numbers + np.zeros((), numbers.dtype)
    bits = pl.Series(signless.view(f"u{numbers.itemsize}"))
    present = pl.when(column.is_not_null()).then(pl.lit(bits))
    return pl.select(present.alias(column.name)).to_series()
