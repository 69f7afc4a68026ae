"""mask init and mask check: from a file to a manifest, and what is still identifying in one."""

import datetime
import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
import yaml

from leeward.api.dataset import DatasetSpec
from leeward.api.keyvault import KeyVaultSpec
from leeward.cli.jobfile import read_job_file
from leeward.cli.proposing import propose
from leeward_masking.profiling.columns import profile
from unit.cli.fake_cluster import leeward

COUNT = 240
FIRST = ["Anna", "John", "Maria", "Peter", "Laura", "James", "Sofia", "David"]
LAST = ["Smith", "Baker", "Garcia", "Miller", "Jones", "Taylor", "Brown", "Wilson"]
PEOPLE = pl.DataFrame(
    {
        "patient_id": [f"PLANTED{n % 80:05}" for n in range(COUNT)],
        "name": [f"{FIRST[n % 8]} {LAST[n // 8 % 8]}" for n in range(COUNT)],
        "mail": [f"planted{n}@clinic.example" for n in range(COUNT)],
        "phone": [f"+44 20 7946 {n:04}" for n in range(COUNT)],
        "birth_date": [f"19{n % 90 + 10}-0{n % 9 + 1}-1{n % 10}" for n in range(COUNT)],
        "admitted": [f"2024-0{n % 9 + 1}-2{n % 8}" for n in range(COUNT)],
        "zip": [f"{10100 + n % 7}" for n in range(COUNT)],
        "sex": ["f", "m"] * (COUNT // 2),
        "age": [n % 90 for n in range(COUNT)],
        "income": [20_000 + 137 * n for n in range(COUNT)],
        "diagnosis": [f"J{n % 5}" for n in range(COUNT)],
        "note: #1": [
            f"Seen on the ward, write to planted{n}@clinic.example and wait" for n in range(COUNT)
        ],
        "ref": [f"planted-{n * 7919:x}" for n in range(COUNT)],
    }
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "Admissions 2027.csv"
    PEOPLE.write_csv(path, separator=";")
    return path


def proposed(data: Path, *args: str) -> tuple[Path, dict[str, Any], str]:
    """The manifest, its documents by kind, and its text."""
    target = data.with_name("job.yaml")
    result = leeward("mask", "init", str(data), "-o", str(target), "--force", *args)
    assert result.exit_code == 0, result.stderr
    text = target.read_text()
    documents = [document for document in yaml.safe_load_all(text) if document]
    return target, {document["kind"]: document for document in documents}, text


def test_every_column_gets_a_tag_a_rule_and_a_reason(data: Path) -> None:
    _, documents, text = proposed(data)
    tags = {c["name"]: c["tags"] for c in documents["Dataset"]["spec"]["columns"]}
    assert tags["patient_id"] == tags["name"] == tags["mail"] == ["DirectIdentifier"]
    assert tags["birth_date"] == tags["zip"] == tags["sex"] == tags["age"] == ["QuasiIdentifier"]
    assert tags["income"] == tags["diagnosis"] == tags["note: #1"] == ["Sensitive"]
    rules = {
        rule.pop("name"): next(iter(rule)) for rule in documents["MaskingJob"]["spec"]["columns"]
    }
    assert rules == {
        "patient_id": "tokenize",
        "name": "redact",
        "mail": "redact",
        "phone": "redact",
        "birth_date": "generalize",
        "admitted": "dateShift",
        "zip": "generalize",
        "sex": "keep",
        "age": "generalize",
        "income": "generalize",
        "diagnosis": "keep",
        "note: #1": "freeText",
        "ref": "drop",
    }
    lines = [line for line in text.splitlines() if line.startswith("    - {name:")]
    assert all(" # " in line for line in lines if "grants" not in line and "masking" not in line)
    assert documents["Dataset"]["spec"]["subjectColumn"] == "patient_id"
    assert documents["Dataset"]["spec"]["csv"] == {"delimiter": ";"}
    assert documents["Dataset"]["metadata"]["name"] == "admissions"[:10] + "-2027"
    model = documents["MaskingJob"]["spec"]["privacyModel"]["kAnonymity"]
    assert model["quasiIdentifiers"] == ["birth_date", "zip", "sex", "age"]
    assert "PLANTED" not in text.upper()


def test_the_manifest_is_valid_and_masks_the_file(data: Path) -> None:
    target, documents, _ = proposed(data)
    DatasetSpec.model_validate(documents["Dataset"]["spec"])
    vault = KeyVaultSpec.model_validate(documents["KeyVault"]["spec"])
    assert [key.name for key in vault.keys] == ["intake", "data", "tokens"]
    assert read_job_file(target).spec.source.name == "admissions-2027"
    shown = leeward("mask", "preview", str(data), "-f", str(target), "-o", "json", "--rows", "50")
    assert shown.exit_code == 0, shown.stderr
    after = json.dumps([pair["after"] for pair in json.loads(shown.stdout)])
    assert "planted" not in after.lower()


def test_a_compressed_file_is_read_as_it_is(data: Path) -> None:
    packed = data.with_name("visits.v1 new.csv.gz")
    packed.write_bytes(gzip.compress(data.read_bytes()))
    target, documents, _ = proposed(packed, "--name", "visits")
    spec = documents["Dataset"]["spec"]
    assert spec["format"] == "CSV"
    assert spec["location"]["volume"]["path"] == "raw/visits.csv.gz.lwe1"
    shown = leeward("mask", "preview", str(packed), "-f", str(target), "-o", "json", "--rows", "1")
    assert shown.exit_code == 0, shown.stderr
    parquet = leeward("mask", "init", str(data.with_name("visits.parquet.gz")))
    assert "unknown format" in parquet.stderr


def test_a_vault_that_is_there_is_not_written_again(data: Path) -> None:
    _, documents, _ = proposed(data, "--vault", "ward", "--name", "visits", "--claim", "disk")
    assert "KeyVault" not in documents
    spec = documents["MaskingJob"]["spec"]
    assert spec["output"]["sealedWith"]["vault"]["name"] == "ward"
    assert documents["Dataset"]["spec"]["location"]["volume"]["claimName"] == "disk"


@pytest.mark.parametrize(
    ("frame", "kinds"),
    [
        (pl.DataFrame({"x": [1e300, 2e300] * 60 + list(range(100))}), {"x": "keep"}),
        (pl.DataFrame({"x": [0.0000001 * n for n in range(200)]}), {"x": "topBottomCode"}),
        (pl.DataFrame({"x": [None] * 5}, schema={"x": pl.String}), {"x": "keep"}),
        (pl.DataFrame({"x": [["a"]] * 5, "y": [b"1"] * 5}), {"x[]": "keep", "y": "drop"}),
        (
            pl.DataFrame({"v": [[{"mail": f"a{n}@b.example", "zip": "10115"}] for n in range(40)]}),
            {"v[].mail": "redact", "v[].zip": "generalize"},
        ),
        (pl.DataFrame({"ip": [f"10.0.0.{n}" for n in range(90)]}), {"ip": "generalize"}),
    ],
    ids=["huge", "tiny", "empty", "lists", "structs", "addresses"],
)
def test_columns_of_all_kinds_give_valid_rules(
    tmp_path: Path, frame: pl.DataFrame, kinds: dict[str, str]
) -> None:
    path = tmp_path / "x.parquet"
    frame.write_parquet(path)
    target, documents, _ = proposed(path)
    rules = documents["MaskingJob"]["spec"]["columns"]
    assert {rule["name"]: next(k for k in rule if k != "name") for rule in rules} == kinds
    read_job_file(target)
    shown = leeward("mask", "preview", str(path), "-f", str(target), "-o", "json")
    assert shown.exit_code == 0, shown.stderr


@pytest.mark.parametrize(
    "name", ["name", "first_name", "patientName", "kin.name", "names[]", "Vorname", "姓名"]
)
@pytest.mark.parametrize(
    "values",
    [
        ["Søren van der Berg; jr", "Li O'Neil", 'Zoë Smith "Bud"'],
        ["Xq", "王小明", "Ada Lovelace, née Byron, of London"],
        ["x1", "x2", "x3"],
    ],
    ids=["rare", "mixed", "unlike names"],
)
def test_a_column_that_is_called_as_names_are_is_redacted(name: str, values: list[str]) -> None:
    (proposal,) = propose(profile(pl.DataFrame({name: values * 40})), "clinic").columns
    assert (proposal.tag, proposal.transform) == ("DirectIdentifier", "redact")


@pytest.mark.parametrize("name", ["ward_name", "brandname", "filename", "rename"])
def test_other_names_are_no_names_of_people(name: str) -> None:
    (proposal,) = propose(profile(pl.DataFrame({name: ["A", "B"] * 40})), "clinic").columns
    assert proposal.tag is None


@pytest.mark.parametrize(
    ("name", "distinct", "transform"),
    [
        ("insurance_no", 90, "tokenize"),
        ("deviceID", 90, "tokenize"),
        ("ward_id", 9, "keep"),
        ("icd_code", 90, "keep"),
        ("patientid", 90, "tokenize"),
        ("paid", 90, "keep"),
    ],
)
def test_numbers_of_people_that_rows_share_are_tokenized(
    name: str, distinct: int, transform: str
) -> None:
    values = [f"{n % distinct * 7919:07}" for n in range(3 * distinct)]
    (proposal,) = propose(profile(pl.DataFrame({name: values})), "clinic").columns
    assert proposal.transform == transform


ENGLISH = ["Patient Jane Roe was seen on the ward", "She says that it hurts a lot"]
CHINESE = ["患者王小明昨日入院治疗情况良好", "电话13800138000住北京市朝阳区"]


@pytest.mark.parametrize(
    ("notes", "languages"),
    [
        (ENGLISH, ["en"]),
        (CHINESE, ["zh"]),
        (ENGLISH + CHINESE, ["en", "zh"]),
        (["Прошу прощения за это всё", "Больно весь день и ночь"], ["en"]),
    ],
    ids=["English", "Chinese", "both", "neither"],
)
def test_languages_of_notes_are_those_that_occur(notes: list[str], languages: list[str]) -> None:
    (proposal,) = propose(profile(pl.DataFrame({"note": notes * 40})), "clinic").columns
    assert (proposal.transform, proposal.parameters) == ("freeText", {"languages": languages})


def cohort(rows: int, seed: int) -> pl.DataFrame:
    """A table as a hospital may have it; one person has two rows."""
    random = Random(seed)
    day = datetime.date(2026, 1, 1)
    return pl.DataFrame(
        {
            "patient_id": [f"P{n // 2:05}" for n in range(rows)],
            "name": [f"{random.choice(FIRST)} {random.choice(LAST)}; jr" for _ in range(rows)],
            "birth_date": [
                day - datetime.timedelta(days=random.randrange(7000, 33000)) for _ in range(rows)
            ],
            "age": [random.randrange(18, 95) for _ in range(rows)],
            "postcode": [f"{random.randrange(10000, 10400)}" for _ in range(rows)],
            "sex": [random.choice("fm") for _ in range(rows)],
            "income": [random.randrange(90_000) for _ in range(rows)],
            "weight": [round(random.gauss(75, 15), 2) for _ in range(rows)],
            "steps": [random.randrange(12_000) or None for _ in range(rows)],
            "account": [str(random.randrange(10**10)) for _ in range(rows)],
            "seen_at": [
                datetime.datetime(2026, 3, 1) + datetime.timedelta(seconds=random.randrange(9**7))
                for _ in range(rows)
            ],
            "note": [
                f"{random.choice(ENGLISH + CHINESE)} on day {random.randrange(9**5)}"
                for _ in range(rows)
            ],
            "diagnosis": [f"J{random.randrange(9)}" for _ in range(rows)],
        }
    )


@pytest.mark.parametrize(
    ("rows", "seed", "without"),
    [
        (7, 1, ()),
        (60, 2, ("patient_id",)),
        (150, 3, ()),
        (400, 4, ("patient_id",)),
        (900, 5, ("sex", "age", "postcode")),
    ],
)
def test_what_init_proposes_passes_check_or_says_why_not(
    tmp_path: Path, rows: int, seed: int, without: tuple[str, ...]
) -> None:
    data = tmp_path / "cohort.csv"
    cohort(rows, seed).drop(without).write_csv(data)
    target, _, text = proposed(data)
    shown = leeward("mask", "check", str(data), "-f", str(target), "-o", "json")
    assert shown.exit_code == 0, shown.stderr
    columns = json.loads(shown.stdout)["columns"]
    why = {one["name"]: one["reason"] for one in columns if one["verdict"] == "identifying"}
    assert rows < 100 or not why
    rules = [line for line in text.partition("kind: MaskingJob")[2].splitlines() if "name:" in line]
    for name, reason in why.items():
        (line,) = (line for line in rules if f"{{name: {name}," in line)
        assert f"mask check finds all the same: {reason}" in line
    assert text.count("mask check finds all the same") == 2 * len(why)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("visits.txt", (), "unknown format"),
        ("visits.csv", ("--name", "Visits!"), "cannot be the name"),
    ],
)
def test_what_cannot_be_proposed_is_told(
    tmp_path: Path, name: str, args: tuple[str, ...], words: str
) -> None:
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    result = leeward("mask", "init", str(path), *args)
    assert result.exit_code == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    ("codec", "separator", "args", "options"),
    [
        (
            "cp1252",
            ";",
            ("--encoding", "windows-1252"),
            {"delimiter": ";", "encoding": "Windows-1252"},
        ),
        ("gb18030", ",", ("--encoding", "GB18030"), {"encoding": "GB18030"}),
        ("utf-16", "\t", (), {"delimiter": "\t", "encoding": "UTF-16"}),
        ("utf-8", "~", ("--delimiter", "~"), {"delimiter": "~"}),
        ("utf-8", "\t", ("--delimiter", r"\t"), {"delimiter": "\t"}),
        ("utf-8", ",", ("--delimiter", ",", "--encoding", "utf-8"), None),
    ],
)
def test_a_file_that_is_written_otherwise_is_read_as_it_is(
    tmp_path: Path,
    codec: str,
    separator: str,
    args: tuple[str, ...],
    options: dict[str, str] | None,
) -> None:
    data = tmp_path / "visits.csv"
    rows = [("name", "ward"), *[("Zo\u00e9", "A")] * 9]
    data.write_bytes("".join(f"{separator.join(row)}\n" for row in rows).encode(codec))
    target, documents, _ = proposed(data, *args)
    assert documents["Dataset"]["spec"].get("csv") == options
    assert [rule["name"] for rule in documents["MaskingJob"]["spec"]["columns"]] == ["name", "ward"]
    assert leeward("mask", "check", str(data), *args).exit_code == 0
    assert leeward("mask", "check", str(data), "-f", str(target)).exit_code == 0


