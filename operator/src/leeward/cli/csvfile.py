"""How a CSV file on this machine is written, as the options of a command say it."""

from __future__ import annotations

from typing import Final, get_args

from pydantic import ValidationError

from leeward.api.csvoptions import CsvOptions, TextEncoding
from leeward.cli.errors import UsageError

_TABS: Final = ("\\t", "tab")
"""How people write a tab in a shell."""
_ENCODINGS: Final = {name.lower(): name for name in get_args(TextEncoding)}


def csv_options(delimiter: str | None, encoding: str | None) -> CsvOptions | None:
    """What was said of it; None: nothing.

    Raises:
        UsageError: No file can be written so.
    """
    said: dict[str, str] = {}
    if delimiter is not None:
        said["delimiter"] = "\t" if delimiter.lower() in _TABS else delimiter
    if encoding is not None:
        if encoding.lower() not in _ENCODINGS:
            raise UsageError(
                f"there is no encoding {encoding!r} here",
                f"use one of {', '.join(_ENCODINGS.values())}",
            )
        said["encoding"] = _ENCODINGS[encoding.lower()]
    try:
        return CsvOptions.model_validate(said) if said else None
    except ValidationError:
        raise UsageError(
            f"{delimiter!r} cannot be a delimiter", "use one ASCII character, or \\t for a tab"
        ) from None
