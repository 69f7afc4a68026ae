"""fake: for each subject the same made-up value, drawn from lists by HMAC-SHA-256."""

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from leeward.api.fakes import Fake, FakeKind, FakeLocale
from leeward_masking.ciphers.keys import derive
from leeward_masking.transforms.fakes.lists import MAIL_DOMAINS, PHONES, lists
from leeward_masking.values.canonical import canonical_text

Words = NDArray[np.uint64]
"""Four 64-bit words per row, shape (n, 4)."""

_PERSON, _PLACE, _PHONE, _WORK = "person", "place", "phone", "work"
_GROUPS: Final[dict[FakeKind, str]] = {
    "Name": _PERSON,
    "FirstName": _PERSON,
    "LastName": _PERSON,
    "UserName": _PERSON,
    "Mail": _PERSON,
    "Phone": _PHONE,
    "Address": _PLACE,
    "Street": _PLACE,
    "City": _PLACE,
    "Postcode": _PLACE,
    "Company": _WORK,
    "Job": _WORK,
}
"""Kinds of one group belong together: a mail address is of the name that the subject gets."""
_HOUSES: Final = 250
_TAILS: Final = 10_000


class FakeMask:
    """Made-up values. Safe to use from several threads.

    An index into a list is a 64-bit word modulo its length: of some thousand entries none comes
    more often than another by more than one part in 2^50.

    Args:
        material: Artefact key of the rule.
        rule: The parameters.
    """

    def __init__(self, material: bytes, rule: Fake) -> None:
        group = _GROUPS[rule.kind]
        # The library takes the key as text (see keyed_hash).
        self._key = derive(material, f"fake {rule.locale} {group}", 32).hex()
        self._locale: FakeLocale = rule.locale
        self._make = _MAKERS[rule.kind]

    def __call__(self, values: pl.Series, subjects: pl.Series) -> pl.Series:
        """Text; null where the value or its subject is null.

        Raises:
            JobError: ``UnsuitableColumn``: subjects are lists, structs or binary.
        """
        words = self._words(canonical_text(subjects))
        made = self._make(self._locale, words)
        return made.set(values.is_null() | subjects.is_null(), None).alias(values.name)

    def _words(self, subjects: pl.Series) -> Words:
        texts = subjects.fill_null("").to_frame("s")
        digests = texts.select(plh.col("s").chash.hmac_sha256(key=self._key)).to_series()
        raw = digests.str.decode("hex").cast(pl.List(pl.UInt8)).explode(empty_as_null=False)
        return raw.to_numpy().view(">u8").reshape(-1, 4).astype(np.uint64)


def _drawn(locale: FakeLocale, name: str, words: NDArray[np.uint64]) -> pl.Series:
    return _entry(lists(locale)[name], words)


def _entry(values: pl.Series, words: NDArray[np.uint64]) -> pl.Series:
    return values.gather(pl.Series(words % np.uint64(len(values))))


def _digits(words: NDArray[np.uint64], bound: int, width: int) -> pl.Series:
    return pl.Series(words % np.uint64(bound)).cast(pl.String).str.zfill(width)


def _joined(*parts: pl.Series | str) -> pl.Series:
    lits = [pl.lit(part) for part in parts]
    return pl.select(pl.concat_str(lits)).to_series()


def _first_name(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "firstName", words[:, 0])


def _last_name(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "lastName", words[:, 1])


def _name(locale: FakeLocale, words: Words) -> pl.Series:
    first, last = _first_name(locale, words), _last_name(locale, words)
    return _joined(last, first) if locale == "zh_CN" else _joined(first, " ", last)


def _user_name(locale: FakeLocale, words: Words) -> pl.Series:
    first = _drawn(locale, "mailFirst", words[:, 0]).str.head(1)
    last = _drawn(locale, "mailLast", words[:, 1])
    return _joined(first, last, _digits(words[:, 2], _TAILS, 4))


def _mail(locale: FakeLocale, words: Words) -> pl.Series:
    first = _drawn(locale, "mailFirst", words[:, 0])
    last = _drawn(locale, "mailLast", words[:, 1])
    tail, domain = _digits(words[:, 2], _TAILS, 4), _entry(MAIL_DOMAINS, words[:, 3])
    return _joined(first, ".", last, tail, "@", domain)


def _phone(locale: FakeLocale, words: Words) -> pl.Series:
    beginnings, count = PHONES[locale]
    digits = _digits(words[:, 1], 10**count, count)
    if locale == "fr_FR":
        digits = _joined(digits.str.head(2), " ", digits.str.tail(2))
    return _joined(_entry(beginnings, words[:, 0]), digits)


def _street(locale: FakeLocale, words: Words) -> pl.Series:
    street = _drawn(locale, "street", words[:, 0])
    house = pl.Series(words[:, 1] % np.uint64(_HOUSES) + np.uint64(1)).cast(pl.String)
    if locale == "de_DE":
        return _joined(street, " ", house)
    return _joined(street, house, "号") if locale == "zh_CN" else _joined(house, " ", street)


def _city(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "city", words[:, 2])


def _postcode(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "postcode", words[:, 3])


def _address(locale: FakeLocale, words: Words) -> pl.Series:
    street, city, code = _street(locale, words), _city(locale, words), _postcode(locale, words)
    if locale == "zh_CN":
        return _joined(city, street, " ", code)
    if locale in ("de_DE", "fr_FR"):
        return _joined(street, ", ", code, " ", city)
    return _joined(street, ", ", city, " ", code)


def _company(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "company", words[:, 0])


def _job(locale: FakeLocale, words: Words) -> pl.Series:
    return _drawn(locale, "job", words[:, 1])


_MAKERS: Final[dict[FakeKind, Callable[[FakeLocale, Words], pl.Series]]] = {
    "Name": _name,
    "FirstName": _first_name,
    "LastName": _last_name,
    "UserName": _user_name,
    "Mail": _mail,
    "Phone": _phone,
    "Address": _address,
    "Street": _street,
    "City": _city,
    "Postcode": _postcode,
    "Company": _company,
    "Job": _job,
}