@pytest.mark.parametrize(
    ("content", "args", "words"),
    [
        (b"name\nZo\xe9\n", (), "say with --encoding what it is (UTF-8, Latin-1, Windows-1252"),
        (b"name;ward\nA;B\n", ("--delimiter", ","), 'say --delimiter ";"'),
        (b"name\n", ("--encoding", "EBCDIC"), "use one of UTF-8, Latin-1"),
        (b"name\n", ("--delimiter", ";;"), "use one ASCII character"),
        (b'name\n"A\n', (), "say --delimiter or --encoding"),
    ],
)
def test_a_file_that_is_not_written_so_has_a_remedy(
    tmp_path: Path, content: bytes, args: tuple[str, ...], words: str
) -> None:
    data = tmp_path / "visits.csv"
    data.write_bytes(content)
    result = leeward("mask", "init", str(data), *args)
    assert result.exit_code != 0
    assert words in " ".join(result.stderr.split())


def test_how_csv_is_written_is_not_said_of_other_files(tmp_path: Path) -> None:
    data = tmp_path / "visits.jsonl"
    data.write_text('{"a": 1}\n')
    result = leeward("mask", "check", str(data), "--encoding", "UTF-8")
    assert result.exit_code == 2
    assert "are for CSV" in result.stderr


def test_too_many_columns_for_one_job_are_refused_politely(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{n}" for n in range(201)) + "\n" + "1," * 200 + "1\n")
    result = leeward("mask", "init", str(path))
    assert result.exit_code == 1
    assert "201 columns" in result.stderr
    assert "match" in result.stderr


# --- check --------------------------------------------------------------------------------------


def test_check_names_what_is_still_identifying(data: Path) -> None:
    result = leeward("mask", "check", str(data), "-o", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    verdicts = {column["name"]: column["verdict"] for column in found["columns"]}
    for name in ("name", "mail", "phone", "note: #1", "ref"):
        assert verdicts[name] == "identifying"
    assert verdicts["sex"] is None
    assert verdicts["diagnosis"] is None
    assert found["combinations"][0]["smallest"] == 1
    assert "no detection is complete" in result.stderr
    assert "planted" not in result.stdout.lower()


def test_check_names_a_language_that_a_rule_does_not_search(tmp_path: Path) -> None:
    data = tmp_path / "notes.jsonl"
    pl.DataFrame({"visits": [ENGLISH * 9, CHINESE] * 20}).write_ndjson(data)
    target, _, text = proposed(data)
    english = tmp_path / "english.yaml"
    english.write_text(text.replace("[en, zh]", "[en]"))
    assert leeward("mask", "check", str(data), "-f", str(target), "--exit-code").exit_code == 0
    result = leeward("mask", "check", str(data), "-f", str(english), "--exit-code")
    assert result.exit_code == 1
    assert "holds notes in zh, which freeText does not search" in result.stdout


def test_check_fails_where_it_is_told_to(data: Path, tmp_path: Path) -> None:
    assert leeward("mask", "check", str(data), "--exit-code").exit_code == 1
    harmless = tmp_path / "ward.csv"
    PEOPLE.select("sex", "diagnosis").write_csv(harmless)
    assert leeward("mask", "check", str(harmless), "--exit-code").exit_code == 0
    missing = leeward("mask", "check", "dataset/visits")
    assert missing.exit_code == 2
    assert "--purpose" in missing.stderr
