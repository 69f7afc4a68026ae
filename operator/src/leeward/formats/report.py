"""The large report of a masking job: aggregates only, sealed beside the output.

The sealed file holds a ZIP archive (PKWARE APPNOTE 6.3) with ``REPORT_JSON``, which is this
document, and ``REPORT_HTML``, one page that needs nothing else. Decimals are strings.
"""

from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import Field

from leeward.formats.document import Document
from leeward.formats.result import ColumnReport

REPORT_JSON: Final = "report.json"
REPORT_HTML: Final = "report.html"
THRESHOLD: Final = 10
"""Rows that must share what a bar shows: fewer are neither counted nor named."""
_SEALED: Final = ".lwe1"
_SUFFIX: Final = ".report.lwe1"


def report_path(output: str) -> str:
    """Path of the report of an output: beside it, so that nobody has to remember another one."""
    path = PurePosixPath(output)
    return str(path.with_name(path.name.removesuffix(_SEALED) + _SUFFIX))


class Bar(Document):
    """One bar of a distribution.

    Attributes:
        rows: How many; left out where there are some, and fewer than ``THRESHOLD``.
    """

    label: str
    rows: int | None = None


class Distribution(Document):
    """How the values of a column are spread, in rows of the sample.

    Attributes:
        kind: Numbers and Dates: by intervals. Values: the most frequent ones. Frequencies: how
            many rows have a value that as many others have; no value is told.
        other_values: Values that no bar shows: too many, or in too few rows.
        other_rows: Rows with one of them.
        missing: Rows without a value.
    """

    kind: Literal["Numbers", "Dates", "Values", "Frequencies"]
    bars: list[Bar]
    other_values: int = 0
    other_rows: int = 0
    missing: int = 0


class Summary(Document):
    """Numbers of a column, rounded to three digits."""

    mean: str
    deviation: str
    low: str
    median: str
    high: str


class Outliers(Document):
    """Rows of the output far from all others: three interquartile ranges beyond the quartiles.

    Attributes:
        remedy: What to put into the rule.
    """

    rows: int
    share: str
    remedy: str


class Utility(Document):
    """What a reader of the output misses of a column; from 0 (nothing) to 1 (all).

    Attributes:
        loss: Share of what the column told that is gone.
        entropy_before, entropy_after: Bits that one value tells (Shannon 1948).
        distance: Between the two distributions: Kolmogorov-Smirnov of numbers and dates, total
            variation of values.
        correlation: Between the values of a row before and after (Pearson).
    """

    loss: str
    entropy_before: str
    entropy_after: str
    distance: str | None = None
    correlation: str | None = None


class Identifying(Document):
    """What of a column can still tell who somebody is.

    Attributes:
        unique: Share of rows whose value no other row has.
        detected: What its values look like, as Mail or Person.
        detected_share: Share of values that do.
    """

    unique: str
    detected: str | None = None
    detected_share: str | None = None


class Combination(Document):
    """Columns of the output that tell rows apart when they are known together.

    Attributes:
        smallest: Rows of the smallest class: its k.
        unique: Share of rows that are alone in theirs.
    """

    columns: list[str]
    smallest: int
    unique: str


class ColumnDetail(Document):
    """One column.

    Attributes:
        counts: As in the small report: of all rows.
        before, after: Distributions in the sample; left out where values are not shown.
        withheld: Why values are not shown.
    """

    counts: ColumnReport
    before: Distribution | None = None
    after: Distribution | None = None
    withheld: str | None = None
    summary_before: Summary | None = None
    summary_after: Summary | None = None
    outliers: Outliers | None = None
    utility: Utility | None = None
    identifying: Identifying | None = None


class ReportTable(Document):
    """A table of texts."""

    caption: str
    header: list[str]
    rows: list[list[str]]


class ReportSection(Document):
    """What another part of the engine has to say: privacy models, free text.

    Attributes:
        name: Stable, in CamelCase.
        notes: Sentences above the tables: what was done, what it does not protect from.
    """

    name: str
    title: str
    notes: list[str] = Field(default=[])
    tables: list[ReportTable] = Field(default=[])
    charts: list[Distribution] = Field(default=[])


class ReportSubject(Document):
    """What a report is about: names of resources."""

    job: str
    source: str
    output: str


class LargeReport(Document):
    """The whole report.

    Attributes:
        rows_before, rows_after: Of source and output.
        sampled: Rows that distributions, utility and risks are taken from; all, or a uniform
            sample of them.
        combinations: Those that tell most rows apart.
    """

    format_version: Literal[1] = 1
    about: ReportSubject
    rows_before: int
    rows_after: int
    sampled: int
    threshold: int = THRESHOLD
    columns: list[ColumnDetail]
    combinations: list[Combination] = Field(default=[])
    sections: list[ReportSection] = Field(default=[])
