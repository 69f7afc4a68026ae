"""mask preview: the engine and a manifest, no cluster."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from unit.cli.fake_cluster import leeward
from unit.cli.visits import DATASET, KEY, VAULT, job, manifest, pairs, visits

RULES: list[dict[str, Any]] = [
    {"name": "patient", "tokenize": {"key": KEY}},
    {"name": "name", "redact": {}},
    {"name": "visited", "dateShift": {"maxDays": 10, "key": KEY}},
    {"name": "weight", "keep": {}},
    {"name": "note", "drop": {}},
]
HASHED: dict[str, Any] = {"name": "name", "hash": {"key": KEY}}


def shaped(name: str = "a", **parameters: Any) -> dict[str, Any]:
    return {"name": name, "formatPreserving": {"key": KEY, "alphabet": "Digits", **parameters}}


def searching(pattern: str) -> dict[str, Any]:
    patterns = [{"name": "s", "entity": "Staff", "pattern": pattern}]
    return {"name": "note", "freeText": {"languages": ["en"], "patterns": patterns}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return visits(tmp_path)


def test_rows_before_and_after(data: Path) -> None:
    first, second, third = pairs(data, VAULT, DATASET, job(RULES))
    assert first["before"]["name"] == "Ada Lovelace"
    assert first["after"]["name"] is None
    assert first["after"]["weight"] == "61.5"
    assert "note" not in first["after"]
    assert first["after"]["patient"] == third["after"]["patient"] != second["after"]["patient"]
    assert first["after"]["patient"] != "P1"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ([{"name": "name", "keep": {}}], {}),
        ([{"name": "name", "generalize": {"dateTo": "Day"}}], {}),
        ([], {"defaultAction": "Keep"}),
    ],
    ids=["kept", "cut-to-its-day", "kept-by-default"],
)
def test_a_column_that_names_people_is_not_kept(
    data: Path, rule: list[dict[str, Any]], changes: dict[str, str]
) -> None:
    """As the operator has it: IdentifierKept."""
    tagged = [{"name": "name", "tags": ["DirectIdentifier"]}]
    dataset = {**DATASET, "spec": DATASET["spec"] | {"columns": tagged}}
    others = [one for one in RULES if one["name"] != "name"]
    path = manifest(data.parent, VAULT, dataset, job([*others, *rule], **changes))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code == 1
    assert 'would keep column "name", which the Dataset tags DirectIdentifier' in result.stderr
    assert "Lovelace" not in result.stdout + result.stderr


def test_columns_are_matched_as_the_operator_does(data: Path) -> None:
    tagged = [{"name": "name", "tags": ["DirectIdentifier"]}]
    dataset = {**DATASET, "spec": DATASET["spec"] | {"columns": tagged}}
    rules = [
        {"name": "named", "match": {"tag": "DirectIdentifier"}, "redact": {}},
        {"name": "dates", "match": {"type": "Date"}, "generalize": {"dateTo": "Year"}},
        {"name": "rest", "match": {"pattern": "weight|note"}, "keep": {}},
        RULES[0],
    ]
    first, *_ = pairs(data, VAULT, dataset, job(rules))
    assert first["after"]["name"] is None
    assert first["after"]["visited"] == "2027-01-01"
    assert first["after"]["weight"] == "61.5"


WHEN = {"column": "weight", "atLeast": "65"}


def test_conditions_are_previewed(data: Path) -> None:
    rule = {"name": "name", "redact": {}, "when": WHEN, "otherwise": {"keep": {}}}
    made = pairs(data, VAULT, DATASET, job([rule], defaultAction="Drop"))
    assert [pair["after"]["name"] for pair in made] == ["Ada Lovelace", None, "Ada"]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"when": WHEN}, "when and otherwise go together"),
        ({"when": {"column": "weight"}, "otherwise": {"keep": {}}}, "says nothing of the column"),
        ({"when": WHEN, "otherwise": {}}, "otherwise has not exactly one member"),
        ({"when": WHEN, "otherwise": {"hash": {}}}, "there is no field hash here"),
    ],
)
def test_a_condition_that_is_none_is_told(data: Path, members: dict[str, Any], told: str) -> None:
    rule = {"name": "name", "redact": {}, **members}
    path = manifest(data.parent, VAULT, DATASET, job([rule], defaultAction="Drop"))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code == 1
    assert told in result.stderr


def test_nothing_is_led_back_here(data: Path) -> None:
    changes = {"direction": "Unmask", "reason": "audit request 2027-114"}
    path = manifest(data.parent, VAULT, DATASET, job([RULES[0]], defaultAction="Drop", **changes))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code == 1
    assert "has direction Unmask, and the keys for that are in the cluster" in result.stderr


def test_fakes_are_of_the_subject(data: Path) -> None:
    rules = [{"name": "name", "fake": {"kind": "Name", "key": KEY}}]
    first, second, third = pairs(data, VAULT, DATASET, job(rules, defaultAction="Drop"))
    made = [pair["after"]["name"] for pair in (first, second, third)]
    assert made[0] == made[2] != made[1]
    assert "Lovelace" not in made[0]


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ({"detected": "Iban"}, 'rule "x" fits no column of the file (detected Iban)'),
        ({"pattern": "("}, 'MaskingJob m, spec.columns."x".match.pattern: must be a regular'),
        ({}, "match has neither names alone nor one or more of"),
    ],
)
def test_a_match_that_cannot_be_is_told(data: Path, match: dict[str, str], told: str) -> None:
    path = manifest(data.parent, VAULT, DATASET, job([{"name": "x", "match": match, "drop": {}}]))
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code == 1
    assert told in result.stderr


def test_dates_of_one_subject_move_together(data: Path) -> None:
    first, _, third = pairs(data, VAULT, DATASET, job(RULES))
    shift = [
        pl.Series([pair["after"]["visited"]]).str.to_date()[0]
        - pl.Series([pair["before"]["visited"]]).str.to_date()[0]
        for pair in (first, third)
    ]
    assert shift[0] == shift[1]
    assert 1 <= abs(shift[0].days) <= 10


def test_formats_are_preserved_and_fernet_tokens_made(tmp_path: Path) -> None:
    data = tmp_path / "cards.csv"
    data.write_text("card,holder\n4111 1111 1111 1111,Ada\n4111 1111 1111 1111,Ada\n")
    card = {"key": KEY | {"key": "cards"}, "alphabet": "Digits", "keepFirst": 4}
    rules: list[dict[str, Any]] = [
        {"name": "card", "formatPreserving": card},
        {"name": "holder", "encrypt": {"key": KEY}},
    ]
    keys = {"spec": {"keys": [{"name": "tokens", "algorithm": "FERNET"}], "profile": "Compatible"}}
    first, second = pairs(data, VAULT | keys, job(rules))
    assert re.fullmatch(r"4111 \d{4} \d{4} \d{4}", first["after"]["card"])
    assert first["after"]["card"] == second["after"]["card"] != first["before"]["card"]
    assert first["after"]["holder"][:4] == second["after"]["holder"][:4] == "gAAA"
    assert first["after"]["holder"] != second["after"]["holder"]


def test_numbers_and_dates(data: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"name": "patient", "randomMask": {"suppress": "1"}},
        {"name": "visited", "timePart": {"part": "Weekday"}},
        {"name": "weight", "topBottomCode": {"top": "65"}},
        {"name": "name", "drop": {}},
        {"name": "note", "drop": {}},
    ]
    first, second, third = [pair["after"] for pair in pairs(data, VAULT, DATASET, job(rules))]
    assert first == {"patient": None, "visited": "2", "weight": "61.5"}
    assert second == {"patient": None, "visited": "3", "weight": "65.0"}
    assert third == {"patient": None, "visited": "5", "weight": None}
    rules[2] = {"name": "weight", "noise": {"scale": "5", "roundTo": "0.1", "lower": "40"}}
    rules[0] = {"name": "patient", "drop": {}}
    noisy = pairs(data, VAULT, DATASET, job(rules))[0]["after"]["weight"]
    assert re.fullmatch(r"\d{2,3}\.\d", noisy)
    rules[2] = {"name": "weight", "randomMask": {"range": {"lower": "1", "upper": "2"}}}
    assert 1 <= float(pairs(data, VAULT, DATASET, job(rules))[1]["after"]["weight"]) <= 2


VALUE_FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("timePart", {"part": "Minute"}, "'Hour'"),
    ("topBottomCode", {}, "has no border\n  give it bottom, top or both"),
    ("topBottomCode", {"bottom": "many"}, "or a date, as"),
    ("topBottomCode", {"bottom": "2000-02-30"}, "a date that does not exist"),
    ("topBottomCode", {"bottom": "1", "top": "2000-01-01"}, "a number and top a date"),
    ("topBottomCode", {"bottom": "-1", "top": "-1.5"}, "bottom is above top"),
    ("topBottomCode", {"bottom": "2000-01-02", "top": "2000-01-01"}, "bottom is above top"),
    ("noise", {"scale": "-1"}, "must be a decimal number above 0"),
    ("noise", {"scale": "0.00"}, "scale is 0"),
    ("noise", {"scale": "1", "roundTo": "0"}, "roundTo is 0"),
    ("noise", {"scale": "1", "lower": "2", "upper": "1.9"}, "lower is above upper"),
    ("noise", {"scale": "1", "lower": "0.3", "upper": "0.30000000000000001"}, "too near to tell"),
    ("topBottomCode", {"bottom": "5", "top": "5.0"}, "write equal ones alike"),
    ("noise", {"scale": "1", "distribution": "Uniform"}, "'Gaussian'"),
    ("randomMask", {}, "give one of range, distribution, suppress"),
    ("randomMask", {"suppress": "1.5"}, "must be a probability above 0"),
    ("randomMask", {"suppress": "0.0"}, "suppress is 0"),
    ("randomMask", {"range": {"lower": "2", "upper": "1"}}, "range.lower is above range.upper"),
]


def test_parquet_is_read_as_well(data: Path, tmp_path: Path) -> None:
    parquet = tmp_path / "visits.parquet"
    pl.read_csv(data, separator=";", try_parse_dates=True).write_parquet(parquet)
    assert pairs(parquet, VAULT, DATASET, job(RULES))[1]["after"]["weight"] == "70.0"


def test_arrow_is_read_as_well(data: Path, tmp_path: Path) -> None:
    arrow = tmp_path / "visits.feather"
    pl.read_csv(data, separator=";", try_parse_dates=True).write_ipc(arrow, compression="lz4")
    assert pairs(arrow, VAULT, DATASET, job(RULES))[1]["after"]["weight"] == "70.0"


def test_a_table_has_a_line_per_column(data: Path) -> None:
    path = manifest(data.parent, VAULT, DATASET, job(RULES))
    result = leeward("mask", "preview", "-f", path, str(data), "--rows", "1")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["name", "redact", "Ada", "Lovelace", "null"] in lines
    assert ["note", "drop", "x", "dropped"] in lines


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ((VAULT, DATASET, job(RULES[:-1])), '"note"'),
        ((VAULT, job(RULES)), "not define Dataset visits: put it beside the job, with spec.csv"),
        ((VAULT, job(RULES)), 'with the delimiter ",", and its header holds ";"'),
        (
            (VAULT, DATASET | {"spec": DATASET["spec"] | {"csv": {}}}, job(RULES)),
            'set spec.csv.delimiter of the Dataset to ";"',
        ),
        ((VAULT, DATASET, job([*RULES, {"name": "age", "keep": {}}])), '"age"'),
        (
            (VAULT, DATASET, job([*RULES[:3], {"name": "x", "keep": {"a": 1}}])),
            '"x": keep has no parameter "a"',
        ),
        ((VAULT, DATASET), "holds no MaskingJob"),
        ((VAULT, DATASET, job([HASHED], defaultAction="Drop")), "AES256_SIV"),
        ((job([{"name": "name"}]),), 'rule "name" has no transform'),
        ((job([{"name": "name", "keep": {}, "drop": {}}]),), "the transforms keep and drop"),
        ((job([HASHED, {"name": "name", "drop": {}}]),), 'column "name" has two rules'),
        ((job([{"name": "name", "generalize": {}}]),), "bins, quantiles, dateTo, prefix"),
        ((job([{"name": "name", "keepp": {}}]),), '"name" has unknown transform "keepp"'),
        ((job([{"name": "name", "keepp": {}}]),), "use one of keep, drop, redact"),
        ((job([{"name": "a", "replace": {"by": "x"}}]),), "remove it; replace has value"),
        (
            (job([{"name": "a", "hash": {"key": {**KEY, "kez": "x"}}}]),),
            "there is no field kez here",
        ),
        ((job([{"name": "a", "generalize": {"bins": ["-1", "9"]}}]),), "cannot be negative"),
        ((job([{"name": "a", "generalize": {"bins": ["0", "0.0"]}}]),), "bins must rise"),
        (
            (job([{"name": "a", "generalize": {"bins": ["0.3", "0.30000000000000001"]}}]),),
            "bins must rise",
        ),
        ((job([{"name": "a", "generalize": {"bins": ["2", "10"], "dateTo": "Day"}}]),), "exactly"),
        ((job([{"name": "visited", "generalize": {"dateTo": "day"}}]),), "'Day'"),
        ((DATASET, job([shaped("visited")], defaultAction="Drop")), "which formatPreserving needs"),
        (
            (DATASET, job([shaped("name")], defaultAction="Drop")),
            'row 1: the value in column "name" has a character that is neither',
        ),
        ((job([shaped(alphabet="Letters", checkDigit="Luhn")]),), "needs alphabet Digits"),
        ((job([shaped(checkDigit="Luhn", keepLast=1)]),), "the check digit is the last digit"),
        ((job([shaped(alphabet="digits")]),), "formatPreserving.alphabet"),
        *(
            ((job([{"name": "a", transform: parameters}]),), words)
            for transform, parameters, words in VALUE_FAULTS
        ),
        (
            (VAULT, DATASET, job([*RULES[:-1], searching("S-[0-9")])),
            'MaskingJob m, rule "note": the pattern "s" of freeText.patterns does not compile',
        ),
        (({"kind": "MaskingJob", "metadata": "m", "spec": 3},), "MaskingJob, spec"),
    ],
)
def test_what_does_not_fit_is_named(
    data: Path, documents: tuple[dict[str, Any], ...], words: str
) -> None:
    path = manifest(data.parent, *documents)
    result = leeward("mask", "preview", "-f", path, str(data))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Lovelace" not in result.output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nothing.csv", None, "does not exist"),
        ("visits.txt", b"x", "whose name ends in .csv"),
        ("visits.parquet", b"patient;name\n", "what its name ends in"),
        ("empty.csv", b"", "give a file with data"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_remedy_for_this_machine(
    data: Path, name: str, content: bytes | None, words: str
) -> None:
    path = manifest(data.parent, VAULT, DATASET, job(RULES))
    file = data.with_name(name)
    if content is not None:
        file.write_bytes(content)
    result = leeward("mask", "preview", "-f", path, str(file))
    assert result.exit_code == 1
    assert words in result.stderr
    assert "volume" not in result.stderr


def test_another_encoding_is_said_in_the_dataset_of_the_manifest(data: Path) -> None:
    latin = data.with_name("latin.csv")
    latin.write_bytes("name\nZo\u00e9\n".encode("latin-1"))
    path = manifest(data.parent, job([{"name": "name", "redact": {}}]))
    result = leeward("mask", "preview", "-f", path, str(latin))
    assert result.exit_code == 1
    assert "put it beside the job, with spec.csv.encoding what it is" in result.stderr


def test_a_manifest_that_is_no_yaml_names_the_line(data: Path) -> None:
    path = data.parent / "job.yaml"
    path.write_text("kind: MaskingJob\nspec: [\n")
    result = leeward("mask", "preview", "-f", str(path), str(data))
    assert result.exit_code == 1
    assert "job.yaml, line 3" in result.stderr
