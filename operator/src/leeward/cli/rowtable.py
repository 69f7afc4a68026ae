"""Rows of data as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leeward.cli.output import print_plainly, printable


def value_text(value: str | None) -> Text:
    """A value, or a mark where there is none. Control characters are shown, not obeyed."""
    if value is None:
        return Text("null", style="dim")
    return Text(printable(value))


def print_rows(
    console: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    *,
    title: str = "",
    styles: Sequence[str] = (),
) -> None:
    """Print rows; a wide table on a terminal is printed in parts, one below the other."""
    table = list(rows)
    for first, last in _parts(console, columns, table):
        shown = Table(
            box=box.SIMPLE_HEAD if console.is_terminal else None,
            pad_edge=False,
            title=title or None,
            title_justify="left",
        )
        for index in range(first, last):
            shown.add_column(
                columns[index], style=styles[index] if styles else None, overflow="fold"
            )
        for row in table:
            shown.add_row(*(value_text(value) for value in row[first:last]))
        print_plainly(console, shown)
        title = ""


def _parts(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> Iterable[tuple[int, int]]:
    """Ranges of columns that fit beside each other."""
    longest = max(20, console.width // 3)
    first = used = 0
    for index, name in enumerate(columns):
        values = [len(row[index] or "null") for row in rows]
        width = min(longest, max([len(name), *values])) + 3
        if used and used + width > console.width:
            yield first, index
            first, used = index, 0
        used += width
    if first < len(columns):
        yield first, len(columns)
