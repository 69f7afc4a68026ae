"""What the values of a column are taken for at inspection."""

import datetime as dt

import polars as pl
import pytest

from leeward_masking.freetext.detection import SAMPLE, ContentSample, detect
from unit.masking.support import Volume


def detected(name: str, *blocks: list[object]) -> str | None:
    sample = ContentSample(name)
    for block in blocks:
        sample.add(pl.Series(name, block))
    (found,) = detect([sample])
    return found


@pytest.mark.parametrize(
    ("name", "values", "entity"),
    [
        ("contact", ["a@b.example", "zq@clinic.example"], "Mail"),
        ("mobilePhone", ["5550001111", "5550002222"], "Phone"),
        ("phone", [5550001111, 5550002222], "Phone"),
        ("code", ["5550001111", "5550002222"], None),
        ("konto", ["DE89370400440532013000"], "Iban"),
        ("card", [4111111111111111], "Card"),
        ("patient_name", ["Zebulon Quackenbush", "Ottoline Featherstone"], "Person"),
        ("姓名", ["王小明", "李雷"], "Person"),
        ("birth_date", [dt.date(1950, 2, 3)], "DateOfBirth"),
        ("admitted", [dt.date(1950, 2, 3)], None),
        ("ssn", ["078-05-1120", "219-09-9999"], "NationalId"),
        ("diagnosis", ["Diabetes mellitus", "Asthma"], None),
        ("income", [15000.5], None),
        ("nothing", [None, "", " "], None),
        ("note", ["write to a@b.example", "nothing"], None),
        ("visits[].mail", [["a@b.example", None], None, [], ["zq@clinic.example"]], "Mail"),
        ("visits[].days", [[1.5], []], None),
    ],
)
def test_values_and_the_name_before_them_tell(
    name: str, values: list[object], entity: str | None
) -> None:
    assert detected(name, values) == entity


def test_most_values_decide() -> None:
    mail: list[object] = ["a@b.example"] * 8
    assert detected("contact", mail, ["none", "unknown"]) == "Mail"
    assert detected("contact", mail, ["none", "unknown", "gone"]) is None


def test_only_the_first_values_are_looked_at() -> None:
    assert detected("contact", ["a@b.example"] * SAMPLE, ["none"] * 1000) == "Mail"


def test_each_column_is_told_by_itself() -> None:
    columns: dict[str, list[str | None]] = {
        "mail": ["a@b.example"],
        "nothing": [None],
        "ward": ["A"],
        "ip": ["192.0.2.1"],
    }
    samples = [ContentSample(name) for name in columns]
    for sample, (name, values) in zip(samples, columns.items(), strict=True):
        sample.add(pl.Series(name, values, pl.String))
    assert detect(samples * 60) == ["Mail", None, None, "Ip"] * 60


def test_inspection_says_it(volume: Volume) -> None:
    source = volume.inspect(volume.write("a.csv", b"mail,ward\na@b.example,A\n")).source
    assert source is not None
    assert {c.name: c.detected for c in source.columns} == {"mail": "Mail", "ward": None}
