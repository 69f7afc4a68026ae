"""The large report: what it says, and what it must not."""

import datetime
import io
import json
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
    THRESHOLD,
    Distribution,
    LargeReport,
    ReportSection,
    ReportSubject,
    ReportTable,
    report_path,
)
from leeward.formats.sealed import digest_file, open_reader
from leeward_masking.cleaning import clean
from leeward_masking.engine import mask_file
from leeward_masking.errors import JobError
from leeward_masking.report.distributions import frequencies, scale_of, spread, summary
from leeward_masking.report.page import page
from leeward_masking.report.sample import PRIORITY, RowSample
from leeward_masking.report.stored import stored_report
from leeward_masking.report.utility import outliers, utility
from leeward_masking.rules import compile_plan
from leeward_masking.stats import ReportBuilder
from leeward_masking.volumestorage import VolumeStorage
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


def masked(
    volume: Volume,
    frame: pl.DataFrame = FRAME,
    withheld: tuple[str, ...] = (),
    rules: Sequence[RuleConfig] = RULES,
    tagged: Mapping[str, object] | None = None,
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
    )
    result = mask_file(config, None, lambda role: MATERIAL, OUTPUT_KEY, volume.progress)
    assert result.report_file is not None
    assert result.report_file.key_ids == [OUTPUT_KEY.key_id.hex()]
    return Path(path)


def opened(path: Path) -> tuple[LargeReport, str]:
    with open_reader(path, [OUTPUT_KEY]) as reader:
        file = zipfile.ZipFile(io.BytesIO(reader.read()))
    return LargeReport.parse(file.read(REPORT_JSON)), file.read(REPORT_HTML).decode()


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
    (section,) = report.sections
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


# --- distributions ------------------------------------------------------------------------------


def drawn(values: pl.Series) -> Distribution:
    return spread(values, scale_of([values]))


def test_small_counts_are_hidden_and_cannot_be_reckoned() -> None:
    numbers = pl.Series([*range(1000), *[5000] * 3])
    shown = drawn(numbers)
    few = [bar for bar in shown.bars if bar.rows is None]
    assert len(few) >= 2
    assert not any(bar.rows is not None and 0 < bar.rows < THRESHOLD for bar in shown.bars)
    values = pl.Series(["a"] * 50 + ["b"] * 20 + ["c"] * 2)
    pooled = drawn(values)
    assert [(bar.label, bar.rows) for bar in pooled.bars] == [("a", 50)]
    assert (pooled.other_values, pooled.other_rows) == (2, 22)


def test_where_a_scale_ends_does_not_tell_of_one_row() -> None:
    numbers = [float(number) for number in range(2000)]
    bars = [bar.label for bar in drawn(pl.Series(numbers)).bars]
    assert [bar.label for bar in drawn(pl.Series([*numbers, 987_654.321])).bars] == bars
    assert not any("987" in label for label in bars)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([], dtype=pl.Float64),
        pl.Series([None, None], dtype=pl.Int64),
        pl.Series([float("nan"), float("inf"), 1.0, None]),
        pl.Series([5] * 100),
        pl.Series([datetime.date(1, 1, 1), datetime.date(9999, 12, 31)] * 50),
        pl.Series([datetime.date(1, 1, 1) + datetime.timedelta(days=d * 3000) for d in range(900)]),
        pl.Series([2**63, 2**64 - 1] * 20, dtype=pl.UInt64),
        pl.Series([number * 1e300 for number in range(50)]),
        pl.Series([number * 1e-300 for number in range(50)]),
        pl.Series([True, False, None] * 9),
        pl.Series([""] * 20),
        pl.Series([datetime.time(9, 30)] * 20),
    ],
    ids=lambda values: f"{values.dtype}-{len(values)}",
)
def test_columns_of_every_kind_can_be_drawn(values: pl.Series) -> None:
    shown = drawn(values)
    total = sum(bar.rows or 0 for bar in shown.bars) + shown.other_rows + shown.missing
    assert total <= len(values)
    summary(values)
    outliers(values)
    assert 0 <= float(utility(values, values).loss) <= 1


