"""Names of persons: by titles and other cues, and by dictionaries of given names and surnames."""

import gzip
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leeward_masking.freetext import words
from leeward_masking.freetext.spans import SPAN_SCHEMA, Flags, locate, spans

LONGEST: Final = 4
"""Words of a name at most."""
_CAPITALISED: Final = r"\p{Lu}[\p{L}\p{M}]*(?:['\-][\p{L}\p{M}]+)*"
_GIVEN, _SURNAME, _STOP, _TITLE, _CUE, _COMMON, _ORDINARY = (1 << bit for bit in range(7))
_PARTICLE: Final = (
    r"^ (?:de|da|di|du|van|von|der|den|de la|van der|van den|von der|la|le|bin|al|el) $"
)
_FORM_WORDS: Final = (
    r"(?i)(?:patient name|full name|first name|last name|surname|given name|name of patient"
    r"|next of kin|\bname)"
    r" ?[:=] ?"
)
_FORM_NAME: Final = (
    r"[\p{Latin}][\p{Latin}\p{M}'\-]+(?:,? \p{Lu}[\p{Latin}\p{M}'.\-]*|"
    r" [\p{Latin}][\p{Latin}\p{M}'\-]+){0,2}"
)
_NEXT_FIELD: Final = (
    r"(?i),? (?:sex|age|gender|dob|date|born|mrn|nhs|phone|tel|mobile|email|address|id|male"
    r"|female|and|was|is|has"
    r"|with|ward)(?:[^\p{L}].*)?$"
)


