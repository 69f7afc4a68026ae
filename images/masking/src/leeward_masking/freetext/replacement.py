"""New text in place of what was found: a label, or what a function makes of the values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.freetext.spans import folded

Replace = Callable[[str, pl.Series], pl.Series]
"""Given an entity and its normalised values (String, unique, no nulls), the texts in place of them;
where it is the function that masks structured columns, tokens in text and columns can be joined."""

_NO_SIGNS: Final = r"[^0-9A-Za-z]"


def label(entity: str, values: pl.Series) -> pl.Series:
    """``[PERSON]``, ``[NATIONAL_ID]``: the entity in place of every value."""
    text = pl.Series([entity]).str.replace_all(r"([a-z])([A-Z])", "${1}_$2").str.to_uppercase()
    return pl.Series([f"[{text[0]}]"]).new_from_index(0, len(values))


def normalised(entity: str, values: pl.Series) -> pl.Series:
    """One form of each value, so that equal ones are equal however they are written.

    Phones: digits, with ``+`` where the country is given (00 becomes +). Cards, IBANs, national
    identifiers and record numbers: letters and digits in upper case. Mail, URLs and IP addresses:
    lower case. Persons and addresses: one space between words, lower case. Everything else: one
    space for several.
    """
    if entity == "Phone":
        trimmed = values.str.replace_all(r"\(0\)", "").str.replace(r"(?i) ?(?:x|ext).*$", "")
        digits = trimmed.str.replace_all("[^0-9+]", "")
        return digits.str.replace(r"^00", "+")
    if entity in ("Card", "Iban", "NationalId", "MedicalRecordNumber"):
        return values.str.replace_all(_NO_SIGNS, "").str.to_uppercase()
    if entity in ("Mail", "Url", "Ip"):
        return values.str.to_lowercase()
    spaced = values.str.replace_all(r"\s+", " ").str.strip_chars()
    return spaced.str.to_lowercase() if entity in ("Person", "Address") else spaced


def replaced(
    notes: pl.Series,
    spans: pl.DataFrame,
    policy: Mapping[str, Replace],
    default: Replace = label,
) -> pl.Series:
    """The notes with new text in place of the spans.

    Args:
        notes: String; nulls stay null.
        spans: As the detector gives them for these notes: sorted, without overlap.
        policy: What to do, by entity.
        default: What to do with the others.

    Returns:
        String, of the same length and name.

    Raises:
        JobError: ``Internal``: a function did not give a text for each value.
    """
    notes = notes.cast(pl.String)
    if spans.is_empty():
        return notes
    cuts = _Cuts(notes, spans)
    values = folded(cuts.values())
    texts = np.empty(len(spans), object)
    for entity in spans.get_column("entity").unique().sort():
        places = np.flatnonzero((spans.get_column("entity") == entity).to_numpy())
        keys = normalised(entity, values.gather(places))
        distinct = keys.unique(maintain_order=True)
        given = policy.get(entity, default)(entity, distinct)
        if len(given) != len(distinct) or given.null_count():
            raise JobError(
                "Internal",
                f"the replacement of {entity} gave no text for some value",
                "report it with the version of the image",
            )
        texts[places] = keys.replace_strict(distinct, given, return_dtype=pl.String).to_numpy()
    return cuts.filled(texts.tolist())


class _Cuts:
    """Notes cut at their spans: by bytes, in time linear in the text, however long a note is."""

    def __init__(self, notes: pl.Series, spans: pl.DataFrame) -> None:
        self._notes = notes
        self._rows = spans.get_column("row").to_list()
        rows = spans.get_column("row").unique(maintain_order=True)
        self._found = notes.gather(rows)
        self._data = "".join(self._found).encode()
        codes = np.frombuffer(self._data, np.uint8)
        # The byte of each character.
        places = np.append(np.flatnonzero((codes & 0xC0) != 0x80), len(codes))
        sizes = self._found.str.len_chars().to_numpy().astype(np.int64)
        ends = np.cumsum(sizes)
        base = pl.DataFrame({"row": rows, "base": pl.Series(ends - sizes, dtype=pl.Int64)})
        bases = spans.select("row").join(base, on="row", how="left", maintain_order="left")
        first = bases.get_column("base").to_numpy()
        self._starts = places[first + spans.get_column("start").to_numpy()].tolist()
        self._ends = places[first + spans.get_column("end").to_numpy()].tolist()
        self._note_ends = dict(zip(rows, places[ends].tolist(), strict=True))
        self._note_starts = dict(zip(rows, places[ends - sizes].tolist(), strict=True))

    def values(self) -> pl.Series:
        """The text of each span."""
        cut = (self._data[a:b].decode() for a, b in zip(self._starts, self._ends, strict=True))
        return pl.Series(list(cut), dtype=pl.String)

    def filled(self, texts: Sequence[str]) -> pl.Series:
        """The notes with these texts in place of the spans."""
        pieces: dict[int, list[bytes]] = {row: [] for row in self._note_starts}
        since = dict(self._note_starts)
        for row, start, end, text in zip(self._rows, self._starts, self._ends, texts, strict=True):
            pieces[row] += (self._data[since[row] : start], text.encode())
            since[row] = end
        new = [
            b"".join((*parts, self._data[since[row] : self._note_ends[row]])).decode()
            for row, parts in pieces.items()
        ]
        return self._notes.clone().scatter(list(pieces), new)
