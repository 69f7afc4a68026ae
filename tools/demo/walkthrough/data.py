"""The data of the demo: the RAND Health Insurance Experiment, with made-up identifiers joined.

The study (20,190 person-years, Newhouse et al., 1993; public, in the package statsmodels) has no
identifiers. Rows in sequence with equal health variables are taken as the years of one person, at
most five as in the study; each person gets a name and the rest from Faker with a fixed seed, so the
same files come out every time. Domains and phone numbers are such that nobody has them (RFC 2606,
555-01xx).
"""

import datetime
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
from faker import Faker

SEED: Final = 20190
MAX_YEARS: Final = 5
FIRST_YEAR: Final = 2021
STUDY_COLUMNS: Final = (
    "mdvis",
    "lncoins",
    "idp",
    "lpi",
    "fmde",
    "physlm",
    "disea",
    "hlthg",
    "hlthf",
    "hlthp",
)
_PERSON: Final = ("physlm", "disea", "hlthg", "hlthf", "hlthp")
_NOTES: Final = (
    "{name} came for a check-up, no complaints.",
    "Saw {name} with back pain for two weeks; rest and warmth, back in ten days.",
    "{name} asks for the results by phone: {phone}.",
    "Blood pressure of {name} too high again, dose doubled.",
    "Referred {name} to cardiology. Send the letter to {mail}.",
    "Mother of {name} called, fever since Monday; paracetamol, call again if it lasts.",
    "Flu vaccination. {name} stayed for 15 minutes, well.",
    "{name} did not come. Reminder to {phone}.",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Made-up identifiers of one person of the study."""

    patient_id: str
    name: str
    mail: str
    phone: str
    insurance_number: str
    birth_date: datetime.date
    address: str
    postcode: str
    income: int


def make_table() -> pl.DataFrame:
    """20,190 rows: identifiers, visit, and the ten variables of the study."""
    # With pandas and scipy, which take a second: only for whoever makes the table.
    from statsmodels.datasets import randhie

    study = pl.from_pandas(randhie.load_pandas().data)
    persons, years = _person_years(study)
    rng = random.Random(SEED)  # noqa: S311 - test data, and the same each time
    people = list(_people(max(persons) + 1, rng))
    rows = [_row(people[p], year, rng) for p, year in zip(persons, years, strict=True)]
    identifiers = pl.DataFrame(rows, orient="row")
    return identifiers.hstack(study.select(STUDY_COLUMNS))


def write_files(table: pl.DataFrame, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``NAME.parquet`` and ``NAME.csv``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    table.write_parquet(parquet)
    table.write_csv(csv)
    return parquet, csv


def _person_years(study: pl.DataFrame) -> tuple[list[int], list[int]]:
    """For each row the number of its person and its year in the study, both from 0."""
    persons: list[int] = []
    years: list[int] = []
    before: tuple[Any, ...] | None = None
    person, year = -1, 0
    for row in study.select(_PERSON).iter_rows():
        year += 1
        if row != before or year == MAX_YEARS:
            person, year = person + 1, 0
        before = row
        persons.append(person)
        years.append(year)
    return persons, years


def _people(count: int, rng: random.Random) -> Iterator[Person]:
    fake = Faker("en_US", use_weighting=False)
    fake.seed_instance(SEED)
    insurance = rng.sample(range(10**9, 10**10), count)
    for number in range(count):
        first, last = fake.first_name(), fake.last_name()
        domain = rng.choice(("example.org", "example.com", "example.net"))
        yield Person(
            patient_id=f"P{number + 1:06d}",
            name=f"{first} {last}",
            mail=f"{first}.{last}{number % 97}@{domain}".lower(),
            phone=f"({rng.randint(201, 989)}) 555-01{rng.randint(0, 99):02d}",
            insurance_number=str(insurance[number]),
            birth_date=datetime.date(1940, 1, 1) + datetime.timedelta(days=rng.randrange(25_000)),
            address=f"{fake.street_address()}, {fake.city()}",
            postcode=fake.postcode(),
            income=int(rng.lognormvariate(10.6, 0.6)),
        )


def _row(person: Person, year: int, rng: random.Random) -> dict[str, Any]:
    visit = datetime.date(FIRST_YEAR + year, 1, 1) + datetime.timedelta(days=rng.randrange(365))
    note = rng.choice(_NOTES).format(name=person.name, phone=person.phone, mail=person.mail)
    return {
        "patient_id": person.patient_id,
        "name": person.name,
        "mail": person.mail,
        "phone": person.phone,
        "insurance_number": person.insurance_number,
        "birth_date": person.birth_date,
        "address": person.address,
        "postcode": person.postcode,
        "note": note,
        "visit_date": visit,
        "income": person.income + 500 * year,
    }
