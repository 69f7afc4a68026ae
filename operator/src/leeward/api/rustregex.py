"""Regular expressions of Rust's regex crate, with which Polars searches notes in the pod.

Pydantic brings the same crate along, so the operator can tell before a pod starts. Python's ``re``
takes others, and RE2, which the API server has, too.
"""

import re
from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

_REASON: Final = re.compile(r"^error: (.+)$", re.MULTILINE)


@lru_cache(maxsize=1024)
def search_fault(pattern: str) -> tuple[str, str] | None:
    """What is wrong with a pattern that is to be searched, and what to do; None: nothing.

    One takes up to 10 MiB and 0.2 s, where it grows to the limit of the crate when compiled.
    """
    try:
        found = SchemaValidator(core_schema.str_schema(pattern=pattern)).isinstance_python("")
    except SchemaError as error:
        reason = _REASON.search(str(error))
        if reason is None:
            return (
                "is too large when compiled",
                "make counts smaller, or write [0-9A-Za-z_] in place of \\w and [0-9] in place of"
                " \\d, which stand for the letters and digits of all scripts",
            )
        return (
            f"does not compile: {reason[1]}",
            "correct it; it is in the syntax of Rust's regex crate, without look-around and"
            " back-references",
        )
    if found:
        return (
            "matches the empty text, so it would match everywhere",
            "let it need a character at least: + in place of *, say",
        )
    return None
