"""How well a rule finds what persons have marked in labelled notes, and whether that is enough.

Sample notes come with the image, one file per language. Their names were written by hand, and not
taken from the detectors' dictionaries, so that the figure says something about names in general.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.freetext.evaluation import Score, evaluate, read_labelled
from leeward_masking.freetext.mask import FreeTextMask

MIN_LABELLED: Final = 10
"""Marked values of a kind that a figure needs."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How well one kind is found.

    Attributes:
        language: Of the sample notes; None: they are a sample of the user's own.
    """

    entity: str
    language: str | None
    score: Score


def checked(
    masks: Mapping[str, FreeTextMask], own: pl.DataFrame | None
) -> dict[str, tuple[Measured, ...]]:
    """How well columns of notes are searched; all are good enough.

    Columns with equal rules are searched alike: the figures are with the first of them.

    Args:
        masks: Rules by column.
        own: Labelled notes of the user, in the columns that the rules name; None: none names one.

    Raises:
        JobError: ``RecallTooLow``, or the user's notes are wrongly labelled.
    """
    found: dict[str, tuple[Measured, ...]] = {}
    known: set[str] = set()
    for name, mask in masks.items():
        rule = mask.rule.model_dump_json()
        if rule in known:
            continue
        known.add(rule)
        column = mask.rule.sample.column if mask.rule.sample else None
        notes = own.get_column(column) if own is not None and column is not None else None
        found[name] = measure(mask, notes)
        check_recall(name, mask, found[name])
    return found


def measure(mask: FreeTextMask, own: pl.Series | None = None) -> tuple[Measured, ...]:
    """Recall and precision of each kind that the rule looks for.

    Args:
        mask: The rule.
        own: Labelled notes of the user; None: those of the image, by language. They hold none of
            the kinds that are the user's own, so of those nothing is measured.

    Raises:
        JobError: ``MalformedData``: a label of the user's notes is not well-formed.
    """
    if own is not None:
        notes, labelled = read_labelled(own.drop_nulls())
        return _measured(mask, notes, labelled, None, (*mask.entities, *mask.custom))
    found: list[Measured] = []
    for language in mask.rule.languages:
        notes, labelled = sample(language)
        found += _measured(mask, notes, labelled, language, mask.entities)
    return tuple(found)


@cache
def sample(language: str) -> tuple[pl.Series, pl.DataFrame]:
    """The sample notes of the image, and what is personal in them."""
    path = files("leeward_masking.freetext") / "data" / f"sample-{language}.txt"
    return read_labelled(path.read_text(encoding="utf-8").splitlines())


def _measured(
    mask: FreeTextMask,
    notes: pl.Series,
    labelled: pl.DataFrame,
    language: str | None,
    entities: Iterable[str],
) -> tuple[Measured, ...]:
    wanted = list(dict.fromkeys(entities))
    labelled = labelled.filter(pl.col("entity").is_in(wanted))
    scores = evaluate(labelled, mask.detector.find(notes))
    nothing = Score(0, 0, 0, 0, 0, 0)
    return tuple(Measured(name, language, scores.get(name, nothing)) for name in wanted)


def check_recall(column: str, mask: FreeTextMask, measured: Iterable[Measured]) -> None:
    """Stop where a kind is found less often than the rule wants, or nobody can tell.

    Raises:
        JobError: ``RecallTooLow``: names the column, the kinds and their recall.
    """
    if mask.rule.min_recall is None:
        return
    wanted = Decimal(mask.rule.min_recall)
    few = [one for one in measured if one.score.labelled < MIN_LABELLED]
    if few:
        listed = ", ".join(f"{one.entity} {one.score.labelled}" for one in few)
        raise JobError(
            "RecallTooLow",
            f'minRecall of column "{column}" cannot be checked: the labelled notes hold fewer than'
            f" {MIN_LABELLED} values of some kind ({listed})",
            "mark more values in the sample, or leave the kind out of entities",
            column=column,
        )
    low = [one for one in measured if one.score.covered < wanted * one.score.labelled]
    if low:
        raise JobError(
            "RecallTooLow",
            f'recall in column "{column}" is below minRecall {mask.rule.min_recall}, as measured on'
            f" labelled notes: {', '.join(_told(one) for one in low)}",
            "add patterns or dictionaries, leave the kind out of entities and mask the column"
            " otherwise, measure on labelled notes like yours (sample), or lower minRecall",
            column=column,
        )


def _told(one: Measured) -> str:
    of = f" ({one.language})" if one.language else ""
    return f"{one.entity}{of} {one.score.covered} of {one.score.labelled}"
