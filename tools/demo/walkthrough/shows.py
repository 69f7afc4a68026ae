"""Tables of the demo: rows side by side, the report, metrics."""

import json
import re
import select
import subprocess
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from walkthrough.stage import Stage, StepFailedError

METRICS_PORT: Final = 9090
FORWARD_SECONDS: Final = 20
SYSTEM: Final = ("-n", "leeward-system")
METRICS: Final = (
    r"leeward_leader ",
    r'leeward_resources\{condition="Ready"',
    r'leeward_reconcile_seconds_(count|sum)\{.*outcome="ok"',
    r'leeward_api_calls_total\{code="2',
)
LINES_EACH: Final = 8


def side_by_side(stage: Stage, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """One line per column, before and after beside each other."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 3))
    table.add_column("column", style="bold", no_wrap=True)
    for _ in pairs:
        table.add_column("before", overflow="fold")
        table.add_column("after", overflow="fold", style="green")
    for column in pairs[0][0]:
        cells: list[Text] = []
        for before, after in pairs:
            cells.append(_cell(before[column]))
            cells.append(_cell(after[column]) if column in after else Text("(dropped)", "dim"))
        table.add_row(column, *cells)
    stage.console.print(table)


def _cell(value: Any) -> Text:
    return Text("null", style="dim") if value is None else Text(str(value))


def report(stage: Stage, document: dict[str, Any]) -> None:
    """What was done per column."""
    rows = document["rows"]
    stage.note(f"{rows:,} rows in {document['seconds']} seconds")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 3))
    for header in ("column", "transform", "type", "changed", "values before", "values after"):
        table.add_column(header, justify="left" if header in ("column", "transform") else "right")
    for column in document["columns"]:
        if column["transform"] == "keep":
            continue
        kind = f"{column['typeBefore']} > {column.get('typeAfter') or 'none'}"
        before, after = column.get("distinctBefore"), column.get("distinctAfter")
        table.add_row(
            column["name"],
            column["transform"],
            kind,
            f"{100 * column['changed'] / rows:.0f}%",
            "" if before is None else f"{before:,}",
            "" if after is None else f"{after:,}",
        )
    stage.console.print(table)
    kept = [c["name"] for c in document["columns"] if c["transform"] == "keep"]
    if kept:
        stage.note(f"kept as they are: {', '.join(kept)}")


def metrics(stage: Stage) -> None:
    """Some lines of the leader's metrics."""
    stage.step("Metrics of the operator")
    lease = json.loads(stage.kubectl(*SYSTEM, "get", "lease", "leeward-operator", "-o", "json"))
    holder = lease["spec"].get("holderIdentity") or ""
    if not holder:
        raise StepFailedError("no replica of the operator leads")
    pod = f"pod/{holder.partition('_')[0]}"
    stage.command(f"kubectl -n leeward-system port-forward {pod} {METRICS_PORT}")
    text = _through_port_forward(stage, pod)
    lines = [line for line in text.splitlines() if not line.endswith(" 0.0")]
    for pattern in METRICS:
        for line in [line for line in lines if re.match(pattern, line)][:LINES_EACH]:
            stage.note(line)


def _through_port_forward(stage: Stage, pod: str) -> str:
    chosen = ("--context", stage.context) if stage.context else ()
    command = ("kubectl", *chosen, *SYSTEM, "port-forward", pod, f":{METRICS_PORT}")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if process.stdout is None:
            raise AssertionError
        readable, _, _ = select.select([process.stdout], [], [], FORWARD_SECONDS)
        line = process.stdout.readline() if readable else ""
        match = re.search(r"127\.0\.0\.1:([0-9]+)", line)
        if match is None:
            raise StepFailedError("the port-forward to the metrics did not start", line)
        url = f"http://127.0.0.1:{match[1]}/metrics"
        with urllib.request.urlopen(url, timeout=FORWARD_SECONDS) as response:
            text: str = response.read().decode()
    except OSError as error:
        raise StepFailedError(f"the metrics do not answer: {type(error).__name__}") from error
    finally:
        process.terminate()
        process.wait(10)
    return text
