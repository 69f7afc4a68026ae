"""What kind of personal data the values of a column look like."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from leeward_masking.canonical import column_type
from leeward_masking.freetext import FreeTextDetector
from leeward_masking.freetext.spans import prepared

LOOKED_AT: Final = 1000
"""Distinct values of a column that are looked at."""
ENOUGH: Final = 0.6
"""Share of values that must be of one kind, for the column to be."""
SOME: Final = 0.1
"""Share of values that hold something personal, for a column to be told as free text with it."""
_WORDS: Final = 4.0
"""Words of a value, on average, from which on it is text and no name."""
_POSTCODE: Final = r"^(?:\d{5}(?:-\d{4})?|\d{4} ?[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|\d{6})$"


@dataclass(frozen=True, slots=True)
class Detected:
    """What a column looks like.

    Attributes:
        entity: One of the free-text entities, or Postcode or FreeText.
        share: Of the values that do, from 0 to 1.
        within: Of FreeText: the entity that stands most often in the texts.
    """

    entity: str
    share: float
    within: str | None = None


def detected(values: pl.Series) -> Detected | None:
    """What most values of a column are; None: nothing that is known.

    Args:
        values: Any column; only text and whole numbers are looked at.
    """
    if column_type(values.dtype) not in ("String", "Integer"):
        return None
    texts = values.drop_nulls().unique(maintain_order=True).head(LOOKED_AT).cast(pl.String)
    texts = texts.str.strip_chars().filter(texts.str.strip_chars() != "")
    if not len(texts):
        return None
    spans = _detector().find(texts)
    lengths = prepared(texts).select("row", length=pl.col("text").str.len_chars())
    covered = spans.join(lengths, on="row").with_columns(
        whole=pl.col("end") - pl.col("start") >= 0.8 * pl.col("length")
    )
    whole = _most(covered.filter("whole"), len(texts))
    if whole is not None and whole[1] >= ENOUGH:
        return Detected(*whole)
    if column_type(values.dtype) == "String":
        postcodes = int(texts.str.contains(_POSTCODE).sum()) / len(texts)
        if postcodes >= ENOUGH:
            return Detected("Postcode", postcodes)
        words = int(texts.str.count_matches(r"\s+").sum()) / len(texts) + 1
        inside = _most(covered, len(texts))
        if words >= _WORDS:
            return Detected("FreeText", 1.0, inside[0] if inside else None)
        if inside is not None and inside[1] >= SOME:
            return Detected(*inside)
    return None


def _most(spans: pl.DataFrame, count: int) -> tuple[str, float] | None:
    """The entity that is in most values, and the share of values it is in."""
    found = spans.group_by("entity").agg(pl.col("row").n_unique()).sort("row", "entity")
    if found.is_empty():
        return None
    entity, rows = found.row(-1)
    return str(entity), rows / count


@cache
def _detector() -> FreeTextDetector:
    return FreeTextDetector()
