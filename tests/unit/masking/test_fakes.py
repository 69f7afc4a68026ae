"""fake: consistent per subject, made of lists, and nobody's mail address or phone number."""

import gzip
import re
from importlib.resources import files
from typing import get_args

import polars as pl
import pytest

from leeward.api.fakes import Fake, FakeKind, FakeLocale
from leeward_masking.errors import JobError
from leeward_masking.transforms.fakes.lists import lists
from leeward_masking.transforms.fakes.mask import FakeMask
from unit.masking.support import KEY_REF

LOCALES = get_args(FakeLocale)
PATIENTS = pl.Series("patient", range(2000))
PHONES = {
    "en_US": r"\([2-9][0-8][0-9]\) 555-01[0-9]{2}",
    "en_GB": r"(01[1-6][0-9] 496 0|020 7946 0|0191 498 0|028 9649 6|029 2018 0|01632 960|07700 900)"
    r"[0-9]{3}",
    "de_DE": r"(030 23125|069 90009|040 66969|0221 4710|089 99998)[0-9]{3}",
    "fr_FR": r"(01 99 00|02 61 91|03 53 01|04 65 71|05 36 49|06 39 98)( [0-9]{2}){2}",
    "zh_CN": r"0(10|2[0-9])-0[0-9]{7}",
}


def fake(
    kind: str,
    locale: str = "en_US",
    *,
    subjects: pl.Series = PATIENTS,
    values: pl.Series | None = None,
    material: bytes = b"m" * 32,
) -> list[str | None]:
    rule = Fake.model_validate({"kind": kind, "locale": locale, "key": KEY_REF})
    given = subjects if values is None else values
    return FakeMask(material, rule)(given, subjects).to_list()


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", get_args(FakeKind))
def test_every_kind_in_every_locale_differs_between_subjects(kind: str, locale: str) -> None:
    made = fake(kind, locale)
    assert all(made)
    assert len(set(made)) > 20


def test_one_subject_has_one_value_whatever_stands_there() -> None:
    subjects = pl.Series(["a", "b", "a", None, "c"])
    values = pl.Series(["Ann", "Bob", "Anne", "Cy", None])
    first, second, third, *others = fake("Name", subjects=subjects, values=values)
    assert first == third != second
    assert others == [None, None]


def test_a_number_and_its_text_are_one_subject() -> None:
    assert fake("Name") == fake("Name", subjects=PATIENTS.cast(pl.String))


@pytest.mark.parametrize("locale", ["en_US", "en_GB", "de_DE", "fr_FR"])
def test_what_is_made_up_for_one_subject_belongs_together(locale: str) -> None:
    first, last = fake("FirstName", locale), fake("LastName", locale)
    assert fake("Name", locale) == [f"{a} {b}" for a, b in zip(first, last, strict=True)]
    known = dict(zip(lists("de_DE")["firstName"], lists("de_DE")["mailFirst"], strict=True))
    if locale == "de_DE":
        assert [str(mail).split(".")[0] for mail in fake("Mail", locale)] == [
            known[str(name)] for name in first
        ]
    addresses = zip(fake("Address", locale), fake("Street", locale), strict=True)
    assert all(str(address).startswith(f"{street}, ") for address, street in addresses)


def test_chinese_names_begin_with_the_family_name() -> None:
    first, last = fake("FirstName", "zh_CN"), fake("LastName", "zh_CN")
    assert fake("Name", "zh_CN") == [f"{b}{a}" for a, b in zip(first, last, strict=True)]


def test_another_key_makes_other_people() -> None:
    same = sum(a == b for a, b in zip(fake("Name"), fake("Name", material=b"n" * 32), strict=True))
    assert same < 5


@pytest.mark.parametrize("locale", LOCALES)
def test_mail_addresses_are_in_domains_that_nobody_has(locale: str) -> None:
    form = re.compile(r"[a-z]+\.[a-z]+[0-9]{4}@example\.(com|net|org)")
    made = fake("Mail", locale)
    assert all(form.fullmatch(str(mail)) for mail in made)
    assert len(set(made)) >= 1990


@pytest.mark.parametrize("locale", LOCALES)
def test_phone_numbers_are_of_ranges_that_nobody_is_given(locale: str) -> None:
    assert all(re.fullmatch(PHONES[locale], str(number)) for number in fake("Phone", locale))


def test_all_entries_are_drawn_alike() -> None:
    names = pl.Series(fake("LastName", "en_GB", subjects=pl.Series(range(100_000))))
    counts = names.value_counts().get_column("count")
    assert len(counts) == len(lists("en_GB")["lastName"])
    # 200 each, standard deviation 14: six of them are beyond chance.
    assert 115 < counts.min() < counts.max() < 285  # type: ignore[operator]


@pytest.mark.parametrize("locale", LOCALES)
def test_lists_hold_what_can_be_shown(locale: FakeLocale) -> None:
    for name, values in lists(locale).items():
        assert len(values) > 20, name
        assert values.str.len_chars().min() > 0, name  # type: ignore[operator]
        assert not values.str.contains(r"[\t\n]").any(), name
        if name not in ("mailFirst", "mailLast"):
            assert values.is_unique().all(), name
    packed = (files("leeward_masking.transforms.fakes") / "data" / f"{locale}.tsv.gz").read_bytes()
    assert len(gzip.decompress(packed)) < 200_000


def test_a_subject_that_has_no_text_is_refused() -> None:
    with pytest.raises(JobError) as raised:
        fake("Name", subjects=pl.Series("p", [[1]]), values=pl.Series("v", ["Ann"]))
    assert raised.value.code == "UnsuitableColumn"


def test_golden() -> None:
    """What was made up before stays; a change here breaks joins with data masked before."""
    subject = pl.Series(["4711"])
    made = {locale: fake("Name", locale, subjects=subject)[0] for locale in LOCALES}
    made["mail"] = fake("Mail", subjects=subject)[0]
    made["address"] = fake("Address", subjects=subject)[0]
    assert made == {
        "en_US": "Sierra Odom",
        "en_GB": "Jean Williams",
        "de_DE": "Jolanthe Mosemann",
        "fr_FR": "Claire Perrot",
        "zh_CN": "宗利",
        "mail": "sierra.odom2859@example.com",
        "address": "39 Johnson Cape, Perezstad 94504",
    }
