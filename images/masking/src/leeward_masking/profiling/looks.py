"""What the values of columns look like, and what stands in columns of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from leeward_masking.freetext import ENTITIES, FreeTextDetector, language_shares
from leeward_masking.freetext.detection import ContentSample, detect
from leeward_masking.values.canonical import column_type

POSTCODE: Final = "Postcode"
FREE_TEXT: Final = "FreeText"
_LOOKED_AT: Final = 500
"""Distinct texts of a column that are searched."""
_ENOUGH: Final = 0.8
_SOME: Final = 0.02
"""Share of texts with an entity in them from which on the column is said to hold it."""
_WORDS: Final = 4.0
"""Words of a value, on average, from which on it is text and not a name."""
_SOME_WORDS: Final = 1.5
"""From here on a search within values can find more than one of the values as a whole did."""
_HAN_PER_WORD: Final = 3
"""Chinese has no spaces between words; a name of three characters is to count as one."""
_CODE: Final = r"^(?:\d{4,6}|\d{5}-\d{4}|\d{4} ?[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})$"
_CODE_NAMES: Final = r"(?i)(?:^|_|\b)(?:zip|post|plz|postal)"
_DETECTOR: Final = FreeTextDetector(ENTITIES)


@dataclass(frozen=True, slots=True)
class Looks:
    """What a column looks like. A hint: no detection is complete.

    Attributes:
        entity: An entity of free text, or ``POSTCODE`` or ``FREE_TEXT``.
        within: Of text: the entity that most of the texts hold that hold one.
        share: Of text: how many hold it, from 0 to 1.
        languages: Of text: those that can be searched, and occur.
    """

    entity: str
    within: str | None = None
    share: float = 1.0
    languages: tuple[str, ...] = ()


def looks(columns: Sequence[pl.Series]) -> dict[str, Looks]:
    """What columns look like, as far as that is known."""
    samples = {column.name: ContentSample(column.name) for column in columns}
    for column in columns:
        samples[column.name].add(column)
    found = {
        name: Looks(entity)
        for name, entity in zip(samples, detect(list(samples.values())), strict=True)
        if entity is not None
    }
    for column in columns:
        if column.name not in found and (other := _otherwise(column)) is not None:
            found[column.name] = other
    return found


def _otherwise(column: pl.Series) -> Looks | None:
    if column_type(column.dtype) not in ("String", "Integer"):
        return None
    texts = column.drop_nulls().unique(maintain_order=True).head(_LOOKED_AT).cast(pl.String)
    texts = texts.str.strip_chars()
    texts = texts.filter(texts != "")
    if not len(texts):
        return None
    named = pl.Series([column.name]).str.contains(_CODE_NAMES)[0]
    if named and int(texts.str.contains(_CODE).sum()) >= _ENOUGH * len(texts):
        return Looks(POSTCODE)
    if column_type(column.dtype) != "String":
        return None
    words = int(texts.str.count_matches(r"\s+").sum()) / len(texts) + 1
    words = max(words, int(texts.str.count_matches(r"\p{Han}").sum()) / len(texts) / _HAN_PER_WORD)
    if words < _SOME_WORDS:
        return None
    within = _within(texts)
    if words < _WORDS and (within is None or within[1] < _SOME):
        return None
    shares = language_shares(column.drop_nulls().cast(pl.String))
    occurring = tuple(language for language, share in shares.items() if share)
    entity, share = within or (None, 0.0)
    return Looks(FREE_TEXT, entity, share, occurring)


def _within(texts: pl.Series) -> tuple[str, float] | None:
    """The entity that is in most texts, and the share of texts that it is in."""
    spans = _DETECTOR.find(texts)
    found = spans.group_by("entity").agg(pl.col("row").n_unique()).sort("row", "entity")
    if found.is_empty():
        return None
    entity, rows = found.row(-1)
    return str(entity), rows / len(texts)
