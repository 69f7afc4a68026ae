"""The transform freeText: what is found in a column of notes is replaced, slice by slice."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from leeward.api.freetext import FreeText
from leeward_masking.freetext.custom import CustomDictionary, CustomPattern, KnownValues
from leeward_masking.freetext.detector import ENTITIES, LANGUAGES, FreeTextDetector
from leeward_masking.freetext.installedmodels import installed_model
from leeward_masking.freetext.languages import OCCURS, notes_in
from leeward_masking.freetext.modelpersons import ModelPersons, NameModel
from leeward_masking.freetext.replacement import Replace, label, replaced
from leeward_masking.values.canonical import canonical_text, column_type, unsuitable

_NOTES: Final = "notes"
SLICE_NOTES: Final = 50_000
SLICE_BYTES: Final = 4 << 20
"""Notes, and bytes of them, that are searched at once: every detector makes copies of a slice."""

Pseudonyms = Callable[[pl.Series], pl.Series]
"""Tokens or pseudonyms of values (String, no nulls), as those of a structured column."""


class FreeTextMask:
    """Replaces what is found in notes, and counts it. Safe to use from several threads.

    Args:
        rule: What is searched, and what is put in its place.
        pseudonyms: Makes the tokens, where the rule wants some.
        model_of: Language model by language, where the rule wants one.

    Raises:
        JobError: ``InvalidConfig``: a pattern cannot be used, or there is no such model.

    Attributes:
        models: Those that search for persons besides, by language.
    """

    def __init__(
        self,
        rule: FreeText,
        pseudonyms: Pseudonyms | None = None,
        model_of: Callable[[str], NameModel] = installed_model,
    ) -> None:
        self.rule: Final = rule
        self.entities: Final = tuple(e for e in ENTITIES if e in (rule.entities or ENTITIES))
        custom: list[CustomPattern | CustomDictionary] = [
            *(CustomPattern(one.entity, one.name, one.pattern) for one in rule.patterns),
            *(
                CustomDictionary(one.entity, one.name, one.terms, one.ignore_case)
                for one in rule.dictionaries
            ),
        ]
        known = [KnownValues(one.entity, one.column) for one in rule.known]
        own = {one.entity for one in custom} - set(self.entities)
        self.custom: Final = tuple(sorted(own))
        self.known: Final = tuple(sorted({one.entity for one in known} - own - set(self.entities)))
        wanted = rule.languages if rule.engine == "Model" else ()
        self.models: Final[dict[str, NameModel]] = {one: model_of(one) for one in wanted}
        model = ModelPersons(self.models) if self.models else None
        self.detector: Final = FreeTextDetector(
            self.entities, custom, languages=rule.languages, known=known, model=model
        )
        self._replace: Final = _replacement(rule, pseudonyms)
        self._unsearched: Final = tuple(one for one in LANGUAGES if one not in rule.languages)
        self._found: Final[Counter[str]] = Counter()
        self._seen: Final[Counter[str]] = Counter()
        self._lock: Final = threading.Lock()

    def __call__(self, values: pl.Series, *beside: pl.Series) -> pl.Series:
        """The notes with other text in place of what was found; nulls stay null.

        Args:
            values: The notes.
            beside: What their rows hold in the columns that are known.

        Raises:
            JobError: ``UnsuitableColumn``: the column is not text.
        """
        if column_type(values.dtype) != "String":
            raise unsuitable(values.name, "holds no text: freeText needs text")
        notes = values.cast(pl.String)
        if notes.is_empty():
            return notes
        known = [canonical_text(column) for column in beside]
        done = []
        first = 0
        for part in slices(notes):
            done.append(self._masked(part, [one.slice(first, len(part)) for one in known]))
            first += len(part)
        return pl.concat(done).alias(values.name)

    def add(self, found: Mapping[str, int]) -> None:
        """Count what another pod has found, too."""
        with self._lock:
            self._found.update(found)

    def forget(self) -> None:
        """Count anew: the same notes are searched once more."""
        with self._lock:
            self._found.clear()

    def found(self) -> dict[str, int]:
        """Findings so far, by kind; kinds of which nothing was found, too."""
        with self._lock:
            names = (*self.entities, *self.custom, *self.known)
            return {name: self._found[name] for name in names}

    def add_seen(self, seen: Mapping[str, int]) -> None:
        """Count what notes another pod has seen, too."""
        with self._lock:
            self._seen.update(seen)

    def seen(self) -> dict[str, int]:
        """Notes so far, and how many of them hold a language that is not searched."""
        with self._lock:
            return {name: self._seen[name] for name in (_NOTES, *self._unsearched)}

    @property
    def not_searched(self) -> list[str]:
        """Languages that the rule does not search, and that are in enough notes to tell."""
        seen = self.seen()
        least = max(1.0, OCCURS * seen[_NOTES])
        return [language for language in self._unsearched if seen[language] >= least]

    def _masked(self, notes: pl.Series, beside: Sequence[pl.Series]) -> pl.Series:
        spans = self.detector.find(notes, beside)
        counts = dict(spans.group_by("entity").len().iter_rows())
        seen = {_NOTES: len(notes) - notes.null_count(), **notes_in(notes, self._unsearched)}
        with self._lock:
            self._found.update(counts)
            self._seen.update(seen)
        return replaced(notes, spans, {}, self._replace)


def slices(notes: pl.Series) -> Iterator[pl.Series]:
    """The notes in parts of at most ``SLICE_NOTES``, and of ``SLICE_BYTES`` and one note more."""
    sizes = notes.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    ends = np.cumsum(sizes)
    first = 0
    while first < len(notes):
        before = ends[first - 1] if first else 0
        fits = int(np.searchsorted(ends, before + SLICE_BYTES, side="right"))
        last = min(max(fits, first + 1), first + SLICE_NOTES)
        yield notes.slice(first, last - first)
        first = last


def _replacement(rule: FreeText, pseudonyms: Pseudonyms | None) -> Replace:
    constant = rule.replacement.replace

    def replace(entity: str, values: pl.Series) -> pl.Series:
        if constant is not None:
            return pl.Series([constant.value]).new_from_index(0, len(values))
        labels = label(entity, values)
        if pseudonyms is None:
            return labels
        return labels.str.strip_suffix("]") + ":" + pseudonyms(values) + "]"

    return replace
