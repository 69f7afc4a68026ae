"""freeText with engine Model: what a language model finds is masked besides what patterns find."""

import re
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.api.freetext import FreeText
from leeward_masking.errors import JobError
from leeward_masking.freetext import FreeTextMask, measure
from leeward_masking.freetext.modelpersons import OVERLAP, PIECE, ModelPersons, united
from leeward_masking.freetext.spans import SPAN_SCHEMA, prepared, resolved
from unit.masking.support import Volume, rule


class Marking:
    """Takes for a person whatever matches a pattern, and remembers what it was given."""

    name, version = "en_marking", "1.0"

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self.texts: list[str] = []

    def persons(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        self.texts += texts
        return [[found.span() for found in self._pattern.finditer(text)] for text in texts]


def masked(notes: list[str | None], pattern: str, **more: Any) -> list[str | None]:
    given = FreeText.model_validate({"languages": ["en"], "engine": "Model", **more})
    mask = FreeTextMask(given, model_of=lambda language: Marking(pattern))
    return list(mask(pl.Series("note", notes, pl.String)))


def test_a_name_that_only_the_model_knows_is_masked_beside_what_patterns_find() -> None:
    notes = ["lilac came with Mrs Jane Roe, tel +44 7700 900123", None, "", "no change"]
    found = masked(notes, "lilac")
    assert found == ["[PERSON] came with Mrs [PERSON], tel [PHONE]", None, "", "no change"]


def test_persons_that_overlap_become_one() -> None:
    assert masked(["Seen with Jane Roe lilac today."], "Roe lilac") == ["Seen with [PERSON] today."]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("lilac .* wrote", "[PERSON] ([MAIL]) [PERSON]."),
        ("lilac .*@", "[PERSON] ([MAIL]) wrote."),
        ("x@post.*", "lilac ([MAIL]) [PERSON]."),
        ("x@post", "lilac ([MAIL]) wrote."),
        (r"\(", "lilac ([MAIL]) wrote."),
    ],
)
def test_what_patterns_know_for_something_else_stays_that(pattern: str, kept: str) -> None:
    assert masked(["lilac (x@post.example) wrote."], pattern) == [kept]


def test_a_note_is_read_by_the_models_of_its_letters() -> None:
    models = {"en": Marking("[a-z]+|患者"), "zh": Marking("患者|lilac")}
    notes = pl.Series(["lilac", "患者", "lilac 患者", "12"])
    found = ModelPersons(models).find(prepared(notes)).sort("row", "start")
    assert models["en"].texts == ["lilac", "lilac 患者"]
    assert models["zh"].texts == ["患者", "lilac 患者"]
    assert found.select("row", "start", "end").rows() == [
        (0, 0, 5),
        (1, 0, 2),
        (2, 0, 5),
        (2, 6, 8),
    ]


def test_a_long_note_is_read_in_pieces_and_names_at_borders_are_whole() -> None:
    name = "lilac" * 20
    for before in range(PIECE - OVERLAP - 150, PIECE + 150, 37):
        note = "." * before + name + "." * PIECE
        model = Marking(f"[a-z]{{{len(name)}}}")
        found = ModelPersons({"en": model}).find(prepared(pl.Series([note])))
        assert set(found.select("start", "end").rows()) == {(before, before + len(name))}
        assert max(map(len, model.texts)) <= PIECE


def test_without_person_among_the_entities_or_with_engine_patterns_no_model_is_asked() -> None:
    def none(language: str) -> Marking:
        raise AssertionError

    FreeTextMask(FreeText.model_validate({"languages": ["en"]}), model_of=none)
    idle = FreeText.model_validate({"languages": ["en"], "engine": "Model", "entities": ["Mail"]})
    assert idle.fault() == (
        "engine Model finds persons only, and entities does not name Person",
        "add Person to entities, or remove engine",
    )


def test_the_gate_measures_what_both_find() -> None:
    given = FreeText.model_validate({"languages": ["en"], "engine": "Model"})
    known = measure(FreeTextMask(given, model_of=lambda language: Marking("$^")))
    every = measure(FreeTextMask(given, model_of=lambda language: Marking(".+")))
    recall = [
        next(o.score.recall for o in found if o.entity == "Person") for found in (known, every)
    ]
    assert recall[0] < recall[1] == 1


def test_a_job_whose_image_has_no_model_says_so(volume: Volume) -> None:
    frame = pl.DataFrame({"note": ["lilac"]})
    source = volume.source(volume.write_frame(frame), dict(frame.schema))
    with pytest.raises(JobError) as caught:
        volume.mask(source, [rule("note", "freeText", {"languages": ["en"], "engine": "Model"})])
    assert caught.value.code == "InvalidConfig"
    assert 'no model for language "en" is in this image' in caught.value.message
    assert "images/masking-models" in caught.value.remedy


NOTE = "Jane (x@post.example) and 4111 1111 1111 1111, " * 2
EXTENTS = st.tuples(st.integers(0, len(NOTE)), st.integers(0, len(NOTE))).map(sorted)


def spans(found: list[tuple[list[int], str]]) -> pl.DataFrame:
    rows = [(0, *extent, entity, "d", 1.0) for extent, entity in found if extent[0] < extent[1]]
    return pl.DataFrame(rows, SPAN_SCHEMA, orient="row")


def covered(found: pl.DataFrame) -> set[int]:
    return {
        place for start, end in found.select("start", "end").rows() for place in range(start, end)
    }


@given(
    fast=st.lists(st.tuples(EXTENTS, st.sampled_from(["Person", "Mail", "Card"])), max_size=6),
    model=st.lists(EXTENTS, max_size=6),
)
def test_every_letter_that_either_finds_is_covered_once(
    fast: list[tuple[list[int], str]], model: list[list[int]]
) -> None:
    known, persons = resolved(spans(fast)), spans([(extent, "Person") for extent in model])
    found = united(prepared(pl.Series([NOTE])), known, persons)
    letters = {place for place, character in enumerate(NOTE) if character.isalnum()}
    assert covered(found) & letters == (covered(known) | covered(persons)) & letters
    assert covered(known) <= covered(found)
    assert sum(end - start for start, end in found.select("start", "end").rows()) == len(
        covered(found)
    )
    rest = pl.col("entity") != "Person"
    assert found.filter(rest).rows() == known.filter(rest).rows()
