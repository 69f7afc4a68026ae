"""``leeward doctor``: gather, judge, print."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from leeward.cli.doctor.checks import judge
from leeward.cli.doctor.facts import gather
from leeward.cli.doctor.finding import Finding, Level
from leeward.cli.errors import CliError
from leeward.cli.options import RowsFormat
from leeward.cli.output import print_json
from leeward.cli.port import Cluster
from leeward.cli.session import Session

_STYLES: Final = {
    Level.OK: "green",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
    Level.HIDDEN: "dim",
}


def examine(
    session: Session, cluster: Cluster, operator_namespace: str, output: RowsFormat
) -> None:
    """Print what was found, and what to do.

    Raises:
        CliError: There is a problem, or the API server does not answer.
    """
    facts = gather(session, cluster, operator_namespace)
    findings = judge(facts)
    if output is RowsFormat.JSON:
        print_json(session.out, [_document(finding) for finding in findings])
    else:
        session.out.print(f"Kubernetes {facts.kubernetes} at {cluster.address}")
        for finding in findings:
            _show(session, finding)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if problems:
        what = "problem was" if problems == 1 else "problems were"
        raise CliError(f"{problems} {what} found")


def _show(session: Session, finding: Finding) -> None:
    line = Text.assemble((f"{finding.level.value:<12}", _STYLES[finding.level]))
    line.append(f"{finding.subject:<17} ", style="bold").append(finding.message)
    session.out.print(line)
    if finding.remedy:
        session.out.print(Text(f"{'':<30}{finding.remedy}", style="dim"))


def _document(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level.value,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
    }
