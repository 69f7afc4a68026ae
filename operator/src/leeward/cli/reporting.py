"""``leeward report``: what masking did to a Dataset, and what it left."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich import box
from rich.table import Table
from rich.text import Text

from leeward.api.dataset import DATASET
from leeward.api.maskingjob import MASKINGJOB
from leeward.cli.errors import CliError
from leeward.cli.kinds import parse_reference, resource_of
from leeward.cli.localfiles import check_target, into_new_file, writing_to
from leeward.cli.options import RowsFormat
from leeward.cli.output import counted, print_json, print_plainly, print_raw, printable
from leeward.cli.port import Cluster
from leeward.cli.previewing import PreviewRequest, fetch_document
from leeward.cli.session import Session
from leeward.formats.document import UnsupportedFormatVersionError
from leeward.formats.report import ColumnDetail, LargeReport, ReportTable

Browse = Callable[[str], bool]
_HEADER: Final = ("Column", "Transform", "Changed", "Distinct", "Loss", "Alone", "Looks like")


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """Which report, what for, and where it goes.

    Attributes:
        name: Of the masked Dataset or of the MaskingJob; or KIND/NAME.
        page: File for the HTML page.
        show: Whether a browser is to show the page.
        timeout: Seconds until it must have come.
    """

    namespace: str
    name: str
    purpose: str
    timeout: float
    page: Path | None = None
    show: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The opened report: as it came, as it is read, and the page."""

    document: dict[str, Any]
    parsed: LargeReport
    page: str


def show_report(
    session: Session,
    cluster: Cluster,
    request: ReportRequest,
    output: RowsFormat,
    browse: Browse = webbrowser.open,
) -> None:
    """Fetch the report, write or show its page, and print a summary.

    Raises:
        CliError: There is none, or it is refused; the message has reason and remedy.
    """
    if request.page is not None:
        check_target(request.page, force=request.force)
    report = fetch_report(session, cluster, request)
    if output is RowsFormat.JSON:
        print_json(session.out, report.document)
    else:
        print_summary(session, report.parsed)
    if request.page is not None:
        _write(session, request.page, report.page)
        session.err.print(f"wrote {request.page}")
    if request.show:
        _show(session, request.page, report.page, browse)


def fetch_report(session: Session, cluster: Cluster, request: ReportRequest) -> Report:
    """The report of a Dataset, opened in the memory of this process.

    Raises:
        CliError: See ``show_report``.
    """
    asked = PreviewRequest(
        request.namespace,
        _dataset(cluster, request.namespace, request.name),
        request.purpose,
        0,
        request.timeout,
        "Report",
    )
    document = fetch_document(session, cluster, asked)
    try:
        parsed = LargeReport.of_json(document["report"])
        return Report(document["report"], parsed, str(document["html"]))
    except (KeyError, ValidationError, UnsupportedFormatVersionError) as error:
        raise CliError(
            "the report is of a form that this leeward does not read",
            "use the leeward of the release that made it",
        ) from error


def print_summary(session: Session, report: LargeReport) -> None:
    """What was done per column, and what stands out."""
    about = report.about
    gone = report.rows_before - report.rows_after
    left_out = f", {counted(gone, 'row')} left out" if gone else ""
    print_raw(
        session.out,
        f"Dataset {about.output}: {counted(report.rows_after, 'row')} from {about.source} by"
        f" MaskingJob {about.job}{left_out}; looked at {counted(report.sampled, 'row')}",
    )
    table = Table(box=box.SIMPLE_HEAD if session.out.is_terminal else None, pad_edge=False)
    for name in _HEADER:
        table.add_column(name.lower(), overflow="fold")
    for column in report.columns:
        table.add_row(*_cells(column))
    print_plainly(session.out, table)
    for one in report.combinations[:3]:
        print_raw(
            session.out,
            f"together: {printable(', '.join(one.columns))}: smallest class"
            f" {counted(one.smallest, 'row')}, alone {one.unique}",
        )
    for section in report.sections:
        print_raw(session.out, section.title)
        for note in section.notes:
            print_raw(session.out, f"  {note}")
        for part in section.tables:
            _print_part(session, part)
    for note in _notes(report.columns):
        print_raw(session.out, printable(note))


def _dataset(cluster: Cluster, namespace: str, name: str) -> str:
    """The Dataset that is meant: itself, or what a MaskingJob made."""
    kind = None
    if "/" in name:
        kind, name = parse_reference(name)
    if kind not in (None, DATASET, MASKINGJOB):
        raise CliError(
            f"a {kind.kind} has no report", "name a masked Dataset, or the MaskingJob that made it"
        )
    if kind is not MASKINGJOB and cluster.find(resource_of(DATASET), namespace, name) is not None:
        return name
    job = None if kind is DATASET else cluster.find(resource_of(MASKINGJOB), namespace, name)
    if job is None:
        raise CliError(
            f"there is no Dataset and no MaskingJob {name} in namespace {namespace}",
            "see: leeward get dataset; a report is that of a masked Dataset",
        )
    return str(job["spec"]["output"]["dataset"])


def _cells(column: ColumnDetail) -> list[Text]:
    counts, identifying = column.counts, column.identifying
    distinct = [
        "-" if count is None else f"{count:,}"
        for count in (counts.distinct_before, counts.distinct_after)
    ]
    found = identifying.detected if identifying is not None else None
    return [
        Text(printable(counts.name), "bold"),
        Text(counts.transform, "cyan"),
        Text(f"{counts.changed:,}"),
        Text(" > ".join(distinct)),
        Text(column.utility.loss if column.utility is not None else ""),
        Text(identifying.unique if identifying is not None else ""),
        Text(found or "", "bold yellow"),
    ]


def _notes(columns: list[ColumnDetail]) -> Iterator[str]:
    for column in columns:
        name = column.counts.name
        if column.outliers is not None:
            rows = counted(column.outliers.rows, "row")
            yield f"{name}: {rows} far from all others: {column.outliers.remedy}"
        if column.identifying is not None and column.identifying.detected is not None:
            share = f"{float(column.identifying.detected_share or 0):.0%}"
            kind = column.identifying.detected
            yield f"{name}: {share} of its values still look like {kind}: mask or drop it"
        if column.counts.not_searched:
            languages = ", ".join(column.counts.not_searched)
            yield f"{name}: notes in {languages} were not searched: add it to freeText.languages"


def _print_part(session: Session, part: ReportTable) -> None:
    table = Table(box=None, pad_edge=False, title=part.caption, title_justify="left")
    for name in part.header:
        table.add_column(name)
    for row in part.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    print_plainly(session.out, table)


def _write(session: Session, target: Path, page: str) -> None:
    with writing_to(target):
        into_new_file(session, target, lambda file: file.write(page.encode()))


def _show(session: Session, written: Path | None, page: str, browse: Browse) -> None:
    """Have a browser show the page; a file of ours alone, where none was asked for."""
    target = written
    if target is None:
        target = Path(tempfile.mkdtemp(prefix="leeward-")) / "report.html"
        _write(session, target, page)
        session.err.print(f"the page is {target}: remove it when you have seen it")
    if not browse(target.resolve().as_uri()):
        raise CliError(f"no browser could be started for {target}", "open the file in one")
