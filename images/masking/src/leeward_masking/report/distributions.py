"""Distributions of sampled values, in which no small number of rows is told apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward.formats.report import THRESHOLD, Bar, Distribution, Summary
from leeward_masking.values.canonical import canonical_text, column_type

BARS: Final = 16
"""Bars of a histogram, about."""
TOP: Final = 12
"""Most frequent values that are shown."""
FEW: Final = 12
"""Numbers with no more distinct values are shown one by one."""
_LABEL: Final = 40
_TAIL: Final = 0.01
"""Share of rows at each end that a histogram puts into its first and last bar, and ``THRESHOLD``
rows at least: neither where its scale ends nor a mean may depend on a single row."""
_LARGEST: Final = 1e300
"""Numbers beyond are taken for infinite: what is reckoned of others does not overflow."""
_UNITS: Final = (
    ("Century", 400 * 366),
    ("Decade", 40 * 366),
    ("Year", 5 * 366),
    ("Quarter", 2 * 366),
    ("Month", 100),
    ("Week", 31),
    ("Day", 0),
)
"""Unit of a histogram of dates, where they span more than so many days."""
_FIRST_DAY: Final = -683_003.0
"""1 January of the year 100, in days from 1970: what is earlier is one bar, and no century begins
before the year 1."""
_EVERY: Final = {
    "Century": "100y",
    "Decade": "10y",
    "Year": "1y",
    "Quarter": "1q",
    "Month": "1mo",
    "Week": "1w",
    "Day": "1d",
}
_FREQUENCIES: Final = ((1, "1 row"), (2, "2 to 9 rows"), (10, "10 to 99"), (100, "100 and more"))

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the bars of a histogram begin and end; one for before and after.

    Attributes:
        borders: Rising; below the first and from the last on are bars of their own.
    """

    kind: Literal["Numbers", "Dates"]
    borders: tuple[float, ...]
    labels: tuple[str, ...]


def numbers_of(values: pl.Series) -> Floats | None:
    """Numbers but NaN and infinities, of dates the day; None: the column holds neither."""
    kind = column_type(values.dtype)
    if kind in ("Integer", "Float", "Decimal"):
        found = values.cast(pl.Float64)
    elif kind in ("Date", "Datetime"):
        found = values.cast(pl.Date).cast(pl.Int32).cast(pl.Float64)
    else:
        return None
    numbers: Floats = found.drop_nulls().to_numpy()
    return numbers.compress(np.abs(numbers) < _LARGEST)


def scale_of(sides: Sequence[pl.Series]) -> Scale | None:
    """A scale on which all these columns can be shown; None: value by value."""
    kinds = {column_type(side.dtype) in ("Date", "Datetime") for side in sides}
    found = [numbers_of(side) for side in sides]
    numbers = [side for side in found if side is not None]
    if len(kinds) > 1 or len(numbers) < len(sides) or not sum(map(len, numbers)):
        return None
    pooled = np.concatenate(numbers)
    if len(np.unique(pooled)) <= FEW:
        return None
    low, high = _ends(pooled, len(sides))
    if kinds == {True}:
        return _dates(low, high)
    whole = all(column_type(side.dtype) == "Integer" for side in sides)
    return _numbers(low, high, whole)


def spread(values: pl.Series, scale: Scale | None) -> Distribution:
    """The distribution of a column of the sample."""
    if scale is None:
        return _values(values)
    numbers = numbers_of(values)
    if numbers is None:
        return _values(values)
    places = np.searchsorted(np.array(scale.borders), numbers, side="right")
    counts = np.bincount(places, minlength=len(scale.labels)).tolist()
    bars = [Bar(label=label, rows=rows) for label, rows in _hidden(scale.labels, counts)]
    return Distribution(kind=scale.kind, bars=bars, missing=len(values) - len(numbers))


def frequencies(values: pl.Series) -> Distribution:
    """How many rows share their value with how many others; no value is told."""
    counts = values.drop_nulls().value_counts().get_column("count")
    bars = []
    for place, (low, label) in enumerate(_FREQUENCIES):
        within = counts >= low
        if place + 1 < len(_FREQUENCIES):
            within &= counts < _FREQUENCIES[place + 1][0]
        bars.append(Bar(label=label, rows=int(counts.filter(within).sum())))
    return Distribution(kind="Frequencies", bars=bars, missing=values.null_count())


