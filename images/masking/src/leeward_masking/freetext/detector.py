"""Detection of personal data in a batch of notes."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.freetext.custom import CustomDictionary, CustomPattern, KnownValues
from leeward_masking.freetext.modelpersons import PERSON, ModelPersons, united
from leeward_masking.freetext.national import find_national_ids
from leeward_masking.freetext.numbers import (
    find_cards,
    find_ibans,
    find_ips,
    find_mail,
    find_phones,
    find_urls,
)
from leeward_masking.freetext.persons import find_chinese_persons, find_persons
from leeward_masking.freetext.spans import SPAN_SCHEMA, prepared, resolved
from leeward_masking.freetext.worded import (
    find_addresses,
    find_births,
    find_chinese_addresses,
    find_record_numbers,
)

LANGUAGES: Final = ("en", "zh")
Finder = Callable[[pl.DataFrame], pl.DataFrame]
_FINDERS: Final[dict[str, Finder | dict[str, Finder]]] = {
    "Mail": find_mail,
    "Url": find_urls,
    "Ip": find_ips,
    "Card": find_cards,
    "Iban": find_ibans,
    "NationalId": find_national_ids,
    "Phone": find_phones,
    "MedicalRecordNumber": find_record_numbers,
    "DateOfBirth": find_births,
    "Address": {"en": find_addresses, "zh": find_chinese_addresses},
    "Person": {"en": find_persons, "zh": find_chinese_persons},
}
ENTITIES: Final = tuple(_FINDERS)
"""What can be found without patterns or dictionaries of one's own; addresses and persons depend on
the language, the others do not."""


class FreeTextDetector:
    """Finds personal data in notes. No detection is complete. Safe to use from several threads.

    Args:
        entities: Which of ``ENTITIES``.
        custom: Patterns and dictionaries besides.
        min_confidence: Spans that are less sure are left out, from 0 to 1.
        languages: Which of ``LANGUAGES``.
        known: What is known of each note besides, and given with it.
        model: Finds persons besides, where Person is among the entities; None: nothing does.

    Raises:
        JobError: ``InvalidConfig``: an entity is unknown, or nothing is to be found.
    """

    def __init__(
        self,
        entities: Collection[str] = ENTITIES,
        custom: Sequence[CustomPattern | CustomDictionary] = (),
        min_confidence: float = 0.0,
        languages: Collection[str] = LANGUAGES,
        known: Sequence[KnownValues] = (),
        model: ModelPersons | None = None,
    ) -> None:
        unknown = sorted(set(entities) - set(ENTITIES))
        if unknown:
            raise JobError(
                "InvalidConfig",
                f"no detector finds {', '.join(unknown)}",
                f"name some of {', '.join(ENTITIES)}",
            )
        if not entities and not custom:
            raise JobError("InvalidConfig", "nothing is to be found in free text", "name an entity")
        chosen = [_FINDERS[entity] for entity in ENTITIES if entity in entities]
        self._finders: Final[list[Finder]] = [one.find for one in custom]
        for finder in chosen:
            if isinstance(finder, dict):
                self._finders.extend(finder[language] for language in languages)
            else:
                self._finders.append(finder)
        self._known: Final = tuple(known)
        self._model: Final = model if PERSON in entities else None
        self._min_confidence: Final = min_confidence

    def find(self, notes: pl.Series, beside: Sequence[pl.Series] = ()) -> pl.DataFrame:
        """What is personal in each note.

        Args:
            notes: String; nulls and empty notes have no spans.
            beside: For each of ``known`` the values (String) that are known of the notes; none:
                nothing is.

        Returns:
            Spans in the form of ``SPAN_SCHEMA``, by row and place, without overlap: the longest of
            those that overlap is kept, then the one whose entity comes first in ``PRIORITY``.
            What a model finds adds to these, and takes nothing from them.
        """
        frame = prepared(notes)
        if frame.is_empty():
            return SPAN_SCHEMA.to_frame()
        found = pl.concat(
            [
                *(find(frame) for find in self._finders),
                *(
                    known.find(frame, values.gather(frame.get_column("row")))
                    for known, values in zip(self._known, beside, strict=False)
                ),
            ]
        )
        fast = resolved(found.filter(pl.col("confidence") >= self._min_confidence))
        return fast if self._model is None else united(frame, fast, self._model.find(frame))
