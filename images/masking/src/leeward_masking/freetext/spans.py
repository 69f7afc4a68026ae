"""Where something was found in notes: candidates, spans, and which of several spans wins.

Polars finds patterns with Rust's regex crate: in time linear in the text, whatever the pattern. It
tells what it found but not where, so every match is marked with a noncharacter of Unicode, and the
notes are split at the marks: the lengths of the pieces are the positions, in characters.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

PRIORITY: Final = (
    "Custom",
    "Card",
    "Iban",
    "NationalId",
    "Mail",
    "Url",
    "Ip",
    "MedicalRecordNumber",
    "DateOfBirth",
    "Phone",
    "Address",
    "Person",
)
"""Entities; of two spans of one length the one named first wins."""
SPAN_SCHEMA: Final = pl.Schema(
    {
        "row": pl.Int64(),
        "start": pl.Int64(),
        "end": pl.Int64(),
        "entity": pl.String(),
        "detector": pl.String(),
        "confidence": pl.Float64(),
    }
)
"""Row in the batch from 0; characters from 0, the end not included; confidence from 0 to 1."""
B: Final = r"(?-u:\b)"
"""An ASCII word boundary: Han characters next to digits are a boundary, too."""
_MARK: Final = "\ufdd0"
_MARK_INSTEAD: Final = "\ufdd1"
_FOLDED: Final = {
    **{chr(0xFF01 + place): chr(0x21 + place) for place in range(94)},
    **dict.fromkeys("\u00a0\u2007\u202f\u3000", " "),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"),
    "\u2019": "'",
}
"""Wide forms, spaces and hyphens that stand for ASCII ones; one character each, so that no position
changes."""
_NOT_ASCII: Final = r"[^\x00-\x7f]"


def prepared(notes: pl.Series) -> pl.DataFrame:
    """The notes that hold text, as detectors read them.

    Returns:
        Columns ``row`` (Int64), ``raw`` (as given, without the character that marks matches) and
        ``text`` (wide digits, unusual spaces and hyphens as ASCII). Both have as many characters
        as the note.
    """
    frame = pl.DataFrame({"row": pl.arange(len(notes), eager=True), "raw": notes.cast(pl.String)})
    frame = frame.filter(pl.col("raw").str.len_bytes() > 0)
    raw = pl.col("raw").str.replace_all(_MARK, _MARK_INSTEAD, literal=True)
    frame = frame.with_columns(raw=raw)
    return frame.with_columns(text=folded(frame.get_column("raw")))


def folded(texts: pl.Series) -> pl.Series:
    """Wide digits, unusual spaces and hyphens as ASCII, character by character."""
    text = pl.col("text")
    ascii_ = text.str.replace_many(list(_FOLDED), list(_FOLDED.values()))
    frame = texts.to_frame("text")
    return frame.select(
        pl.when(text.str.contains(_NOT_ASCII)).then(ascii_).otherwise(text)
    ).to_series()


def locate(
    notes: pl.DataFrame, value: str, *, before: str = "", after: str = "", column: str = "text"
) -> pl.DataFrame:
    """All matches, leftmost first and without overlap.

    Args:
        notes: As ``prepared`` gives them.
        value: Pattern of what is searched; empty matches are left out.
        before: Pattern that must stand before it, and is no part of it.
        after: Pattern that must stand behind it.
        column: Which text is searched.

    Returns:
        Columns ``row``, ``start``, ``end``, ``text``, and ``left`` and ``right``: what stands
        between it and the next match, or the end of the note.
    """
    if before or after:
        pattern = f"(?P<leewardb>{before})(?P<leewardv>{value})(?P<leewarda>{after})"
        marked = f"${{leewardb}}{_MARK}${{leewardv}}{_MARK}${{leewarda}}"
    else:
        pattern, marked = value, f"{_MARK}${{0}}{_MARK}"
    found = notes.lazy().filter(pl.col(column).str.contains(pattern))
    parts = found.select(
        "row", parts=pl.col(column).str.replace_all(pattern, marked).str.split(_MARK)
    ).collect()
    return _positions(parts)


def _positions(parts: pl.DataFrame) -> pl.DataFrame:
    """From notes cut at the marks (every second part is a match) to candidates."""
    counts = parts.get_column("parts").list.len().to_numpy().astype(np.int64)
    rows = np.repeat(parts.get_column("row").to_numpy(), counts)
    pieces = parts.get_column("parts").explode(empty_as_null=False)
    ends = np.cumsum(pieces.str.len_chars().to_numpy().astype(np.int64))
    begins = np.concatenate(([0], ends))[:-1] if len(ends) else ends
    firsts = np.concatenate(([0], np.cumsum(counts)))[:-1] if len(counts) else counts
    base = np.repeat(begins[firsts] if len(counts) else counts, counts)
    odd = (np.arange(len(rows)) - np.repeat(firsts, counts)) % 2 == 1
    matches = np.flatnonzero(odd & (ends > begins))
    return pl.DataFrame(
        {
            "row": pl.Series(rows[matches], dtype=pl.Int64),
            "start": pl.Series((begins - base)[matches], dtype=pl.Int64),
            "end": pl.Series((ends - base)[matches], dtype=pl.Int64),
            "text": pieces.gather(matches),
            "left": pieces.gather(matches - 1),
            "right": pieces.gather(matches + 1),
        }
    )


def spans(
    candidates: pl.DataFrame, entity: str, detector: str, confidence: float | pl.Expr
) -> pl.DataFrame:
    """Candidates as spans, in the form of ``SPAN_SCHEMA``."""
    sure = pl.lit(confidence) if isinstance(confidence, float) else confidence
    return candidates.select(
        "row",
        "start",
        "end",
        entity=pl.lit(entity),
        detector=pl.lit(detector),
        confidence=sure.cast(pl.Float64),
    )


def where(candidates: pl.DataFrame, flags: Flags) -> pl.DataFrame:
    """The candidates whose flag is set."""
    return candidates.filter(pl.Series(flags, dtype=pl.Boolean))


def resolved(found: pl.DataFrame) -> pl.DataFrame:
    """Spans without overlap, by row and place.

    The longest of those that overlap wins, then the entity named first in ``PRIORITY``, then the
    one with the highest confidence, then the first. The order of the input does not matter.
    """
    rank = pl.col("entity").replace_strict(
        list(PRIORITY), list(range(len(PRIORITY))), default=0, return_dtype=pl.Int64
    )
    order = ["row", "start", "end", rank, pl.col("confidence").neg(), "detector", "entity"]
    found = found.sort(order)
    ends = found.get_column("end").to_numpy()
    starts = found.get_column("start").to_numpy()
    group = _groups(found.get_column("row").to_numpy(), starts, ends)
    shared = np.flatnonzero(np.bincount(group)[group] > 1)
    if not len(shared):
        return found
    best = (
        found[shared]
        .select(pl.Series("place", shared), "start", "end", rank=rank, sure="confidence")
        .with_columns(pl.Series("group", group[shared]))
        .sort(
            "group",
            pl.col("start") - pl.col("end"),
            "rank",
            pl.col("sure").neg(),
            "start",
            "place",
        )
    )
    kept = np.ones(len(starts), np.bool_)
    taken: list[tuple[int, int]] = []
    current = -1
    for place, start, end, of_group in best.select("place", "start", "end", "group").iter_rows():
        if of_group != current:
            current, taken = of_group, []
        if any(start < other_end and other < end for other, other_end in taken):
            kept[place] = False
        else:
            taken.append((start, end))
    return where(found, kept)


def _groups(
    rows: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number of the group of each span; spans of two groups never overlap. Sorted input."""
    width = int(ends.max(initial=0)) + 1
    reach = np.maximum.accumulate(rows * width + ends)
    fresh = rows * width + starts >= np.concatenate(([-1], reach))[:-1] if len(rows) else rows
    return np.cumsum(fresh)
