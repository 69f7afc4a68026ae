"""New text in place of what was found: a label, or what a function makes of the values."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.errors import JobError
from leeward_masking.freetext.spans import prepared

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
    values = _values(notes, spans)
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
    return _joined(notes, spans, pl.Series(texts.tolist(), dtype=pl.String))


def _values(notes: pl.Series, spans: pl.DataFrame) -> pl.Series:
    """The text of each span, wide forms folded."""
    frame = prepared(notes).select("row", "text")
    picked = spans.select("row", "start", "end").join(
        frame, on="row", how="left", maintain_order="left"
    )
    return picked.select(
        pl.col("text").str.slice(pl.col("start"), pl.col("end") - pl.col("start"))
    ).to_series()


def _joined(notes: pl.Series, spans: pl.DataFrame, texts: pl.Series) -> pl.Series:
    """What stands between the spans, and the new texts, note by note."""
    rows = spans.get_column("row")
    same = rows == rows.shift(1)
    original = pl.DataFrame({"row": pl.arange(len(notes), eager=True), "note": notes})
    pieces = spans.select(
        "row",
        "end",
        since=pl.when(same).then(pl.col("end").shift(1)).otherwise(0),
        until=pl.col("start"),
        text=texts,
    ).join(original, on="row", how="left", maintain_order="left")
    between = pl.col("note").str.slice(pl.col("since"), pl.col("until") - pl.col("since"))
    done = (
        pieces.with_columns(piece=between + pl.col("text"))
        .group_by("row", maintain_order=True)
        .agg(
            pl.col("piece").str.join(),
            rest=pl.col("note").last().str.slice(pl.col("end").last()),
        )
        .select("row", new=pl.col("piece") + pl.col("rest"))
    )
    merged = original.join(done, on="row", how="left", maintain_order="left")
    return merged.select(pl.coalesce("new", "note").alias(notes.name)).to_series()