@cache
def name_lists() -> dict[str, list[str]]:
    """The dictionaries: given, surname (lower case), and givenHan."""
    packed = (files("leeward_masking.freetext") / "data" / "names.tsv.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return {kind: names.split() for kind, names in (line.split("\t") for line in lines)}


@cache
def ordinary_words() -> list[str]:
    """Words of English that are no names, lower case."""
    packed = (files("leeward_masking.freetext") / "data" / "words.txt.gz").read_bytes()
    return gzip.decompress(packed).decode().split()


@cache
def _word_flags() -> tuple[pl.Series, pl.Series]:
    lists = name_lists()
    flags: dict[str, int] = {}
    for bit, known in (
        (_GIVEN, lists["given"]),
        (_SURNAME, lists["surname"]),
        (_STOP, words.STOP),
        (_TITLE, words.TITLES),
        (_CUE, words.CUES),
        (_COMMON, words.COMMON),
        (_ORDINARY, ordinary_words()),
    ):
        for word in known:
            flags[word] = flags.get(word, 0) | bit
    return pl.Series(list(flags)), pl.Series(list(flags.values()), dtype=pl.Int64)


def find_persons(notes: pl.DataFrame) -> pl.DataFrame:
    """Names in Latin writing."""
    return pl.concat([SPAN_SCHEMA.to_frame(), _latin(notes), _forms(notes)])


def _forms(notes: pl.DataFrame) -> pl.DataFrame:
    """``Name: jane roe``: whatever stands in the field of a form."""
    hinted = pl.col("text").str.contains(r"(?i)(?:name|kin) ?[:=]")
    found = locate(notes.filter(hinted), _FORM_NAME, before=_FORM_WORDS)
    size = pl.col("text").str.replace(_NEXT_FIELD, "").str.len_chars()
    found = found.with_columns(end=pl.col("start") + size.cast(pl.Int64))
    return spans(found, "Person", "form-field", 0.8)


def _latin(notes: pl.DataFrame) -> pl.DataFrame:
    tokens = locate(notes, _CAPITALISED)
    if tokens.is_empty():
        return SPAN_SCHEMA.to_frame()
    key = pl.col("text").str.replace(r"'[sS]$", "").str.to_lowercase()
    known, flags = _word_flags()
    tokens = tokens.with_columns(
        key=key,
        flags=key.replace_strict(known, flags, default=0, return_dtype=pl.Int64)
        | (
            key.str.extract("^([^-]+)-", 1).replace_strict(
                known, flags, default=0, return_dtype=pl.Int64
            )
            & (_GIVEN | _SURNAME)
        ),
        possessive=pl.col("text").str.contains(r"'[sS]$"),
        size=pl.col("text").str.len_chars(),
        capitals=pl.col("text").str.contains(r"^[\p{Lu}'\-]{2,}$"),
    )
    first, last, sure = _names(tokens)
    starts = tokens.get_column("start").to_numpy()
    ends = tokens.get_column("end").to_numpy() - 2 * tokens.get_column("possessive").to_numpy()
    rows = tokens.get_column("row").to_numpy()
    found = pl.DataFrame(
        {"row": rows[first], "start": starts[first], "end": ends[last], "sure": sure}
    )
    again = _again(tokens, first, last, sure)
    repeated = pl.DataFrame({"row": rows[again], "start": starts[again], "end": ends[again]})
    return pl.concat(
        [
            spans(found, "Person", "name", pl.col("sure")),
            spans(repeated, "Person", "name-again", 0.7),
        ]
    )


def _names(
    tokens: pl.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """First and last token of each name, and how sure it is."""
    flags = tokens.get_column("flags").to_numpy()
    initial = tokens.get_column("size").to_numpy() == 1
    capitals = tokens.get_column("capitals").to_numpy()
    given, surname = (flags & _GIVEN) > 0, (flags & _SURNAME) > 0
    common = (flags & _COMMON) > 0
    linked, comma = _links(tokens)
    none = (flags & (_STOP | _TITLE | _CUE)) > 0
    nameable = ~none & ~initial & (~capitals | given | surname)
    follows = np.roll(linked, 1)
    named = np.roll(nameable, -1) | (np.roll(initial, -1) & linked)
    known_next = linked & np.roll(surname & ~none | nameable & ~common, -1)
    titled = follows & np.roll((flags & (_TITLE | _CUE)) > 0, 1)
    worded = _worded(tokens)
    cued = (titled | worded) & ((nameable | capitals & ~none) | initial & linked)
    full = given & ~none & linked & named & (known_next | np.roll(initial, -1) | ~common)
    full &= ~common | np.roll(surname, -1) & linked | np.roll(initial, -1)
    turned = (surname | capitals) & ~none & comma & np.roll(given & ~none, -1)
    initials = initial & linked & np.roll(surname & ~none, -1) & ~follows
    paired = nameable & linked & ~follows & np.roll(surname & nameable & ~common, -1)
    alone = given & nameable & ~common & ~linked & ~follows & ~capitals
    unknown = _unknown(tokens, nameable & ~common)
    near = _near(tokens)
    aged = np.roll(tokens.get_column("right").str.contains(words.AGE).to_numpy(), -1)
    strange = unknown & linked & (np.roll(unknown, -1) | np.roll(surname & nameable, -1)) & ~follows
    strange |= nameable & linked & np.roll(nameable, -1) & aged & ~follows
    strange |= (unknown | given & ~none & ~capitals) & near | _hyphened(tokens) & nameable
    starts = cued | full | turned | initials | paired | alone | strange
    continues = linked & np.roll(nameable | initial | surname & ~none, -1)
    starts |= _beside(tokens, starts, continues, unknown)
    sure = np.select([cued, full, turned, initials, strange], [0.95, 0.9, 0.9, 0.75, 0.75], 0.6)
    return _extended(np.flatnonzero(starts), turned, continues, sure)


def _unknown(tokens: pl.DataFrame, nameable: Flags) -> Flags:
    """Words that are in no dictionary of the language, so very likely names of something."""
    ordinary = (tokens.get_column("flags").to_numpy() & (_ORDINARY | _STOP)) > 0
    return nameable & ~ordinary & (tokens.get_column("size").to_numpy() > 2)


def _near(tokens: pl.DataFrame) -> Flags:
    """Whether what stands around the word is what stands around persons."""
    same = pl.col("row") == pl.col("row").shift(1)
    last = pl.when(same).then(pl.col("text").shift(1)).otherwise(pl.lit(""))
    before = (last + pl.col("left").str.tail(24)).str.contains(words.BEFORE_UNKNOWN)
    after = pl.col("right").str.head(24).str.contains(words.AFTER_NAME)
    return np.asarray(tokens.select(before | after).to_series().to_numpy(), np.bool_)


def _hyphened(tokens: pl.DataFrame) -> Flags:
    """Two words with a hyphen, both capitalised, of which none is in the dictionary."""
    text = tokens.get_column("text")
    found = text.str.contains(r"^\p{Lu}\p{Ll}+-\p{Lu}\p{Ll}+$").to_numpy()
    known, flags = _word_flags()
    for group in (1, 2):
        part = text.str.extract("^([^-]+)-(.+)$", group).str.to_lowercase()
        of_part = part.replace_strict(known, flags, default=0, return_dtype=pl.Int64)
        found &= (of_part.to_numpy() & (_ORDINARY | _STOP)) == 0
    return found


def _beside(tokens: pl.DataFrame, starts: Flags, continues: Flags, unknown: Flags) -> Flags:
    """Words that "and" joins with a name."""
    same = tokens.get_column("row").to_numpy() == np.roll(tokens.get_column("row").to_numpy(), -1)
    same[-1] = False
    joined = same & tokens.get_column("right").is_in([" and ", " & ", " or ", ", "]).to_numpy()
    inside = starts.copy()
    for _ in range(LONGEST - 1):
        inside |= np.roll(inside & continues, 1)
    behind = unknown & np.roll(joined & inside, 1)
    ahead = unknown & joined & np.roll(starts, -1)
    return np.asarray(behind | ahead, np.bool_)


def _extended(
    starts: NDArray[np.int64], turned: Flags, continues: Flags, sure: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    last = starts + turned[starts]
    for _ in range(LONGEST - 1):
        last = last + (continues[last] & (last - starts < LONGEST - 1))
    return starts, last, sure[starts]


def _links(tokens: pl.DataFrame) -> tuple[Flags, Flags]:
    """Whether the next token belongs to this one, and whether a comma stands between them."""
    same = tokens.get_column("row").to_numpy() == np.roll(tokens.get_column("row").to_numpy(), -1)
    same[-1] = False
    gap = tokens.get_column("right").str.replace_all(r"\s+", " ")
    flags = tokens.get_column("flags").to_numpy()
    short = (tokens.get_column("size").to_numpy() == 1) | ((flags & _TITLE) > 0)
    pointed = gap.is_in([". ", "."]).to_numpy()
    coloned = gap.is_in([": ", ":", ", "]).to_numpy() & ((flags & _CUE) > 0)
    plain = gap.is_in([" ", "-"]).to_numpy() | gap.str.contains(_PARTICLE).to_numpy()
    return same & (plain | pointed & short | coloned), same & (gap == ", ").to_numpy()


def _worded(tokens: pl.DataFrame) -> Flags:
    """Whether a word for a person stands right before the token."""
    near = tokens.get_column("left").str.tail(18)
    return near.str.contains(words.BEFORE_NAME).to_numpy()


def _again(
    tokens: pl.DataFrame,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    sure: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Tokens that are a word of a name found elsewhere in the same note."""
    certain = sure > 0.7
    inside = np.unique(
        np.concatenate([np.minimum(first + step, last)[certain] for step in range(LONGEST)])
    )
    usable = pl.col("flags").__and__(_STOP | _TITLE | _CUE | _COMMON).eq(0) & (pl.col("size") > 2)
    known = tokens[inside].filter(usable).select("row", "key").unique()
    places = tokens.select("row", "key").with_row_index("place")
    return places.join(known, on=["row", "key"], how="semi").get_column("place").to_numpy()


@dataclass(frozen=True, slots=True)
class _Han:
    """Patterns of Chinese names.

    Attributes:
        cued: After a word for a person: a surname, and what is no function word.
        titled: Before a title: a surname with or without more.
        whole: Surname and a given name of the dictionary.
        usual: Surname and one or two characters that given names are made of.
        long: Surname and two such characters.
        foreign: Three characters or more that write the sounds of another language.
    """

    cued: str
    titled: str
    whole: str
    usual: str
    long: str
    foreign: str


@cache
def _han_patterns() -> _Han:
    surname = f"(?:{'|'.join(words.HAN_DOUBLE_SURNAMES)}|[{words.HAN_SURNAMES}])"
    first = rf"[\p{{Han}}--[{words.HAN_NOT_FIRST}]]"
    last = rf"[\p{{Han}}--[{words.HAN_NOT_LAST}]]"
    known = sorted((name for name in name_lists()["givenHan"] if len(name) > 1), reverse=True)
    given = "|".join(known)
    usual = f"[{words.HAN_GIVEN}]"
    return _Han(
        cued=rf"{surname}(?:[某×X*x]{{1,2}}|(?:{given})|{first}{last}?)",
        titled=rf"{surname}(?:{first}{last}?)??",
        whole=rf"{surname}(?:{given})",
        usual=rf"{surname}{usual}{{1,2}}",
        long=rf"{surname}{usual}{{2}}",
        foreign=rf"[{words.HAN_SOUNDS}]{{3,6}}",
    )


_EDGE: Final = r"(?:^|\P{Han}|[请找系由经与和向对给让是叫为的了到被见同往])"
_CLAUSE: Final = rf"(?:^|\P{{Han}}|{words.HAN_TIMES}|{words.HAN_PREPOSITIONS})"
_FIELD: Final = (r"(?:^|[，。；、,;:：\s（(])", r"(?:$|[，,、（(\s]男|[，,、（(\s]女)")
_CLAUSE_END: Final = r"(?:$|\P{Han})"


def find_chinese_persons(notes: pl.DataFrame) -> pl.DataFrame:
    """Names in Chinese writing."""
    han = notes.filter(pl.col("text").str.contains(r"\p{Han}"))
    if han.is_empty():
        return SPAN_SCHEMA.to_frame()
    names = _han_patterns()
    found = (
        (locate(han, names.cued, before=words.HAN_CUES), "cue-zh", 0.9),
        (locate(han, names.foreign, before=words.HAN_CUES), "foreign-zh", 0.8),
        (
            locate(han, names.foreign, before=_CLAUSE, after=r"(?:，[男女]|[男女])"),
            "foreign-zh",
            0.8,
        ),
        (locate(han, names.titled, before=_EDGE, after=words.HAN_TITLES), "title-zh", 0.9),
        (locate(han, names.cued, after=words.HAN_TITLES), "title-zh", 0.7),
        (locate(han, names.cued, before=_FIELD[0], after=_FIELD[1]), "field-zh", 0.8),
        (locate(han, names.usual, before=_CLAUSE, after=words.HAN_FOLLOWS), "follow-zh", 0.8),
        (locate(han, names.cued, before=_CLAUSE, after=words.HAN_FOLLOWS), "follow-zh", 0.6),
        (locate(han, names.usual, before=words.HAN_CUES), "cue-zh", 0.9),
        (locate(han, names.usual, before=_CLAUSE, after="[、]"), "list-zh", 0.7),
        (locate(han, names.usual, before="[、和与及]", after=_CLAUSE_END), "list-zh", 0.6),
        (locate(han, names.long), "given-zh", 0.65),
        (locate(han, names.whole), "name-zh", 0.7),
    )
    return pl.concat([spans(where, "Person", name, sure) for where, name, sure in found])
