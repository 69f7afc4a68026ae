"""The large report: what it says, and what it must not."""

import errno
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leeward.formats.jobconfig import CleanConfig, MaskingConfig, OutputFile, ReportFile, RuleConfig
from leeward.formats.report import (
    REPORT_HTML,
    REPORT_JSON,
    Distribution,
    LargeReport,
    ReportSection,
    ReportSubject,
    ReportTable,
    report_path,
)
from leeward.formats.result import Result
from leeward.formats.sealed import digest_file, open_reader
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.report.distributions import scale_of, spread
from leeward_masking.report.page import page
from leeward_masking.report.stats import ReportBuilder
from leeward_masking.report.stored import stored_report
from leeward_masking.rules.plan import compile_plan
from leeward_masking.storage.volume import VolumeStorage
from leeward_masking.tasks.cleaning import clean
from leeward_masking.workers.worker import Worker
from unit.masking.support import MATERIAL, OUTPUT_KEY, SOURCE_KEY, Volume, keep, rule

ABOUT = ReportSubject(job="nightly", source="people", output="people-masked")
COUNT = 400
FRAME = pl.DataFrame(
    {
        "patient": [f"PLANTED-P{number % 100}" for number in range(COUNT)],
        "name": [f"PLANTED-N{number}" for number in range(COUNT)],
        "city": ["PLANTED-Rare" if number == 7 else "Bern" for number in range(COUNT)],
        "income": [number * 100 for number in range(COUNT)],
        "born": pl.Series(range(0, COUNT * 30, 30), dtype=pl.Int32).cast(pl.Date),
        "mail": [f"PLANTED-{number}@clinic.example" for number in range(COUNT)],
        "tags": [["PLANTED"]] * COUNT,
    }
)
RULES = [
    rule("patient", "tokenize", key="AES256_SIV"),
    rule("name", "partialMask", {"keepFirst": 1}),
    rule("income", "generalize", {"bins": ["0", "20000"]}),
    keep("city", "born", "mail", "tags"),
]


def run(config: MaskingConfig, volume: Volume) -> Result:
    keys = (None, lambda role: MATERIAL, OUTPUT_KEY)
    if config.workers is None:
        return mask_file(config, *keys, volume.progress)
    return Worker(config, *keys, bytes(32), 0, volume.progress, min_shard=1 << 10).run()


def masked(
    volume: Volume,
    frame: pl.DataFrame = FRAME,
    withheld: tuple[str, ...] = (),
    rules: Sequence[RuleConfig] = RULES,
    tagged: Mapping[str, object] | None = None,
    workers: int | None = None,
) -> Path:
    path = report_path(str(volume.output))
    config = MaskingConfig(
        source=volume.source(volume.write_frame(frame, rows=37), frame.schema),
        rules=list(rules),
        output=OutputFile(
            path=str(volume.output),
            format="Parquet",
            report=ReportFile.model_validate(
                {"path": path, "about": ABOUT, "withheld": list(withheld), **(tagged or {})}
            ),
        ),
        workers=workers,
    )
    result = run(config, volume)
    assert result.report_file is not None
    assert result.report_file.key_ids == [OUTPUT_KEY.key_id.hex()]
    return Path(path)


def opened(path: Path) -> tuple[LargeReport, str]:
    with open_reader(path, [OUTPUT_KEY]) as reader:
        file = zipfile.ZipFile(io.BytesIO(reader.read()))
    return LargeReport.parse(file.read(REPORT_JSON)), file.read(REPORT_HTML).decode()


