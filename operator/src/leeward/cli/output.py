"""How results look: tables, JSON, YAML, ages. Plain text where the output is no terminal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from leeward.cli.port import Manifest

_STYLES: Final = {"True": "green", "False": "red", "Unknown": "yellow"}


def status_text(status: str) -> Text:
    """The status of a condition, in its colour."""
    return Text(status, style=_STYLES.get(status, ""))


def print_table(console: Console, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table without lines, as kubectl prints it."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header.upper(), no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*(status_text(cell) for cell in row))
    print_plainly(console, table)


def print_plainly(console: Console, renderable: Any) -> None:
    """Print; without a terminal also without the blanks that fill lines up to the width."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as capture:
        console.print(renderable)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    print_raw(console, "\n".join(lines))


def print_raw(console: Console, text: str) -> None:
    """Text as it is, whatever the width."""
    console.file.write(text if text.endswith("\n") else text + "\n")
    console.file.flush()


def printable(text: str) -> str:
    """Text with control characters and line breaks shown, so that a terminal does not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_json(console: Console, value: Any) -> None:
    """JSON, indented."""
    print_raw(console, json.dumps(value, indent=2, ensure_ascii=False))


def print_yaml(console: Console, value: Any) -> None:
    """YAML, in the order of the document."""
    import yaml

    print_raw(console, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def without_managed_fields(manifest: Manifest) -> Manifest:
    """The manifest as people want to read it."""
    metadata = {k: v for k, v in manifest.get("metadata", {}).items() if k != "managedFields"}
    return manifest | {"metadata": metadata}


def parse_time(text: str) -> datetime.datetime:
    """A time as in RFC 3339."""
    return datetime.datetime.fromisoformat(text)


def age(since: str | None, now: datetime.datetime) -> str:
    """Time passed, in the largest unit that fits: 12s, 4m, 3h, 12d."""
    if not since:
        return "?"
    seconds = max(0, int((now - parse_time(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def counted(count: int, noun: str) -> str:
    """A number with what it counts, as in ``1 row`` and ``2 rows``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def byte_size(count: int) -> str:
    """Bytes, in the largest binary unit that fits."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return counted(count, "byte") if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
