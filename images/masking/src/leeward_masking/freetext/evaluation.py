"""Recall and precision of detection against a labelled sample."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.freetext.spans import SPAN_SCHEMA

_LABEL: Final = re.compile(r"\{([A-Za-z]+)\|([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Score:
    """How good detection of one entity is.

    Attributes:
        labelled: Spans of the sample.
        exact: Those found with the same start, end and entity.
        touched: Those that a found span of any entity overlaps: part of them is masked.
        covered: Those whose every character lies in found spans of any entity: nothing is left.
        found: Spans that detection gave this entity.
        right: Those that overlap a labelled span of this entity.
    """

    labelled: int
    exact: int
    touched: int
    covered: int
    found: int
    right: int

    @property
    def recall(self) -> float:
        """Share of the labelled spans of which nothing is left."""
        return self.covered / self.labelled if self.labelled else 1.0

    @property
    def exact_recall(self) -> float:
        """Share of the labelled spans found with the same place and entity."""
        return self.exact / self.labelled if self.labelled else 1.0

    @property
    def touched_recall(self) -> float:
        """Share of the labelled spans of which at least a part is found."""
        return self.touched / self.labelled if self.labelled else 1.0

    @property
    def precision(self) -> float:
        """Share of the found spans that overlap a labelled one of the same entity."""
        return self.right / self.found if self.found else 1.0

    @property
    def exact_precision(self) -> float:
        """Share of the found spans that are labelled with the same place and entity."""
        return self.exact / self.found if self.found else 1.0


def read_labelled(lines: Iterable[str]) -> tuple[pl.Series, pl.DataFrame]:
    r"""A sample: one note per line, ``{Entity|text}`` around what is personal.

    ``\n`` and ``\r`` in a line stand for line ends within the note.

    Returns:
        The notes without labels, and their spans in the form of ``SPAN_SCHEMA``.

    Raises:
        JobError: ``MalformedData``: a brace is left over; names the line.
    """
    notes: list[str] = []
    spans: list[tuple[int, int, int, str, str, float]] = []
    for row, line in enumerate(lines):
        note, rest = "", 0
        text = line.replace("\\n", "\n").replace("\\r", "\r")
        for found in _LABEL.finditer(text):
            note += text[rest : found.start()]
            spans.append((row, len(note), len(note) + len(found[2]), found[1], "label", 1.0))
            note += found[2]
            rest = found.end()
        note += text[rest:]
        if "{" in note or "}" in note:
            raise JobError(
                "MalformedData",
                f"line {row + 1} of the labelled sample has a brace that belongs to no label",
                "write {Entity|text}",
                row=row + 1,
            )
        notes.append(note)
    return pl.Series("note", notes, pl.String), pl.DataFrame(spans, SPAN_SCHEMA, orient="row")


def evaluate(labelled: pl.DataFrame, found: pl.DataFrame) -> Mapping[str, Score]:
    """Scores by entity, of all that are labelled or found.

    Args:
        labelled: Spans of the sample.
        found: Spans of detection on the same notes, without overlap.
    """
    place = ["row", "start", "end"]
    truth = labelled.select(*place, "entity").with_row_index("id")
    guess = found.select(*place, "entity").with_row_index("id")
    pairs = (
        truth.join(guess, on="row", suffix="_found")
        .filter((pl.col("start") < pl.col("end_found")) & (pl.col("start_found") < pl.col("end")))
        .with_columns(
            shared=pl.min_horizontal("end", "end_found")
            - pl.max_horizontal("start", "start_found"),
            agrees=pl.col("entity") == pl.col("entity_found"),
        )
    )
    exact = truth.join(guess, on=[*place, "entity"], how="semi")
    covered = (
        pairs.group_by("id")
        .agg(
            pl.col("entity").first(),
            left=(pl.col("end") - pl.col("start")).first() - pl.col("shared").sum(),
        )
        .filter(pl.col("left") == 0)
    )
    right = pairs.filter("agrees").unique("id_found")
    tables = {
        "labelled": truth,
        "exact": exact,
        "touched": pairs.unique("id"),
        "covered": covered,
        "found": guess,
        "right": right,
    }
    counts = {
        name: dict(table.group_by("entity").len().iter_rows()) for name, table in tables.items()
    }
    names = sorted({*counts["labelled"], *counts["found"]})
    return {
        entity: Score(**{name: count.get(entity, 0) for name, count in counts.items()})
        for entity in names
    }
