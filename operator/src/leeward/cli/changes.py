"""What masking changes of a value, in colours. Without colours (NO_COLOR) changes are bold."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from rich.text import Text

from leeward.cli.rowtable import value_text

GONE: Final = "red"
MADE: Final = "bold green"
SAME: Final = "dim"
_PARTS: Final = re.compile(r"\w+|\W")
_LONGEST: Final = 4096
"""Characters of values that are compared part by part."""
_ALIKE: Final = 0.3
"""Share of parts that must be the same: below, nothing of a value is taken for kept."""


def change(old: str | None, new: str | None) -> tuple[Text, Text]:
    """A value before and after: what goes and what comes in its place are told apart.

    Args:
        old: As text; None: it is missing.
        new: What became of it.
    """
    before, after = value_text(old), value_text(new)
    if old == new:
        before.stylize(SAME)
        after.stylize(SAME)
        return before, after
    if old is None or new is None or max(len(before.plain), len(after.plain)) > _LONGEST:
        before.stylize(GONE)
        after.stylize(GONE if new is None else MADE)
        return before, after
    return _parts(before.plain, after.plain)


def _parts(old: str, new: str) -> tuple[Text, Text]:
    if len(old) == len(new):
        # Place by place: equal characters elsewhere are chance.
        before, after = Text(), Text()
        for one, other in zip(old, new, strict=True):
            before.append(one, "" if one == other else GONE)
            after.append(other, "" if one == other else MADE)
        return before, after
    words, others = _PARTS.findall(old), _PARTS.findall(new)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return Text(old, GONE), Text(new, MADE)
    before, after = Text(), Text()
    for kind, first, last, begin, end in matcher.get_opcodes():
        before.append("".join(words[first:last]), "" if kind == "equal" else GONE)
        after.append("".join(others[begin:end]), "" if kind == "equal" else MADE)
    return before, after