def test_bars_of_dates_are_in_order_and_hold_all() -> None:
    days = pl.Series([datetime.date(2020, 1, 1) + datetime.timedelta(d) for d in range(500)])
    shown = drawn(days)
    assert shown.kind == "Dates"
    assert sum(bar.rows or 0 for bar in shown.bars) == 500
    assert shown.bars[1].label.startswith("2020-01")


def test_frequencies_tell_how_many_share_a_value() -> None:
    values = pl.Series(["a"] * 120 + ["b"] * 15 + ["c"] * 3 + ["d"] + [None] * 2)
    assert [bar.rows for bar in frequencies(values).bars] == [1, 3, 15, 120]
    assert frequencies(values).missing == 2


# --- utility ------------------------------------------------------------------------------------


def loss(before: pl.Series, after: pl.Series) -> float:
    return float(utility(before, after).loss)


def test_loss_is_none_for_kept_all_for_gone_and_between_for_coarser() -> None:
    wards = pl.Series(["a", "b", "c", "d"] * 50)
    assert loss(wards, wards) == 0
    assert loss(wards, pl.Series([None] * 200, dtype=pl.String)) == 1
    halves = wards.replace({"b": "a", "d": "c"})
    assert loss(wards, halves) == pytest.approx(0.5)
    shuffled = pl.Series(np.random.default_rng(1).permutation(wards.to_numpy()))
    assert loss(wards, shuffled) > 0.9
    numbers = pl.Series(np.random.default_rng(2).normal(size=2000))
    noisy = numbers + pl.Series(np.random.default_rng(3).normal(size=2000))
    assert 0.4 < loss(numbers, noisy) < 0.6


def test_outliers_that_are_left_are_counted() -> None:
    stays = pl.Series([*range(1, 101), 5000])
    found = outliers(stays)
    assert found is not None
    assert found.rows == 1
    assert "topBottomCode with top" in found.remedy
    assert "5000" not in found.model_dump_json()
    assert outliers(stays.clip(0, 100)) is None


# --- sample -------------------------------------------------------------------------------------


def sampled(count: int, limit: int, seed: int = 1, first: int = 0) -> RowSample:
    sample = RowSample({"n": True}, {"n": True}, seed, rows=limit)
    frame = pl.DataFrame({"n": pl.Series(range(first, first + count))})
    for block in frame.iter_slices(100):
        sample.add(block, block * 2, None)
    return sample


def test_a_sample_is_bounded_uniform_and_joined_by_row() -> None:
    tables = sampled(20_000, 500).tables()
    before, after = tables["before"], tables["after"]
    assert 1 < before.height <= 500
    joined = before.join(after, on=PRIORITY)
    assert joined.height == before.height
    assert (joined["n"] * 2 == joined["n_right"]).all()
    # Uniform: the mean of 500 of 20,000 is within five standard errors.
    assert abs(float(before["n"].mean()) - 10_000) < 5 * 5774 / 500**0.5  # type: ignore[arg-type]


def test_bytes_bound_a_sample_too() -> None:
    sample = RowSample({"t": True}, {"t": True}, 1, size=100_000)
    frame = pl.DataFrame({"t": ["x" * 180] * 1000})
    for _ in range(20):
        sample.add(frame, frame, None)
    assert sample.tables()["before"].estimated_size() <= 100_000


def test_samples_of_parts_make_the_sample_of_the_whole() -> None:
    merged = RowSample({"n": True}, {"n": True}, 9, rows=500)
    merged.merge([sampled(20_000, 500, 1).tables(), sampled(200, 500, 2, 20_000).tables()])
    whole = merged.tables()["before"]
    assert whole.height <= 500
    # 200 of 20,200 rows: they are no more likely to stay than the others.
    assert whole.filter(pl.col("n") >= 20_000).height < 25


def test_rows_that_are_left_out_do_not_part_the_others() -> None:
    sample = RowSample({"n": True}, {"n": False}, 1)
    frame = pl.DataFrame({"n": range(100)})
    stays = frame["n"] % 2 == 0
    sample.add(frame, frame.filter(stays), stays)
    tables = sample.tables()
    before, after = tables["before"], tables["after"]
    assert (before.height, after.height) == (100, 50)
    assert after["n"].dtype == pl.UInt64
    assert set(after.join(before, on=PRIORITY)["n_right"]) == set(range(0, 100, 2))
