"""Names in messages: a few of them, and how many more there are."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Final

_SHOWN: Final = 10
_CLOSE: Final = 3
_COMPARED: Final = 1000
"""Names that are compared with one that is missing: 10 ms."""


def listed(names: Sequence[str], shown: int) -> str:
    """The first names, and how many more there are: ``a, b and 3 more``."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def those_there_are(columns: Collection[str], missing: str) -> str:
    """The columns of a source where one is not: those first that are written almost like it."""
    plain: dict[str, str] = {}
    for name in list(columns)[:_COMPARED]:
        plain.setdefault(name.casefold(), name)
    near = [plain[found] for found in get_close_matches(missing.casefold(), plain, _CLOSE)]
    ordered = [*near, *(name for name in columns if name not in near)]
    return "it has " + listed([f'"{name}"' for name in ordered], _SHOWN)
