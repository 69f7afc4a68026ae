"""National identifiers: the form of each, the words that stand near it, and its check digits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from leeward_masking.freetext import checks
from leeward_masking.freetext.checks import Digits, characters, compact
from leeward_masking.freetext.spans import SPAN_SCHEMA, B, Flags, locate, spans, where

NEAR: Final = 40
"""Characters before a number in which a word about it counts."""


@dataclass(frozen=True, slots=True)
class NationalFormat:
    """One identifier.

    Attributes:
        form: Its pattern as people write it.
        plain: Pattern, matched on the whole candidate, of forms that mean nothing without a word
            near them; empty: there are none.
        words: Pattern of words near it.
        length: Letters and digits that the check takes, from the end.
        check: Whether check digits and parts fit; takes character codes or digits.
        codes: Whether ``check`` takes character codes.
    """

    name: str
    form: str
    words: str
    length: int
    check: Callable[[Digits], Flags]
    plain: str = ""
    codes: bool = False


FORMATS: Final = (
    NationalFormat(
        "us-ssn",
        rf"{B}[0-9]{{3}}(?:-[0-9]{{2}}-| [0-9]{{2}} |[0-9]{{2}})[0-9]{{4}}{B}",
        r"(?i)ssn|ss#|social security|soc\.? sec",
        9,
        checks.us_ssn,
        plain=r"^(?:[0-9]{9}|[0-9 ]+)$",
    ),
    NationalFormat(
        "uk-nhs-number",
        rf"{B}[0-9]{{3}}[ -]?[0-9]{{3}}[ -]?[0-9]{{4}}{B}",
        r"(?i)nhs",
        10,
        checks.uk_nhs,
        plain=r"^(?:[0-9]{10}|.*-.*)$",
    ),
    NationalFormat(
        "de-tax-id",
        rf"{B}[1-9][0-9](?: ?[0-9]{{3}}){{3}}{B}",
        r"(?i)steuer|tax|\bidnr|\btin\b|identifikationsnummer",
        11,
        checks.german_tax_id,
        plain=r"^[0-9]{11}$",
    ),
    NationalFormat(
        "fr-nir",
        rf"{B}[12] ?[0-9]{{2}} ?[0-9]{{2}} ?(?:[0-9]{{2}}|2[AB]) ?[0-9]{{3}} ?[0-9]{{3}}["
        rf" -]?[0-9]{{2}}{B}",
        r"(?i)\bnir\b|insee|s[eé]cu|vitale|social",
        15,
        checks.french_nir,
        codes=True,
    ),
    NationalFormat(
        "it-codice-fiscale",
        rf"(?i){B}[A-Z]{{6}}[0-9LMNP-V]{{2}}[A-EHLMPR-T][0-9LMNP-V]{{2}}[A-Z][0-9LMNP-V]{{3}}[A-Z]{B}",
        r"(?i)codice|fiscal|\bc\.?f\b",
        16,
        checks.italian_fiscal_code,
        codes=True,
    ),
    NationalFormat(
        "es-dni-nie",
        rf"(?i){B}(?:[0-9]{{8}}|[0-9]{{2}}\.[0-9]{{3}}\.[0-9]{{3}}|[XYZ]-?[0-9]{{7}})["
        rf" -]?[A-HJ-NP-TV-Z]{B}",
        r"(?i)\bdni\b|\bnie\b|\bnif\b|identidad",
        9,
        checks.spanish_dni,
        codes=True,
    ),
    NationalFormat(
        "nl-bsn",
        rf"{B}(?:[0-9]{{9}}|[0-9]{{4}}[. ][0-9]{{2}}[. ][0-9]{{3}}|[0-9]{{3}}[. ][0-9]{{3}}[."
        rf" ][0-9]{{3}}){B}",
        r"(?i)\bbsn\b|burgerservice|sofi",
        9,
        checks.dutch_bsn,
        plain=r".",
    ),
    NationalFormat(
        "cn-resident-id",
        rf"{B}[1-8][0-9]{{5}} ?(?:18|19|20)[0-9]{{2}} ?[01][0-9][0-3][0-9] ?[0-9]{{3}}[0-9Xx]{B}",
        r"身份证|证件|(?i)resident|\bid\b",
        18,
        checks.chinese_resident_id,
        codes=True,
    ),
    NationalFormat(
        "pl-pesel",
        rf"{B}[0-9]{{2}}[0-3][0-9][0-3][0-9]{{6}}{B}",
        r"(?i)pesel",
        11,
        checks.polish_pesel,
        plain=r".",
    ),
    NationalFormat(
        "se-personnummer",
        rf"{B}(?:(?:19|20)[0-9]{{6}}-?[0-9]{{4}}|[0-9]{{6}}[-+][0-9]{{4}}|[0-9]{{10}}){B}",
        r"(?i)personn(?:ummer|r)|samordning|\bpnr\b|swedish",
        10,
        checks.swedish_personal_number,
        plain=r"^[0-9]+$",
    ),
)


def find_national_ids(notes: pl.DataFrame) -> pl.DataFrame:
    """National identifiers of all ``FORMATS`` whose check digits fit."""
    numbered = notes.filter(pl.col("text").str.contains(r"[0-9]{2}"))
    found = [_find(numbered, form) for form in FORMATS]
    return pl.concat([SPAN_SCHEMA.to_frame(), *found])


def _find(notes: pl.DataFrame, form: NationalFormat) -> pl.DataFrame:
    candidates = locate(notes, form.form)
    worded = pl.col("left").str.tail(NEAR).str.contains(form.words)
    candidates = candidates.with_columns(worded=worded)
    if form.plain:
        candidates = candidates.filter(pl.col("worded") | ~pl.col("text").str.contains(form.plain))
    values = compact(candidates.get_column("text")).str.tail(form.length)
    # Without case, [A-Z] matches two letters beyond ASCII, too (long s, Kelvin sign).
    whole = (values.str.len_chars() == form.length).to_numpy()
    candidates, values = where(candidates, whole), values.filter(pl.Series(whole))
    table = characters(values, form.length)
    good = where(candidates, form.check(table if form.codes else table - 48))
    sure = pl.when(pl.col("worded")).then(1.0).otherwise(0.9)
    return spans(good, "NationalId", form.name, sure)
