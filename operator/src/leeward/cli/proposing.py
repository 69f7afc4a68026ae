"""From what a column looks like to a tag and a rule for it. A proposal, and no more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from leeward.api.dataset import Tag

if TYPE_CHECKING:
    from leeward_masking.profiling.columns import ColumnProfile

TOKENS: Final = "tokens"
"""The vault key (AES256_SIV) of tokens and shifted dates."""
MIN_ROWS: Final = 100
"""Rows from which on k-anonymity is proposed."""
_ID: Final = re.compile(
    r"(?:^|[^A-Za-z])(?i:id|no|nr|number|code|key|uuid|guid)$|[a-z](?:Id|ID|No|Nr)$"
    r"|(?i:patient|person|customer|client|user|member|employee|student)(?i:id|no|nr|number)$"
)
"""What columns with numbers of people or things are called; a column "paid" is none."""
_SUBJECT: Final = re.compile(
    r"(?i)patient|subject|person|customer|client|user|member|employee|student|insured"
)
_PERSON_NAME: Final = re.compile(
    r"(?i)(?:(?:full|first|middle|last|given|family|maiden|birth|nick|sur|fore|pre|patient|person"
    r"|customer|client|user|member|employee|student|insured|doctor|physician|nurse|mother|father"
    r"|spouse|kin|guardian|relative|contact|holder|owner|author)[ _.-]?)*names?"
    r"|vorname|nachname|nom|pr[eé]nom|nombre|apellidos?|(?:患者|病人)?(?:姓名|名字)"
)
"""What columns with names of people are called."""
_BIRTH: Final = re.compile(r"(?i)birth|born|\bdob\b|^dob$")
_AGE: Final = re.compile(r"(?i)(?:^|_)age(?:$|_)")
_QUASI: Final = re.compile(
    r"(?i)gender|^sex$|_sex$|race|ethnic|national|religion|marital|civil|occupation|profession|job"
    r"|education|city|town|region|state|country|county|district|language"
)
_SENSITIVE: Final = re.compile(
    r"(?i)diagnos|disease|disea|icd|drug|medic|treatment|therap|hiv|income|salary|wage|debt|score"
    r"|religion|party|union|orientation|conviction|test|result|outcome|note|comment"
)
_NUMBERS: Final = ("Integer", "Float", "Decimal")
_DATES: Final = ("Date", "Datetime")
_FEW: Final = 50
"""Values of a column up to which it is a category."""
_LARGEST: Final = 1e18
"""Numbers of the API have 19 digits before the point."""
_NEARLY_ALL: Final = 0.5
"""Share of rows alone with their value from which on a text names whoever it is about."""
_INTERVALS: Final = 20
_SAID_ONLY: Final = ("generalize", "freeText")
"""Transforms that are not exchanged for drop: more rows, or another parameter, may be enough."""
_PEOPLE: Final = {
    "Person": ("redact", "names of people; fake makes up others"),
    "Mail": ("redact", "mail addresses; hash keeps which are equal"),
    "Phone": ("redact", "phone numbers; partialMask keeps the last digits"),
    "Address": ("redact", "addresses of people"),
    "Card": ("redact", "card numbers; formatPreserving keeps their form"),
    "Iban": ("redact", "bank accounts; tokenize keeps which are equal"),
    "Url": ("redact", "addresses of pages, which may name people"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What becomes of one column.

    Attributes:
        tag: What it says about a person; None: nothing that is known.
        transform: Name of the transform.
        parameters: Of it.
        reason: Why, in a few words.
        flaw: What ``mask check`` says of the column all the same.
    """

    column: str
    tag: Tag | None
    transform: str
    parameters: dict[str, Any]
    reason: str
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Proposals:
    """For all columns.

    Attributes:
        subject: The column that says whose row it is; None: none was found.
        quasi_identifiers: Columns for k-anonymity; none: it is not proposed.
    """

    columns: tuple[Proposal, ...]
    subject: str | None
    quasi_identifiers: tuple[str, ...]

    @property
    def needs_key(self) -> bool:
        """Whether a rule needs the key ``TOKENS``."""
        return any("key" in proposal.parameters for proposal in self.columns)

    def mended(self, identifying: Mapping[str, str]) -> Proposals:
        """The same without values that ``mask check`` finds identifying behind these rules.

        What was kept or coded is dropped; what was made coarser or searched stays, and says so.

        Args:
            identifying: Columns, and why.
        """
        columns = tuple(
            _mended(one, identifying[one.column]) if one.column in identifying else one
            for one in self.columns
        )
        dropped = {one.column for one in columns if one.transform == "drop"}
        quasi = tuple(name for name in self.quasi_identifiers if name not in dropped)
        return Proposals(columns, self.subject, quasi if len(quasi) > 1 else ())


