"""What the author of a job adds: patterns of their own, and dictionaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from leeward.api.rustregex import search_fault
from leeward_masking.errors import JobError
from leeward_masking.freetext.spans import SPAN_SCHEMA, folded, locate, spans

MAX_PATTERN: Final = 4096
_NAME_WORD: Final = r"[\p{L}--\p{Han}][\p{L}\p{M}'\u2019\-]{2,}"


@dataclass(frozen=True, slots=True)
class CustomPattern:
    """A pattern in the syntax of Rust's regex crate, without look-around and back-references.

    Attributes:
        entity: What its matches are called.
        name: Named in errors and as detector.
    """

    entity: str
    name: str
    pattern: str
    confidence: float = 1.0

    def __post_init__(self) -> None:
        check_pattern(self.name, self.pattern)

    def find(self, notes: pl.DataFrame) -> pl.DataFrame:
        """Its matches in the notes as they are, without folding of wide forms."""
        return spans(
            locate(notes, self.pattern, column="raw"), self.entity, self.name, self.confidence
        )


@dataclass(frozen=True, slots=True)
class CustomDictionary:
    """Words to find, as a whole where letters or digits of their own writing stand around them.

    Attributes:
        terms: At least one; none is empty.
        ignore_case: Of ASCII letters only.
    """

    entity: str
    name: str
    terms: Sequence[str]
    ignore_case: bool = True
    confidence: float = 1.0

    def __post_init__(self) -> None:
        if not self.terms or not all(term.strip() for term in self.terms):
            raise JobError(
                "InvalidConfig",
                f'the dictionary "{self.name}" is empty, or has an empty term',
                "give it one term or more, each with at least one letter",
            )

    def find(self, notes: pl.DataFrame) -> pl.DataFrame:
        """Its terms in the notes: one pass, however many terms there are (Aho-Corasick).

        Also those that overlap: one that turns out to be part of a word must not hide another.
        """
        options = {"ascii_case_insensitive": self.ignore_case}
        terms = folded(pl.Series(self.terms, dtype=pl.String)).unique(maintain_order=True).to_list()
        raw = pl.col("raw")
        hits = notes.select("row", raw="text").filter(raw.str.contains_any(terms, **options))
        found = hits.select(
            "row",
            "raw",
            offset=raw.str.find_many(terms, overlapping=True, **options),
            text=raw.str.extract_many(terms, overlapping=True, **options),
        )
        return spans(_whole(found), self.entity, self.name, self.confidence)


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What the row of a note holds in another column; of names every word, too.

    Upper and lower case count, but for the whole value, and words that are written in capitals, or
    begin with one: a person may be called May.
    """

    entity: str
    name: str

    def find(self, notes: pl.DataFrame, values: pl.Series) -> pl.DataFrame:
        """The value of each note's row in it, wherever it stands as a whole.

        Args:
            notes: As the detectors read them.
            values: String, one for each note; null: nothing is known.
        """
        value = pl.col("value").str.strip_chars()
        # Folded on both sides: programs for letters write O'Brien with another apostrophe.
        frame = notes.select("row", raw="text", value=folded(values))
        frame = frame.filter(value.str.len_chars() > 1)
        if frame.is_empty():
            return SPAN_SCHEMA.to_frame()
        text = value.str
        terms = pl.concat_list(value, text.to_titlecase(), text.to_uppercase(), text.to_lowercase())
        if self.entity == "Person":
            word = value.str.extract_all(_NAME_WORD)
            cased = (pl.element().str.to_titlecase(), pl.element().str.to_uppercase())
            terms = pl.concat_list(terms, word, *(word.list.eval(case) for case in cased))
        frame = frame.with_columns(terms=terms.list.unique())
        raw = pl.col("raw")
        # Overlapping: the John of John Johnson must not hide Johnson.
        found = frame.select(
            "row",
            "raw",
            offset=raw.str.find_many(pl.col("terms"), overlapping=True),
            text=raw.str.extract_many(pl.col("terms"), overlapping=True),
        )
        return spans(_whole(found), self.entity, self.name, 1.0)


def _whole(found: pl.DataFrame) -> pl.DataFrame:
    """Matches of terms that are no part of a longer word."""
    found = found.filter(pl.col("offset").list.len() > 0)
    if found.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "start": pl.Int64, "end": pl.Int64})
    found = _in_characters(found.explode("offset", "text", empty_as_null=False))
    edge = r"[\p{L}\p{M}\p{N}_--\p{Han}]"
    whole = pl.lit(True)
    for side, inner in (("left", f"^{edge}"), ("right", f"{edge}$")):
        outer = f"{edge}$" if side == "left" else f"^{edge}"
        whole &= ~(pl.col("text").str.contains(inner) & pl.col(side).str.contains(outer))
    return found.filter(whole)


def _in_characters(found: pl.DataFrame) -> pl.DataFrame:
    """From offsets in bytes to places in characters, and what stands on both sides.

    One pass over each note that has a match, however many it has.
    """
    notes = found.unique("row", maintain_order=True)
    text = notes.get_column("raw")
    joined = "".join(text.to_list())
    codes = np.frombuffer(joined.encode(), np.uint8)
    counts = np.concatenate(([0], np.cumsum((codes & 0xC0) != 0x80)))
    ends = np.cumsum(text.str.len_bytes().to_numpy().astype(np.int64))
    bounds = notes.select(
        "row",
        byte=pl.Series(np.concatenate(([0], ends))[:-1]),
        last=pl.Series(counts[ends]),
    )
    bounds = found.select("row").join(bounds, on="row", how="left", maintain_order="left")
    byte, last = bounds.get_column("byte").to_numpy(), bounds.get_column("last").to_numpy()
    first = counts[byte]
    start = counts[byte + found.get_column("offset").to_numpy().astype(np.int64)]
    end = start + found.get_column("text").str.len_chars().to_numpy()
    left = [joined[at - 1 : at] if at > low else "" for at, low in zip(start, first, strict=True)]
    right = [joined[at : at + 1] if at < top else "" for at, top in zip(end, last, strict=True)]
    return found.with_columns(
        start=pl.Series(start - first),
        end=pl.Series(end - first),
        left=pl.Series(left, dtype=pl.String),
        right=pl.Series(right, dtype=pl.String),
    )


def check_pattern(name: str, pattern: str) -> None:
    """Refuse a pattern that does not compile, is too long, or matches the empty text.

    The operator has refused such ones before, but for what differs between its regex crate and that
    of Polars, which searches.

    Raises:
        JobError: ``InvalidConfig``, with the name of the pattern and the reason.
    """
    if len(pattern) > MAX_PATTERN:
        raise _refused(name, f"has more than {MAX_PATTERN} characters", "make it shorter")
    fault = search_fault(pattern)
    if fault is not None:
        raise _refused(name, *fault)
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError:
        raise _refused(
            name, "does not compile", "correct it; it is in the syntax of Rust's regex crate"
        ) from None


def _refused(name: str, reason: str, remedy: str) -> JobError:
    return JobError("InvalidConfig", f'the pattern "{name}" of freeText.patterns {reason}', remedy)
