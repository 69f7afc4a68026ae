"""Names of columns inside columns: ``address.street`` of a struct, ``visits[].note`` of a list.

``.`` leads into a struct, and ``[]`` to the elements of a list. Where a key itself holds one of
``.``, ``[``, ``]`` or a backslash, a backslash stands before it. What cannot be opened any further
is a *leaf*: a Dataset's status lists leaves, and rules act on them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

ELEMENTS: Final = None
"""The segment of a path that leads to the elements of a list."""
Segment = str | None
Path = tuple[Segment, ...]
Value = TypeVar("Value")

_SPECIAL: Final = re.compile(r"[.\[\]\\]")
_TOKEN: Final = re.compile(r"(?P<elements>\[\])|(?P<dot>\.)|(?P<key>(?:\\.|[^.\[\]\\])+)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BORDER: Final = re.compile(r"(?:\\.|[^.\[\\])+|\[\]|[.\[\\]", re.DOTALL)


def format_path(path: Path) -> str:
    """The name of what lies at a path."""
    parts: list[str] = []
    for segment in path:
        if segment is ELEMENTS:
            parts.append("[]")
        else:
            parts.append(("." if parts else "") + _SPECIAL.sub(r"\\\g<0>", segment))
    return "".join(parts)


def parse_path(name: str) -> Path:
    """The path of a name.

    Raises:
        ValueError: It is no name of a column in a nested file.
    """
    path: list[Segment] = []
    position, wants_key = 0, True
    while position < len(name):
        token = _TOKEN.match(name, position)
        if token is None or wants_key is not (token.lastgroup == "key"):
            raise ValueError("not the path of a column")
        if token.lastgroup == "key":
            path.append(_ESCAPED.sub(r"\1", token[0]))
        elif token.lastgroup == "elements":
            path.append(ELEMENTS)
        wants_key = token.lastgroup == "dot"
        position = token.end()
    if wants_key:
        raise ValueError("not the path of a column")
    return tuple(path)


def enclosing(name: str) -> Iterator[str]:
    """The names of what a column lies in, from the nearest outwards: ``a[].b``, ``a[]``, ``a``."""
    borders = [
        match.start() for match in _BORDER.finditer(name) if match[0] in (".", "[]")
    ]
    for border in reversed(borders):
        if border:
            yield name[:border]


def governing(name: str, given: Mapping[str, Value]) -> Value | None:
    """What is given for a column: for itself, else for the nearest column that it lies in."""
    if name in given:
        return given[name]
    return next((given[outer] for outer in enclosing(name) if outer in given), None)


def below(name: str, columns: Iterable[str]) -> list[str]:
    """The column of that name, or else the ones that lie in it, in their order."""
    known = list(columns)
    if name in known:
        return [name]
    return [column for column in known if name in enclosing(column)]