@pytest.mark.parametrize("workers", [None, 2], ids=["alone", "several"])
@pytest.mark.parametrize("fault", ["full", "taken"])
def test_no_report_is_left_of_an_output_that_gets_no_name(
    volume: Volume, monkeypatch: pytest.MonkeyPatch, fault: str, workers: int | None
) -> None:
    written = report_path(str(volume.output))
    whole = os.replace

    def fail(source: str, target: str) -> None:
        if str(target) == str(volume.output):
            assert Path(written).exists()
            if fault == "full":
                raise OSError(errno.ENOSPC, "")
            volume.output.mkdir()
        whole(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(JobError) as caught:
        masked(volume, workers=workers)
    assert caught.value.code == {"full": "VolumeFull", "taken": "OutputPathTaken"}[fault]
    assert not Path(written).exists()


def test_the_report_says_what_was_done_and_no_value_of_few(volume: Volume) -> None:
    report, told = opened(masked(volume))
    columns = {column.counts.name: column for column in report.columns}
    assert (report.rows_before, report.rows_after, report.sampled) == (COUNT, COUNT, COUNT)
    assert columns["patient"].withheld
    assert columns["patient"].before == columns["patient"].after
    pooled = Distribution(kind="Values", bars=[], other_values=2, other_rows=COUNT)
    assert columns["city"].after == pooled
    income = columns["income"]
    assert income.after is not None
    assert {bar.label: bar.rows for bar in income.after.bars} == {
        "[0, 20000)": 200,
        ">=20000": 200,
    }
    assert income.utility is not None
    assert float(income.utility.loss) == pytest.approx(1 - 1 / np.log2(COUNT), abs=0.001)
    mail = columns["mail"].identifying
    assert mail is not None
    assert (mail.detected, mail.unique) == ("Mail", "1.000")
    assert columns["tags[]"].before is None
    assert "PLANTED" not in told + report.model_dump_json()


@pytest.mark.parametrize("in_list", [False, True])
@pytest.mark.parametrize(
    ("languages", "missed"), [(["en"], ["zh"]), (["zh"], ["en"]), (["en", "zh"], [])]
)
def test_a_language_of_notes_that_was_not_searched_is_named(
    volume: Volume, languages: list[str], missed: list[str], in_list: bool
) -> None:
    notes = pl.Series("note", ["Jane Roe said that it hurts", "患者王小明昨日入院"] * 40)
    frame = pl.DataFrame([notes.reshape((40, 2)).arr.to_list() if in_list else notes])
    report, told = opened(
        masked(
            volume,
            frame,
            rules=[rule("note[]" if in_list else "note", "freeText", {"languages": languages})],
        )
    )
    (column,) = report.columns
    assert (column.counts.not_searched or []) == missed
    assert ("were not searched" in told) == bool(missed)


def test_values_of_a_column_that_names_people_are_not_shown(volume: Volume) -> None:
    shown, _ = opened(masked(volume))
    hidden, _ = opened(masked(volume, withheld=("born",)))
    kinds = [
        column.before.kind
        for report in (shown, hidden)
        for column in report.columns
        if column.counts.name == "born" and column.before is not None
    ]
    assert kinds == ["Dates", "Frequencies"]


def test_of_a_rule_for_some_rows_no_value_is_shown(volume: Volume) -> None:
    given = rule("city", "redact").model_dump(mode="json", by_alias=True, exclude_none=True)
    when = {"column": "income", "lessThan": "1000"}
    given["rule"] |= {"when": when, "otherwise": {"keep": {}}}
    rules = [RuleConfig.model_validate(given), keep("mail", "income")]
    report, told = opened(masked(volume, rules=rules))
    columns = {column.counts.name: column for column in report.columns}
    city = columns["city"]
    assert city.counts.applied == 10
    assert city.after is not None
    assert (city.after.kind, city.after.missing) == ("Frequencies", 10)
    assert "Bern" not in told


def test_neither_output_nor_report_stands_alone(volume: Volume) -> None:
    broken = FRAME.with_columns(income=pl.lit("none"))
    with pytest.raises(JobError):
        masked(volume, broken)
    assert volume.nothing_written()
    masked(volume)
    assert len(list(volume.output.parent.iterdir())) == 2
    clean(CleanConfig(path=str(volume.output)))
    assert volume.nothing_written()


def test_where_the_report_cannot_be_written_there_is_no_output(volume: Volume) -> None:
    Path(report_path(str(volume.output))).mkdir(parents=True)
    with pytest.raises(JobError):
        masked(volume)
    assert [path.name for path in volume.output.parent.iterdir()] == [
        Path(report_path(str(volume.output))).name
    ]


def test_a_stored_report_is_the_one_that_the_status_names(volume: Volume) -> None:
    path = masked(volume).resolve()
    with pytest.raises(JobError) as caught:
        stored_report(VolumeStorage(), str(path), "sha256:" + "0" * 64, [OUTPUT_KEY], "")
    assert caught.value.code == "SourceChanged"
    document = stored_report(
        VolumeStorage(), str(path), f"sha256:{digest_file(path).hex()}", [OUTPUT_KEY], "read it"
    )
    assert json.loads(document)["receipt"] == "read it"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("gone", "FileMissing"),
        ("empty", "FileEmpty"),
        ("other key", "SealedWithOtherKey"),
        ("damaged", "Tampered"),
        ("plain", "NotSealed"),
    ],
)
def test_what_is_wrong_with_a_stored_report_is_said_of_the_report(
    volume: Volume, fault: str, code: str
) -> None:
    path = masked(volume).resolve()
    digest = f"sha256:{digest_file(path).hex()}"
    keys = [SOURCE_KEY if fault == "other key" else OUTPUT_KEY]
    match fault:
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "damaged":
            path.write_bytes(path.read_bytes()[:-5] + b"xxxxx")
        case "plain":
            path.write_bytes(b"PK" * 20)
    with pytest.raises(JobError) as caught:
        stored_report(VolumeStorage(), str(path), digest, keys, "")
    assert caught.value.code == code
    assert "the report" in caught.value.message
    assert "Dataset" not in caught.value.message + caught.value.remedy
    assert "the data itself is not affected" in caught.value.remedy


