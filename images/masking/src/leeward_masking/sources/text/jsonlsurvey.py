"""The schema of JSON Lines, found over every line of a file (RFC 8259; https://jsonlines.org).

Polars takes the first of two members of one name, rounds large numbers, and replaces halves of
surrogate pairs, all in silence. So an inspection reads every line with Python's own parser, and
refuses what would not come out as it went in. A column is a number only where all of its values
are; texts beside numbers make it String.
"""

import json
import math
import re
from typing import Any, Final

import polars as pl

from leeward.api.dataset import ColumnType, SchemaColumn
from leeward.api.meta import MAX_COLUMN_NAME, MAX_COLUMNS
from leeward.formats.columnpaths import ELEMENTS, Path, format_path
from leeward_masking.errors import JobError
from leeward_masking.sources.text.csvtypes import TypeInference

_MAX_EXACT: Final = 1 << 53
"""Whole numbers up to this one are exact as floats, too (RFC 8259, section 6)."""
_MAX_INTEGER: Final = (1 << 63) - 1
_MAX_READ: Final = 1 << 126
"""Larger ones Polars does not read, not even as text."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_DATES: Final[tuple[ColumnType, ...]] = ("Date", "Datetime")
_KINDS: Final[dict[type, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
_CONTAINERS: Final = frozenset({"an object", "a list"})
_NUMBERS: Final = frozenset({"a whole number", "a number"})


_REMEDY: Final = (
    "correct the file at that line: one object to a line, without line breaks in it; and seal it"
    " anew if it was sealed"
)


def malformed(message: str, *, row: int | None = None) -> JobError:
    """What is no JSON Lines."""
    return JobError("MalformedData", message, _REMEDY, row=row)


class _RepeatedError(Exception):
    """An object names a member twice."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name: Final = name


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedError(next(name for name in names if names.count(name) > 1))
    return members


class _ConstantError(Exception):
    """NaN or Infinity, which are no JSON."""


def _no_number(_: str) -> Any:
    raise _ConstantError


_decode: Final = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_number).decode


def parse_line(line: bytes) -> dict[str, Any]:
    """The object on one line.

    Raises:
        JobError: ``MalformedData``, ``WrongEncoding`` or ``DuplicateColumn``.
    """
    try:
        value = _decode(line.decode())
        if _SURROGATE.search(line):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise JobError(
            "WrongEncoding",
            "it is not UTF-8",
            "convert the file to UTF-8, and seal it anew if it was sealed",
        ) from None
    except UnicodeEncodeError:
        raise malformed("an escape \\u stands for half of a character") from None
    except _RepeatedError as error:
        raise JobError(
            "DuplicateColumn",
            f'an object has two members of the name "{error.name[:MAX_COLUMN_NAME]}"',
            "give each member a name of its own",
        ) from None
    except RecursionError:
        raise malformed("lists or objects lie too deep in one another") from None
    except _ConstantError:
        raise JobError(
            "MalformedData",
            "it holds NaN or Infinity, and JSON has no such numbers (RFC 8259, section 6)",
            "write null in its place, or a text in quotes",
        ) from None
    except json.JSONDecodeError as error:
        raise malformed(f"it is no JSON from character {error.colno} on") from None
    except ValueError:
        raise malformed("it is no JSON") from None
    if not isinstance(value, dict):
        raise malformed("it holds no JSON object, and each line is to hold one")
    return value


class _Node:
    """What was seen at one path.

    Attributes:
        kinds: What its values were, and the first line with each.
        present: How often there was a value.
        slots: How often there was a place for one; only of elements of lists.
        wide: The first line with a whole number that is not exact as a float; 0: none.
        texts: Texts to be looked at, as long as they may be dates.
    """

    __slots__ = (
        "elements",
        "fields",
        "huge",
        "kinds",
        "present",
        "slots",
        "texts",
        "types",
        "wide",
    )

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.present = 0
        self.slots = 0
        self.fields: dict[str, _Node] = {}
        self.elements: _Node | None = None
        self.wide = 0
        self.huge = False
        self.types = TypeInference(_DATES)
        self.texts: list[str] = []


