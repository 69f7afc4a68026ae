"""Persons that a language model finds, besides those of patterns and lists of names.

What either finds is masked: no character that patterns found is given up for what a model says.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import polars as pl

from leeward_masking.freetext.spans import SPAN_SCHEMA

PERSON: Final = "Person"
DETECTOR: Final = "model"
CONFIDENCE: Final = 0.85
"""Models of spaCy tell no confidence: it is the one that Presidio gives all of them."""
PIECE: Final = 10_000
"""Characters of a note that a model reads at once: its memory grows with them."""
OVERLAP: Final = 200
"""Characters that two pieces share, so that a name at the border is whole in one of them."""
_WRITING: Final = {"en": r"\p{Latin}", "zh": r"\p{Han}"}
_HAN: Final = r"\p{Han}"

Extent = tuple[int, int]
"""First character, and the one behind the last."""


class NameModel(Protocol):
    """Finds persons in texts of one language. Safe to use from several threads.

    Attributes:
        name: With its language, as spaCy names packages.
        version: As the model says.
    """

    name: str
    version: str

    def persons(self, texts: Sequence[str]) -> list[list[Extent]]:
        """Where each text names a person, in characters."""


class ModelPersons:
    """Finds persons in notes by language models.

    Args:
        models: By language. A note is read by those of the languages whose letters it holds.
    """

    def __init__(self, models: Mapping[str, NameModel]) -> None:
        self._models: Final = dict(models)

    def find(self, notes: pl.DataFrame) -> pl.DataFrame:
        """Persons in the form of ``SPAN_SCHEMA``; they may overlap.

        Args:
            notes: As ``prepared`` gives them.
        """
        found = [self._found(notes, language) for language in self._models]
        return pl.concat([SPAN_SCHEMA.to_frame(), *found])

    def _found(self, notes: pl.DataFrame, language: str) -> pl.DataFrame:
        """Of one language: in Chinese names there are Han characters, in others none."""
        read = notes.filter(pl.col("text").str.contains(_WRITING[language]))
        pieces = [
            (row, first, piece)
            for row, text in read.select("row", "text").iter_rows()
            for first, piece in _pieces(text)
        ]
        extents = self._models[language].persons([piece for _, _, piece in pieces])
        rows = [
            (row, first + start, first + end, piece[start:end])
            for (row, first, piece), places in zip(pieces, extents, strict=True)
            for start, end in (_trimmed(piece, *place) for place in places)
            if end > start
        ]
        schema = {"row": pl.Int64, "start": pl.Int64, "end": pl.Int64, "value": pl.String}
        frame = pl.DataFrame(rows, schema, orient="row")
        return frame.filter(pl.col("value").str.contains(_HAN) == pl.lit(language == "zh")).select(
            "row",
            "start",
            "end",
            entity=pl.lit(PERSON),
            detector=pl.lit(DETECTOR),
            confidence=pl.lit(CONFIDENCE),
        )


def united(notes: pl.DataFrame, found: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    """What either finds.

    Persons that overlap become one. Of a person that overlaps anything else, the rest is left:
    patterns know a number for what it is, and all of it stays found.

    Args:
        notes: As ``prepared`` gives them.
        found: Without overlap, as ``resolved`` gives them.
        persons: By the model.

    Returns:
        Spans without overlap, by row and place.
    """
    if persons.is_empty():
        return found
    rows = persons.get_column("row").unique()
    touched = pl.col("row").is_in(rows.implode())
    others: dict[int, list[Extent]] = defaultdict(list)
    known: dict[int, list[Extent]] = defaultdict(list)
    by_model: dict[int, list[Extent]] = defaultdict(list)
    for row, start, end, entity in (
        found.filter(touched).select("row", "start", "end", "entity").iter_rows()
    ):
        (known if entity == PERSON else others)[row].append((start, end))
    for row, start, end in persons.select("row", "start", "end").iter_rows():
        by_model[row].append((start, end))
    texts = dict(notes.filter(touched).select("row", "text").iter_rows())
    merged = [
        (row, *extent, PERSON, DETECTOR, CONFIDENCE)
        for row, places in by_model.items()
        for extent in _merged(
            known[row], [e for place in places for e in _rest(texts[row], place, others[row])]
        )
    ]
    more = pl.DataFrame(merged, SPAN_SCHEMA, orient="row")
    place = ["row", "start", "end", "entity"]
    same = found.filter(pl.col("entity") == PERSON).join(more, on=place, how="semi")
    rest = found.filter((pl.col("entity") != PERSON) | ~touched)
    new = more.join(found, on=place, how="anti")
    return pl.concat([rest, same, new]).sort("row", "start")


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """First characters and texts of the pieces of a note."""
    for first in range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP):
        yield first, text[first : first + PIECE]


def _trimmed(text: str, start: int, end: int) -> Extent:
    """The extent without what is neither letter nor digit at its ends."""
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return start, end


def _rest(text: str, person: Extent, others: Sequence[Extent]) -> list[Extent]:
    """What is left of a person beside other findings."""
    left = [person]
    for start, end in others:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, start)), (max(first, end), last))
            if part[0] < part[1]
        ]
    trimmed = (_trimmed(text, *part) for part in left)
    return [(start, end) for start, end in trimmed if start < end]


def _merged(known: Sequence[Extent], more: Sequence[Extent]) -> list[Extent]:
    """Extents without overlap that cover the same characters."""
    merged: list[Extent] = []
    for start, end in sorted((*known, *more)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
