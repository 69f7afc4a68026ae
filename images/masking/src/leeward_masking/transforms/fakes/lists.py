"""The lists that fakes are made of, and the phone numbers that nobody has.

Mail addresses are in the domains of RFC 2606, 3. Phone numbers are from ranges that are never
given to anybody:

    en_US   555-0100 to 555-0199 of every area (NANPA, 555 NXX Assignment Guidelines)
    en_GB   Ofcom, telephone numbers for use in TV and radio drama programmes
    de_DE   Bundesnetzagentur, Mitteilung 148/2021, Rufnummern fuer Medienproduktionen
    fr_FR   Arcep, decision 2018-0881, numbers for audiovisual works
    zh_CN   no range is kept free there; numbers of subscribers begin with 2 to 8, and these with 0,
            which leads to trunk calls
"""

import gzip
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

from leeward.api.fakes import FakeLocale

MAIL_DOMAINS: Final = pl.Series(["example.com", "example.net", "example.org"])
_AREAS: Final = [
    f"{area}" for area in range(200, 1000) if area // 10 % 10 != 9 and area % 100 != 11
]
_DRAMA: Final = (
    *("0113", "0114", "0115", "0116", "0117", "0118"),
    *("0121", "0131", "0141", "0151", "0161"),
)
PHONES: Final[dict[FakeLocale, tuple[pl.Series, int]]] = {
    "en_US": (pl.Series([f"({area}) 555-01" for area in _AREAS]), 2),
    "en_GB": (
        pl.Series(
            [
                *(f"{area} 496 0" for area in _DRAMA),
                *("020 7946 0", "0191 498 0", "028 9649 6", "029 2018 0", "01632 960", "07700 900"),
            ]
        ),
        3,
    ),
    "de_DE": (pl.Series(["030 23125", "069 90009", "040 66969", "0221 4710", "089 99998"]), 3),
    "fr_FR": (
        pl.Series(["01 99 00 ", "02 61 91 ", "03 53 01 ", "04 65 71 ", "05 36 49 ", "06 39 98 "]),
        4,
    ),
    "zh_CN": (pl.Series([f"0{area}-0" for area in (10, 20, 21, 22, 23, 24, 25, 27, 28, 29)]), 7),
}
"""Beginnings, and how many digits follow."""


@cache
def lists(locale: FakeLocale) -> dict[str, pl.Series]:
    """Lists of a locale: names, names as in mail addresses, places, companies, occupations."""
    packed = (files("leeward_masking.transforms.fakes") / "data" / f"{locale}.tsv.gz").read_bytes()
    lines = (line.split("\t") for line in gzip.decompress(packed).decode().splitlines())
    return {name: pl.Series(values) for name, *values in lines}
