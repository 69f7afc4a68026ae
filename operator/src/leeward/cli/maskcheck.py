"""``leeward mask check``: which columns can still tell who somebody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from leeward.cli.errors import CliError
from leeward.cli.jobfile import JobFile
from leeward.cli.maskpreview import EXTRA_REMEDY
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted, print_json, print_plainly, print_raw, printable
from leeward.cli.port import Cluster
from leeward.cli.reporting import ReportRequest, fetch_report
from leeward.cli.session import Session
from leeward.formats.report import ColumnDetail, Combination, LargeReport

if TYPE_CHECKING:
    from leeward.api.csvoptions import CsvOptions
    from leeward.cli.maskprofile import FileProfile

IDENTIFYING: Final = "identifying"
TELLING: Final = "telling"
_STYLES: Final = {IDENTIFYING: "bold red", TELLING: "yellow"}
_MOST: Final = 0.5
"""Share of rows alone with their value from which on a column tells rows apart by itself."""
_SOME: Final = 0.01
_HARMLESS: Final = frozenset({"hash", "tokenize", "encrypt", "formatPreserving", "fake"})
_OTHER_VALUES: Final = frozenset({"dateShift", "noise", "shuffle", "randomMask"})
"""Transforms behind which the value that somebody knows does not lead to the row."""
_CAVEAT: Final = (
    "no detection is complete, and nobody knows here what others know: that nothing is found proves"
    " nothing"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One column.

    Attributes:
        verdict: ``IDENTIFYING``, ``TELLING`` or nothing.
        unique: Share of rows whose value no other row has.
        reason: Why; empty where there is no verdict.
    """

    column: str
    verdict: str
    unique: float
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        rows: That were looked at.
        combinations: Columns that leave most rows alone, of those that tell rows apart together.
    """

    rows: int
    findings: tuple[Finding, ...]
    combinations: tuple[Combination, ...]

    @property
    def identifying(self) -> list[str]:
        """Names of the columns that are."""
        return [one.column for one in self.findings if one.verdict == IDENTIFYING]


def check_file(data: Path, csv: CsvOptions | None = None) -> Checked:
    """Check a file on this machine.

    Raises:
        CliError: It cannot be read.
    """
    try:
        from leeward.cli.maskprofile import profile_file
    except ImportError as error:
        raise CliError(
            f"the masking engine is not installed ({error.name})", EXTRA_REMEDY
        ) from error
    return of_file(profile_file(data, csv))


def check_job(session: Session, job: JobFile, data: Path) -> Checked:
    """Check what a MaskingJob would leave of a file on this machine.

    Raises:
        CliError: The file cannot be read, or the rules do not fit it.
    """
    try:
        from leeward.cli.maskprofile import ROWS
        from leeward.cli.maskrows import report_on_rows
    except ImportError as error:
        raise CliError(
            f"the masking engine is not installed ({error.name})", EXTRA_REMEDY
        ) from error
    return of_report(report_on_rows(job, data, ROWS, session.random))


def check_dataset(session: Session, cluster: Cluster, request: ReportRequest) -> Checked:
    """Check a masked Dataset by the report that it carries.

    Raises:
        CliError: It has none, or it is refused.
    """
    return of_report(fetch_report(session, cluster, request).parsed)


def of_file(profile: FileProfile) -> Checked:
    """What the profile of a file says."""
    findings = []
    for column in profile.columns:
        seen = column.looks
        text = seen is not None and seen.entity == "FreeText"
        entity = None if seen is None else (seen.within if text else seen.entity)
        share = seen.share if seen is not None else 0.0
        findings.append(
            _finding(column.name, column.unique, entity, share, measured=_is_measure(column.type))
        )
    return Checked(profile.rows, tuple(findings), tuple(profile.combinations))


def of_report(report: LargeReport) -> Checked:
    """What the report of a masked Dataset says."""
    findings = [_of_column(column) for column in report.columns]
    found = tuple(one for one in findings if one is not None)
    return Checked(report.sampled, found, tuple(report.combinations))


def _of_column(column: ColumnDetail) -> Finding | None:
    """What the report says of one column; None: there are no values of it."""
    counts, found = column.counts, column.identifying
    name, unique = counts.name, float(found.unique) if found is not None else 0.0
    if counts.not_searched:
        languages = ", ".join(counts.not_searched)
        told = f"holds notes in {languages}, which freeText does not search: add it to languages"
        return Finding(name, IDENTIFYING, unique, told)
    if found is None:
        return None
    share = float(found.detected_share or 0)
    everywhere = counts.applied is None
    if everywhere and counts.transform in _HARMLESS:
        return Finding(name, "", unique, f"pseudonyms ({counts.transform})")
    if everywhere and counts.transform == "freeText" and share < _SOME:
        return Finding(name, TELLING, unique, "notes: what was not found in them is still there")
    measured = _is_measure(counts.type_after or "")
    measured = measured or (everywhere and counts.transform in _OTHER_VALUES)
    return _finding(name, unique, found.detected, share, measured=measured)


def print_checked(session: Session, checked: Checked, output: RowsFormat) -> None:
    """Print what was found, the worst first."""
    order = (IDENTIFYING, TELLING, "")
    session.err.print(f"{counted(checked.rows, 'row')} looked at; {_CAVEAT}", markup=False)
    findings = sorted(checked.findings, key=lambda one: order.index(one.verdict))
    if output is RowsFormat.JSON:
        print_json(session.out, _document(checked, findings))
        return
    table = Table(box=box.SIMPLE_HEAD if session.out.is_terminal else None, pad_edge=False)
    for name in ("column", "verdict", "alone", "why"):
        table.add_column(name, overflow="fold")
    for one in findings:
        style = _STYLES.get(one.verdict, "dim")
        verdict = Text(one.verdict or "-", style)
        column = Text(printable(one.column), "bold")
        table.add_row(column, verdict, f"{one.unique:.3f}", Text(one.reason))
    print_plainly(session.out, table)
    for group in checked.combinations:
        print_raw(
            session.out,
            f"together: {printable(', '.join(group.columns))}: smallest class"
            f" {counted(group.smallest, 'row')}, alone {group.unique}",
        )


def _document(checked: Checked, findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "rows": checked.rows,
        "columns": [
            {
                "name": one.column,
                "verdict": one.verdict or None,
                "alone": f"{one.unique:.3f}",
                "reason": one.reason or None,
            }
            for one in findings
        ],
        "combinations": [
            group.model_dump(mode="json", by_alias=True) for group in checked.combinations
        ],
    }


def _finding(
    name: str, unique: float, entity: str | None, share: float, *, measured: bool
) -> Finding:
    if entity is not None and entity != "Postcode":
        told = (
            f"{share:.0%} of its values look like {entity}" if share < 1 else f"looks like {entity}"
        )
        return Finding(name, IDENTIFYING, unique, told)
    if unique >= _MOST and not measured:
        return Finding(name, IDENTIFYING, unique, "most rows are alone with their value")
    if unique >= _MOST:
        return Finding(name, TELLING, unique, "who knows a value finds the row")
    if unique >= _SOME:
        return Finding(name, TELLING, unique, "some rows are alone with their value")
    return Finding(name, "", unique, "")


def _is_measure(kind: str) -> bool:
    return kind in ("Float", "Decimal")