class JsonlSurvey:
    """Adds up what the lines of a file, or of several, hold; as large as their schema."""

    def __init__(self) -> None:
        self._root = _Node()
        self._nodes: list[_Node] = []
        self._line = 0
        self.rows = 0

    def begin_file(self) -> None:
        """Count lines from 1 again."""
        self._line = 0

    def add_block(self, lines: bytes) -> None:
        """Look at the next lines; blank ones are counted and left out.

        Raises:
            JobError: A line is no object that can be read, or does not fit to the ones before; it
                is named.
        """
        for line in lines.removesuffix(b"\n").split(b"\n"):
            self._line += 1
            if line and not line.isspace():
                self.rows += 1
                try:
                    self._object(self._root, parse_line(line), ())
                except JobError as error:
                    raise error.at_row(self.rows, f"line {self._line}") from None
        self._look_at_texts()

    def _look_at_texts(self) -> None:
        """So that they do not pile up."""
        for node in self._nodes:
            if node.texts:
                node.types.add(pl.Series(node.texts, dtype=pl.String))
                node.texts = []

    def columns(self) -> list[SchemaColumn]:
        """The leaves, in the order in which they were first seen.

        Raises:
            JobError: ``MalformedData``: whole numbers would have to be rounded.
        """
        found: list[SchemaColumn] = []
        for name, node in self._root.fields.items():
            _add_leaves((name,), node, node.present < self.rows, found)
        return found

    def _object(self, node: _Node, members: dict[str, Any], path: Path) -> None:
        fields = node.fields
        for name, value in members.items():
            field = fields.get(name)
            if field is None:
                field = fields[name] = self._new((*path, name))
            if value is not None:
                self._value(field, value, (*path, name))

    def _value(self, node: _Node, value: Any, path: Path) -> None:
        node.present += 1
        kind = _KINDS[type(value)]
        if kind not in node.kinds:
            self._note_kind(node, kind, path)
        if kind == "a text":
            if node.types.is_open:
                node.texts.append(value)
        elif kind == "a whole number":
            if not -_MAX_EXACT <= value <= _MAX_EXACT:
                self._wide(node, value)
        elif kind == "a number":
            if not math.isfinite(value):
                raise malformed("it holds a number that is too large to be read")
        elif kind == "an object":
            self._object(node, value, path)
        elif kind == "a list":
            self._list(node, value, (*path, ELEMENTS))

    def _list(self, node: _Node, values: list[Any], path: Path) -> None:
        if node.elements is None:
            node.elements = self._new(path)
        node.elements.slots += len(values)
        for value in values:
            if value is not None:
                self._value(node.elements, value, path)

    def _new(self, path: Path) -> _Node:
        if path[-1] == "":
            raise JobError("UnsuitableColumn", "a member has no name", "give each member a name")
        if len(self._nodes) > 2 * MAX_COLUMNS:
            raise JobError(
                "TooLarge",
                f"the lines have more than {MAX_COLUMNS} different members, and at most that many"
                " columns can be described",
                "split the data into files with fewer members; where names of members are data"
                " (an object with a member for each person), write lists of objects instead",
            )
        if len(path) > MAX_COLUMN_NAME or len(format_path(path)) > MAX_COLUMN_NAME:
            raise JobError(
                "UnsuitableColumn",
                f"the path of a member has more than {MAX_COLUMN_NAME} characters",
                "give members shorter names, or nest them less deeply",
            )
        node = _Node()
        self._nodes.append(node)
        return node

    def _wide(self, node: _Node, value: int) -> None:
        if abs(value) > _MAX_READ:
            raise malformed("it holds a whole number of more than 37 digits; write it in quotes")
        node.wide = node.wide or self._line
        node.huge = node.huge or not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER

    def _note_kind(self, node: _Node, kind: str, path: Path) -> None:
        node.kinds[kind] = self._line
        other = next((seen for seen in node.kinds if seen != kind), None)
        if other is not None and not _CONTAINERS.isdisjoint(node.kinds):
            name = format_path(path)[:MAX_COLUMN_NAME]
            raise JobError(
                "MalformedData",
                f'"{name}" holds {kind}, and {other} in line {node.kinds[other]}',
                "write the same kind of value in all lines, or put the others in a member of their"
                " own",
                column=name,
            )


def _add_leaves(path: Path, node: _Node, nullable: bool, found: list[SchemaColumn]) -> None:
    if node.fields:
        for name, field in node.fields.items():
            _add_leaves((*path, name), field, nullable or field.present < node.present, found)
    elif node.elements is not None:
        inner = node.elements
        _add_leaves((*path, ELEMENTS), inner, nullable or inner.present < inner.slots, found)
    else:
        name = format_path(path)
        found.append(SchemaColumn(name=name, type=_type(node, name), nullable=nullable))


def _type(node: _Node, name: str) -> ColumnType:
    kinds = node.kinds.keys()
    if kinds == {"a text"}:
        return node.types.type()
    if kinds == {"a whole number"}:
        return "String" if node.huge else "Integer"
    if kinds == {"true or false"}:
        return "Boolean"
    if not kinds or not kinds <= _NUMBERS:
        return "String"
    if node.wide:
        raise JobError(
            "MalformedData",
            f'line {node.wide}: "{name}" holds a whole number that is not exact as a Float, and'
            f" fractions in line {node.kinds['a number']}",
            "write all of its values as texts, in quotes",
            column=name,
        )
    return "Float"