def summary(values: pl.Series) -> Summary | None:
    """Mean, spread and quantiles, rounded; None: no numbers, or too few of them.

    Winsorized (Tukey 1962): what lies beyond ``_ends`` counts as these.
    """
    if column_type(values.dtype) not in ("Integer", "Float", "Decimal"):
        return None
    numbers = numbers_of(values)
    if numbers is None or len(numbers) < 10 * THRESHOLD:
        return None
    numbers = numbers.clip(*_ends(numbers))
    unit = float(np.abs(numbers).max()) or 1.0
    scaled = numbers / unit
    low, median, high = (float(q) for q in np.quantile(scaled, (0.1, 0.5, 0.9)))
    told = (float(scaled.mean()), float(scaled.std()), low, median, high)
    mean, deviation, first, middle, last = (_rounded(value * unit) for value in told)
    return Summary(mean=mean, deviation=deviation, low=first, median=middle, high=last)


def _values(values: pl.Series) -> Distribution:
    """The most frequent values; those of too few rows are pooled."""
    texts = canonical_text(values).alias("v")
    counted = texts.drop_nulls().value_counts().sort(["count", "v"], descending=[True, False])
    shown = counted.filter(pl.col("count") >= THRESHOLD).head(TOP)
    rest = counted.height - shown.height
    rest_rows = int(counted.get_column("count").sum()) - int(shown.get_column("count").sum())
    if 0 < rest_rows < THRESHOLD and shown.height:
        # Else the rows of the others could be reckoned from the sum.
        rest, rest_rows = rest + 1, rest_rows + int(shown.get_column("count")[-1])
        shown = shown.head(shown.height - 1)
    bars = [Bar(label=_shortened(value), rows=rows) for value, rows in shown.iter_rows()]
    return Distribution(
        kind="Values",
        bars=bars,
        other_values=rest,
        other_rows=rest_rows,
        missing=values.null_count(),
    )


def _hidden(labels: Sequence[str], counts: Sequence[int]) -> list[tuple[str, int | None]]:
    """Counts below the threshold are left out, and another one where that alone tells them."""
    few = {place for place, rows in enumerate(counts) if 0 < rows < THRESHOLD}
    if few and sum(counts[place] for place in few) < THRESHOLD:
        others = [place for place, rows in enumerate(counts) if rows and place not in few]
        few.update(sorted(others, key=lambda place: counts[place])[:1])
    return [
        (label, None if place in few else rows)
        for place, (label, rows) in enumerate(zip(labels, counts, strict=True))
    ]


def _ends(numbers: Floats, sides: int = 1) -> tuple[float, float]:
    """Two of the numbers, beyond each of which others of enough rows lie, if there are so many.

    Args:
        numbers: At least one.
        sides: How often each row is among them.
    """
    ordered = np.sort(numbers)
    beyond = max(sides * THRESHOLD, math.ceil(_TAIL * len(ordered)))
    beyond = min(beyond, (len(ordered) - 1) // 2)
    return float(ordered[beyond]), float(ordered[-1 - beyond])


def _numbers(low: float, high: float, whole: bool) -> Scale:
    step = _nice((high - low) / BARS or abs(high) / BARS or 1.0)
    if whole:
        step = max(1.0, step)
    first = math.floor(low / step)
    count = min(2 * BARS, math.ceil(high / step) - first) or 1
    borders = tuple((first + place) * step for place in range(count + 1))
    names = [f"{border:.10g}" for border in borders]
    inner = [f"{one} to {other}" for one, other in pairwise(names)]
    labels = (f"under {names[0]}", *inner, f"{names[-1]} and more")
    return Scale("Numbers", borders, labels)


def _nice(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1.0, 2.0, 5.0, 10.0) if times * power >= step * 0.999)


def _dates(low: float, high: float) -> Scale:
    unit = next(name for name, days in _UNITS if high - low >= days)
    low, high = max(low, _FIRST_DAY), max(high, _FIRST_DAY)
    ends = pl.Series([low, high]).floor().cast(pl.Int32).cast(pl.Date).dt.truncate(_EVERY[unit])
    days = pl.date_range(ends[0], ends[1], _EVERY[unit], eager=True)
    after = days.tail(1).dt.offset_by(_EVERY[unit])
    borders = pl.concat([days, after])
    texts = borders.dt.to_string(
        "%Y" if unit in ("Century", "Decade", "Year") else "%Y-%m-%d"
    ).to_list()
    if unit in ("Quarter", "Month"):
        texts = borders.dt.to_string("%Y-%m").to_list()
    labels = (f"before {texts[0]}", *(f"{text}…" for text in texts[:-1]), f"{texts[-1]} and later")
    numbers = borders.cast(pl.Int32).cast(pl.Float64).to_list()
    return Scale("Dates", tuple(numbers), labels)


def _rounded(number: float) -> str:
    """Three digits, as in 26,200 and 0.0123."""
    return f"{float(f'{number:.3g}') + 0.0:,.10g}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
