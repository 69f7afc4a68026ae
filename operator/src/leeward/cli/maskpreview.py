"""``leeward mask preview``: the rules of a job on the first rows of a file, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from leeward.cli.changes import GONE, change
from leeward.cli.errors import CliError
from leeward.cli.jobfile import read_job_file
from leeward.cli.options import RowsFormat
from leeward.cli.output import print_json, print_plainly
from leeward.cli.rowtable import value_text
from leeward.cli.session import Session

WIDTH_OF_ROW: Final = 55
"""Columns of the terminal that one row takes, before and after."""

MAX_SIDE_BY_SIDE: Final = 3
EXTRA_REMEDY: Final = "pip install 'leeward[masking]'"


def show_mask_preview(
    session: Session, job: Path, data: Path, rows: int, output: RowsFormat
) -> None:
    """Print the first rows before and after masking.

    Raises:
        CliError: The manifest or the data is not fit for it; the message says where.
    """
    try:
        from leeward.cli.maskrows import mask_rows
    except ImportError as error:
        raise CliError(
            f"the masking engine is not installed ({error.name})", EXTRA_REMEDY
        ) from error
    file = read_job_file(job)
    shown = mask_rows(file, data, rows, session.random)
    before, after = shown.before, shown.after
    if output is RowsFormat.JSON:
        pairs = [{"before": b, "after": a} for b, a in zip(before, after, strict=True)]
        print_json(session.out, pairs)
        return
    if not before:
        raise CliError(f"{data} has no rows")
    beside = max(1, min(MAX_SIDE_BY_SIDE, session.out.width // WIDTH_OF_ROW))
    for first in range(0, len(before), beside):
        last = min(first + beside, len(before))
        _print_rows(session, shown.transforms, before[first:last], after[first:last], first + 1)
    session.err.print("made with keys of this run only: tokens and hashes of a real job differ")


def _print_rows(
    session: Session,
    transforms: dict[str, str],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    number: int,
) -> None:
    """One line per column; rows beside each other, each before and after."""
    table = Table(box=box.SIMPLE_HEAD if session.out.is_terminal else None, pad_edge=False)
    table.add_column("column", style="bold", no_wrap=True)
    table.add_column("transform", style="cyan", no_wrap=True)
    for index in range(len(before)):
        table.add_column(f"row {number + index}", overflow="fold")
        table.add_column("masked", overflow="fold")
    for column in before[0]:
        cells: list[Text] = []
        for old, new in zip(before, after, strict=True):
            if column in new:
                cells.extend(change(old[column], new[column]))
                continue
            gone = value_text(old[column])
            gone.stylize(GONE)
            cells.extend((gone, Text("dropped" if new else "row left out", GONE)))
        table.add_row(column, transforms[column], *cells)
    print_plainly(session.out, table)
