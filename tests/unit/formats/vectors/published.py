"""Reads the published test vectors of the package cryptography-vectors.

NIST's CAVP files, OpenSSL's and those of the RFCs are lines of `name = value`, where a line without
one ends a case or, in brackets, names what holds for the cases below it. A missing file is an
error: no vector is left out silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

Case = dict[str, str]

_PAIR = re.compile(r"([\w -]+?)\s*[=:]\s*(.*)")
_SECTION = re.compile(r"\[(.+)\]")


def text(path: str) -> str:
    return files("cryptography_vectors").joinpath(path).read_text(encoding="utf-8")


def loaded(path: str) -> Any:
    return json.loads(text(path))


def cases(path: str, *, first: str, shared: str = "") -> Iterator[Case]:
    """The cases of a file; each begins with the line that is named `first`.

    What stands in brackets is in every case below it: `[Keylen = 256]` by its name, and
    `[P-256,SHA-256]` as `section`; so is what the line named `shared` says.
    """
    sections: Case = {}
    case: Case = {}
    for line in text(path).splitlines():
        section = _SECTION.fullmatch(line.strip())
        inner = section[1] if section else line.strip()
        pair = None if inner.startswith("#") else _PAIR.fullmatch(inner)
        if section:
            if case:
                yield case
                case = {}
            sections |= {pair[1]: pair[2]} if pair else {"section": inner}
        elif pair and pair[1] == shared:
            sections[shared] = pair[2]
        elif pair:
            if pair[1] == first and case:
                yield case
                case = {}
            if pair[1] == first or case:
                case = case or dict(sections)
                case[pair[1]] = pair[2]
    if case:
        yield case


def raw(value: str) -> bytes:
    """Hexadecimal digits, or text in quotation marks."""
    return value[1:-1].encode() if value.startswith('"') else bytes.fromhex(value)
