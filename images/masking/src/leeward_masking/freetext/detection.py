"""What the values of a column look like, by the detectors of free text.

A column is of an entity where nearly all of its first values are one as a whole. The name of the
column stands before each value, as a label does in a form: ten digits are a phone number in a
column "phone", and anything in a column "code". It is a hint, and no detection is complete.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from leeward.api.dataset import Detected
from leeward_masking.freetext.detector import ENTITIES, FreeTextDetector
from leeward_masking.values.canonical import canonical_text, column_type
from leeward_masking.values.detaching import detached
from leeward_masking.values.nesting import value_dtype, values_of

SAMPLE: Final = 200
"""Values that are looked at."""
SHARE: Final = 0.8
"""Of these, so many at least are of the entity."""
LONGEST: Final = 200
"""Characters of a value: longer ones are texts, and not one entity."""
_COLUMNS_AT_ONCE: Final = 100
_TYPES: Final = frozenset({"String", "Integer", "Date"})
_DETECTOR: Final = FreeTextDetector(ENTITIES)
_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ContentSample:
    """The first values of one column that are there.

    Args:
        name: Of the column.
    """

    def __init__(self, name: str) -> None:
        self._label = " ".join(_WORD.findall(_HUMP.sub(" ", name))) + ": "
        self._parts: list[pl.Series] = []
        self._missing = SAMPLE

    def add(self, column: pl.Series) -> None:
        """Take values of another block; those in lists, too."""
        if self._missing == 0 or column_type(value_dtype(column.name, column.dtype)) not in _TYPES:
            return
        values = values_of(column.drop_nulls().head(SAMPLE))
        found = canonical_text(values.drop_nulls().head(self._missing))
        self._parts.append(detached(found.to_frame()).to_series())
        self._missing -= len(found)

    def notes(self) -> pl.Series:
        """The values, each behind the name of the column."""
        texts = pl.concat(self._parts) if self._parts else pl.Series(dtype=pl.String)
        texts = texts.str.strip_chars()
        texts = texts.filter(texts.str.len_chars().is_between(1, LONGEST))
        return pl.select(note=pl.lit(self._label) + pl.lit(texts)).to_series()

    @property
    def start(self) -> int:
        """Where in its note a value begins."""
        return len(self._label)


def detect(samples: Sequence[ContentSample]) -> list[Detected | None]:
    """What the values of each column are; None: nothing that is known, or not the same."""
    found: list[Detected | None] = []
    for first in range(0, len(samples), _COLUMNS_AT_ONCE):
        found.extend(_detect(samples[first : first + _COLUMNS_AT_ONCE]))
    return found


def _detect(samples: Sequence[ContentSample]) -> list[Detected | None]:
    notes = [sample.notes() for sample in samples]
    every = (
        pl.concat(notes)
        .to_frame("note")
        .with_columns(
            row=pl.int_range(pl.len()),
            column=np.repeat(np.arange(len(notes)), [len(part) for part in notes]),
            begins=np.repeat([sample.start for sample in samples], [len(part) for part in notes]),
            ends=pl.col("note").str.len_chars().cast(pl.Int64),
        )
    )
    counts = (
        _DETECTOR.find(every.get_column("note"))
        .join(every, on="row")
        .filter((pl.col("start") == pl.col("begins")) & (pl.col("end") == pl.col("ends")))
        .group_by("column", "entity")
        .agg(pl.len())
    )
    by_column: dict[int, dict[Detected, int]] = {}
    for column, entity, count in counts.iter_rows():
        by_column.setdefault(column, {})[entity] = count
    return [_most(by_column.get(place, {}), SHARE * len(part)) for place, part in enumerate(notes)]


def _most(counts: dict[Detected, int], least: float) -> Detected | None:
    return next((entity for entity, count in counts.items() if count >= least), None)