def figures(section: ReportSection) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in section.tables[0].rows}


def test_tagged_columns_are_counted_as_classes_before_and_after(volume: Volume) -> None:
    tagged: dict[str, object] = {
        "quasiIdentifiers": ["income", "patient", "nowhere"],
        "subject": "patient",
    }
    report, told = opened(masked(volume, tagged=tagged))
    section = report.sections[0]
    assert section.name == "QuasiIdentifiers"
    # Before: 400 incomes and 100 patients; after: two intervals, of 100 patients each.
    assert figures(section)["Classes"] == ["400", "2"]
    assert figures(section)["Smallest class"] == ["1", "100"]
    assert figures(section)["Prosecutor's risk, highest"] == ["1.000000", "0.010000"]
    assert any("nobody can look for their values there: patient" in note for note in section.notes)
    assert "Linkage attack" in told


def test_classes_of_parts_are_those_of_the_whole() -> None:
    plan = compile_plan([keep("city"), rule("income", "redact")], FRAME.schema, lambda role: b"")
    order = ReportFile(path="r", about=ABOUT, quasi_identifiers=["city", "income"])

    def counted(rows: pl.DataFrame) -> ReportBuilder:
        report = ReportBuilder(plan, FRAME.schema, order=order)
        report.add(rows, plan.mask(rows))
        return report

    merged = ReportBuilder(plan, FRAME.schema, order=order)
    for part in (FRAME[:150], FRAME[150:]):
        merged.merge(counted(part).tables())
    assert merged.sections() == counted(FRAME).sections()
    assert figures(merged.sections()[0])["Classes"] == ["400", "2"]


def test_languages_that_parts_have_seen_are_added_up() -> None:
    def counted(*notes: str) -> ReportBuilder:
        frame = pl.DataFrame({"note": notes})
        plan = compile_plan(
            [rule("note", "freeText", {"languages": ["en"]})], frame.schema, lambda _: b""
        )
        report = ReportBuilder(plan, frame.schema)
        report.add(frame, plan.mask(frame))
        return report

    english, chinese = counted(*["it hurts a lot"] * 98), counted("患者昨日入院")
    assert english.report(1.0).columns[0].not_searched is None
    english.merge(chinese.tables())
    assert english.report(1.0).columns[0].not_searched == ["zh"]
    english.merge(counted(*["it hurts a lot"] * 2).tables())
    assert english.report(1.0).columns[0].not_searched is None


class _Page(HTMLParser):
    """Counts tags, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "rect"):
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "style")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_begins_with_what_stands_out(volume: Volume) -> None:
    report, told = opened(masked(volume))
    place = [column.counts.name for column in report.columns].index("mail")
    _, _, found = told.partition("<h2>What stands out</h2>")
    warnings, _, rest = found.partition("<h2>")
    assert f'<a href="#c{place}">mail</a>: In the output, a share of 1.000' in warnings
    assert rest.startswith("All columns")
    harmless = [column for column in report.columns if column.counts.name == "patient"]
    assert "What stands out" not in page(report.model_copy(update={"columns": harmless}))


def test_the_page_stands_by_itself_and_obeys_no_name(volume: Volume) -> None:
    evil = "<script>alert(1)</script>"
    frame = FRAME.with_columns(pl.col("born").alias(evil), pl.col("city").alias("a&b"))
    report, _ = opened(masked(volume))
    renamed = [
        column.model_copy(update={"counts": column.counts.model_copy(update={"name": evil})})
        for column in report.columns
    ]
    section = ReportSection(
        name="Privacy",
        title="Classes <b>",
        notes=["k = 5"],
        tables=[ReportTable(caption="c", header=["h"], rows=[["<i>"]])],
        charts=[spread(frame["born"], scale_of([frame["born"]]))],
    )
    text = page(report.model_copy(update={"columns": renamed, "sections": [section]}))
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    assert not {"script", "link", "img", "iframe", "b", "i"} & set(parser.tags)
    assert all(link.startswith("#") for link in parser.links)
    assert "default-src 'none'" in text
    assert "k = 5" in text
    assert 'role="img"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
