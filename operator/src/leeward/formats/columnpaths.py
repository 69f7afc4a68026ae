"""Names of columns inside columns: ``address.street`` of a struct, ``visits[].note`` of a list.

``.`` leads into a struct, and ``[]`` to the elements of a list. Where a key itself holds one of
``.``, ``[``, ``]`` or a backslash, a backslash stands before it. What cannot be opened any further
is a *leaf*: a Dataset's status lists leaves, and rules act on them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

ELEMENTS: Final = None
"""The segment of a path that leads to the elements of a list."""
Segment = str | None
Path = tuple[Segment, ...]
Value = TypeVar("Value")

_SPECIAL: Final = re.compile(r"[.\[\]\\]")
_TOKEN: Final = re.compile(
    r"(?P<elements>\[\])|(?P<dot>\.)|(?P<key>(?:\\.|[^.\[\]\\])+)", re.DOTALL
)
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
    borders = [match.start() for match in _BORDER.finditer(name) if match[0] in (".", "[]")]
    for border in reversed(borders):
        if border:
            yield name[:border]


def expand(named: Mapping[str, Value], columns: Sequence[str]) -> dict[str, Value]:
    """What is given for each column that something is given for, in the order of the columns.

    Args:
        named: By the name of a column, or of a struct or list: then it is for all columns in it but
            those that have something nearer by.
        columns: The leaves.
    """
    outer = named.keys() - set(columns)
    found: dict[str, Value] = {}
    for column in columns:
        nearest = column if column in named else None
        if nearest is None and outer:
            nearest = next((name for name in enclosing(column) if name in outer), None)
        if nearest is not None:
            found[column] = named[nearest]
    return found


def same_list(name: str, other: str) -> bool:
    """Whether two columns lie in the same innermost list."""
    return name.rpartition("[]")[0] == other.rpartition("[]")[0]


def below(name: str, columns: Iterable[str]) -> list[str]:
    """The column of that name, or else the ones that lie in it, in their order."""
    known = list(columns)
    if name in known:
        return [name]
    return [column for column in known if name in enclosing(column)]
