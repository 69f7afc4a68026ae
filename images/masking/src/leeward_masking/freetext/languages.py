"""Which of the languages that can be searched stand in notes, by their writing."""

from collections.abc import Collection
from typing import Final

import polars as pl

OCCURS: Final = 0.01
"""Share of notes from which on a language that a rule does not search is worth a word."""
_WRITING: Final = {"en": r"\p{Latin}{2,}[.,;:]?\s\p{Latin}{2,}", "zh": r"\p{Han}{2,}"}


def notes_in(notes: pl.Series, languages: Collection[str]) -> dict[str, int]:
    """How many notes each of the languages occurs in.

    Args:
        notes: String.
        languages: Some of those that can be searched.
    """
    return {one: int(notes.str.contains(_WRITING[one]).sum()) for one in languages}


def language_shares(notes: pl.Series) -> dict[str, float]:
    """Share of the notes that each language occurs in, from 0 to 1."""
    there = max(1, len(notes) - notes.null_count())
    return {language: count / there for language, count in notes_in(notes, _WRITING).items()}
