"""What fakes are made of: lists per locale.

One line per list: its name, and its values, each after a tab. Names that mail addresses are made of
are in ASCII; in locales of Latin letters they stand in the order of the names that they are of.
"""

import importlib
import unicodedata
from collections.abc import Iterable, Iterator

from faker import Faker

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "zh_CN")
MOST = 1000
"""Values of a list that Faker makes up, at most."""
TRIES = 20_000
MADE = {"street": "street_name", "city": "city", "company": "company", "job": "job"}
"""Lists that Faker makes up, and its providers."""
POSTCODES = "postcode"
SPELLED = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "\u0131": "i"}


def lists(locale: str) -> str:
    """The lists of a locale."""
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    first, last = sorted(set(provider.first_names)), sorted(set(provider.last_names))
    if hasattr(provider, "first_romanized_names"):
        mail_first = sorted(set(provider.first_romanized_names))
        mail_last = sorted(set(provider.last_romanized_names))
    else:
        mail_first, mail_last = first, last
    made = {
        "firstName": first,
        "lastName": last,
        "mailFirst": map(_ascii, mail_first),
        "mailLast": map(_ascii, mail_last),
        **{name: _made(locale, method) for name, method in (MADE | {POSTCODES: POSTCODES}).items()},
    }
    return "".join("\t".join([name, *values]) + "\n" for name, values in made.items())


def _made(locale: str, method: str) -> list[str]:
    faker = Faker(locale)
    faker.seed_instance(0)
    return sorted(set(_some(_drawn(faker, method), MOST)))


def _drawn(faker: Faker, method: str) -> Iterator[str]:
    for _ in range(TRIES):
        yield " ".join(str(getattr(faker, method)()).split())


def _some(values: Iterable[str], most: int) -> set[str]:
    found: set[str] = set()
    for value in values:
        found.add(value)
        if len(found) == most:
            break
    return found


def _ascii(name: str) -> str:
    spelled = "".join(SPELLED.get(sign, sign) for sign in name.lower())
    plain = unicodedata.normalize("NFKD", spelled)
    return "".join(sign for sign in plain if sign.isascii() and sign.isalpha())