def propose(profiles: Sequence[ColumnProfile], vault: str) -> Proposals:
    """A tag, a transform and a reason for each column.

    Args:
        profiles: What they look like.
        vault: Name of the KeyVault with the key ``TOKENS``.
    """
    subject = _subject(profiles)
    key = {"key": {"vault": {"name": vault}, "key": TOKENS}, "scope": "Dataset"}
    columns = tuple(_proposed(profile, subject, key) for profile in profiles)
    quasi = [one.column for one in columns if one.tag == "QuasiIdentifier"]
    enough = bool(profiles) and profiles[0].rows >= MIN_ROWS and len(quasi) > 1
    return Proposals(columns, subject, tuple(quasi) if enough else ())


def _mended(proposal: Proposal, why: str) -> Proposal:
    if proposal.transform in _SAID_ONLY:
        return replace(proposal, flaw=why)
    return Proposal(proposal.column, None, "drop", {}, f"{why}, also behind {proposal.transform}")


def _subject(profiles: Sequence[ColumnProfile]) -> str | None:
    """The column that says whose row it is: by its name, then by what it looks like."""
    fit = [
        profile
        for profile in profiles
        if profile.type in ("String", "Integer")
        and profile.distinct > 1
        and not profile.missing
        and not profile.in_list
    ]
    for found in (
        [p for p in fit if _SUBJECT.search(p.name) and _ID.search(p.name)],
        [p for p in fit if p.looks and p.looks.entity in ("MedicalRecordNumber", "NationalId")],
        [p for p in fit if _SUBJECT.fullmatch(p.name)],
        [p for p in fit if p.name.lower() == "id"],
    ):
        if found:
            return max(found, key=lambda profile: profile.distinct).name
    return None


def _proposed(profile: ColumnProfile, subject: str | None, key: dict[str, Any]) -> Proposal:
    found = _propose(profile, subject, key)
    if profile.in_list and found.tag == "QuasiIdentifier":
        # Classes are made of columns with one value in a row.
        return replace(found, tag=None, reason=f"{found.reason}; in a list, so k does not count it")
    return found


def _propose(profile: ColumnProfile, subject: str | None, key: dict[str, Any]) -> Proposal:
    def proposal(tag: Tag | None, transform: str, reason: str, **parameters: Any) -> Proposal:
        return Proposal(profile.name, tag, transform, parameters, reason)

    if profile.name == subject:
        return proposal(
            "DirectIdentifier", "tokenize", "says whose row it is: one token per person", **key
        )
    if profile.type == "Other":
        return proposal(None, "drop", "binary or other values: not looked into")
    if (direct := _direct(profile, key)) is not None:
        return direct
    entity = profile.looks.entity if profile.looks is not None else ""
    if entity == "FreeText":
        return _text(profile)
    if entity == "Ip":
        return proposal("QuasiIdentifier", "generalize", "IP addresses: networks", ipPrefix={})
    if entity == "Postcode":
        return proposal("QuasiIdentifier", "generalize", "postcodes: their first three", prefix=3)
    if profile.type in _DATES:
        return _date(profile, subject, key)
    if _is_number_of_something(profile):
        return proposal(None, "tokenize", "called as numbers of people or things are", **key)
    return _number(profile) if profile.type in _NUMBERS else _category(profile)


def _direct(profile: ColumnProfile, key: dict[str, Any]) -> Proposal | None:
    """For what names people by itself; None: it does not, as far as that is known."""
    entity = profile.looks.entity if profile.looks is not None else ""
    transform, parameters, reason = "redact", {}, ""
    if entity in _PEOPLE:
        transform, reason = _PEOPLE[entity]
        reason = f"looks like {reason}"
    elif profile.type == "String" and _is_name(profile.name):
        # Rare names look like notes, or like nothing: what the column is called says more.
        reason = "called as names of people are"
    elif entity in ("NationalId", "MedicalRecordNumber"):
        transform, parameters, reason = "tokenize", key, f"looks like {entity}: one token per value"
    else:
        return None
    return Proposal(profile.name, "DirectIdentifier", transform, parameters, reason)


