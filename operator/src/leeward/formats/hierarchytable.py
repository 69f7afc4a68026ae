"""The table of a hierarchy: CSV without a header, values in the first column, levels behind."""

import csv
import io
from collections.abc import Sequence

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class HierarchyError(ValueError):
    """A table that is none; the message names the line, never what stands there."""


def read_hierarchy(text: str, delimiter: str) -> list[Sequence[str]]:
    """The columns of a table: the values, then what they are at each level.

    Empty lines are left out. Quotes are as in RFC 4180.

    Args:
        text: The table.
        delimiter: What stands between two columns.

    Raises:
        HierarchyError: Lines differ in length, there is no level, or a value stands there twice.
    """
    reader = csv.reader(
        io.StringIO(text.removeprefix(_BOM), newline=""), delimiter=delimiter, strict=True
    )
    rows: list[list[str]] = []
    lines: dict[str, int] = {}
    try:
        for row in reader:
            if row:
                _check(row, rows, lines, reader.line_num)
                rows.append(row)
    except csv.Error:
        raise HierarchyError(
            f"line {reader.line_num} has a quote where none may be, or one that is not closed"
        ) from None
    if not rows:
        raise HierarchyError("it is empty")
    return list(zip(*rows, strict=True))


def _check(row: list[str], rows: list[list[str]], lines: dict[str, int], line: int) -> None:
    if len(row) < 2:
        raise HierarchyError(
            f"line {line} has one column (the delimiter may be another one than hierarchy.delimiter"
            " says)"
        )
    if rows and len(row) != len(rows[0]):
        raise HierarchyError(
            f"line {line} has {len(row)} columns, and the lines before have {len(rows[0])}"
        )
    first = lines.setdefault(row[0], line)
    if first != line:
        raise HierarchyError(f"lines {first} and {line} are for the same value")