def _is_name(column: str) -> bool:
    """Whether a column, or a member of an object, is called as names of people are."""
    return _PERSON_NAME.fullmatch(column.rpartition(".")[2].rstrip("[]")) is not None


def _is_number_of_something(profile: ColumnProfile) -> bool:
    """Whether it is called so, and has many values that rows share: a person may have many rows."""
    return (
        profile.type in ("String", "Integer")
        and profile.distinct > _FEW
        and profile.unique < _NEARLY_ALL
        and _ID.search(profile.name) is not None
        and _SENSITIVE.search(profile.name) is None
    )


def _text(profile: ColumnProfile) -> Proposal:
    within = profile.looks.within if profile.looks is not None else None
    held = f", {within} in {profile.looks.share:.0%} of them" if within and profile.looks else ""
    return Proposal(
        profile.name,
        "Sensitive",
        "freeText",
        {"languages": list(profile.looks.languages if profile.looks else ()) or ["en"]},
        f"notes{held}: no detection is complete, so redact what nobody needs",
    )


def _date(profile: ColumnProfile, subject: str | None, key: dict[str, Any]) -> Proposal:
    looks = profile.looks.entity if profile.looks is not None else ""
    if _BIRTH.search(profile.name) or looks == "DateOfBirth":
        return Proposal(
            profile.name, "QuasiIdentifier", "generalize", {"dateTo": "Year"}, "birthdays: the year"
        )
    if subject is not None:
        return Proposal(
            profile.name,
            None,
            "dateShift",
            {"subject": subject, "maxDays": 30, **key},
            "when something happened: all dates of a person move alike, so intervals stay",
        )
    return Proposal(
        profile.name,
        "QuasiIdentifier",
        "generalize",
        {"dateTo": "Month"},
        "when something happened: the month",
    )


def _number(profile: ColumnProfile) -> Proposal:
    if _AGE.search(profile.name) and profile.distinct > _FEW // 10:
        bins = ["0", "18", "30", "40", "50", "60", "70", "80"]
        return Proposal(
            profile.name, "QuasiIdentifier", "generalize", {"bins": bins}, "ages: intervals"
        )
    if profile.type == "Integer" and profile.unique >= _NEARLY_ALL and _ID.search(profile.name):
        return Proposal(profile.name, None, "drop", {}, "numbers of single rows: they may be known")
    tag: Tag | None = "Sensitive" if _SENSITIVE.search(profile.name) else None
    tails = profile.tails
    if profile.distinct <= _FEW or tails is None or max(map(abs, tails)) >= _LARGEST:
        return _category(profile)
    whole = profile.type == "Integer"
    if whole and profile.unique >= _NEARLY_ALL:
        return Proposal(
            profile.name,
            tag,
            "generalize",
            {"quantiles": _INTERVALS},
            "numbers that most rows are alone with: intervals of as many rows each",
        )
    low, high = (str(round(edge)) if whole else _decimal(edge) for edge in tails)
    return Proposal(
        profile.name,
        tag,
        "topBottomCode",
        {"bottom": low, "top": high},
        "numbers: the highest and lowest hundredth could tell whose they are",
    )


def _category(profile: ColumnProfile) -> Proposal:
    name = profile.name
    if profile.type == "String" and (profile.unique >= _NEARLY_ALL or profile.distinct > 1000):
        return Proposal(
            name, None, "drop", {}, f"{profile.distinct} different texts of an unknown kind"
        )
    if _QUASI.search(name):
        return Proposal(name, "QuasiIdentifier", "keep", {}, "others may know it of a person")
    told = f"{profile.distinct} different {'value' if profile.distinct == 1 else 'values'}"
    tag: Tag | None = "Sensitive" if _SENSITIVE.search(name) else None
    return Proposal(name, tag, "keep", {}, told)


def _decimal(number: float) -> str:
    """A number as the API writes it: no exponent."""
    return f"{number:.18f}".rstrip("0").rstrip(".") if number % 1 else f"{number:.0f}"
