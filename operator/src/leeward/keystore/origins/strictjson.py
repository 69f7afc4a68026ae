"""JSON that came from elsewhere: one meaning only, and bounded."""

import json
from typing import Any, Final

MAX_DEPTH: Final = 16
_NUMBER_DIGITS: Final = 32


class AmbiguousJsonError(ValueError):
    """No JSON, or JSON that two programs may read differently; says what, never a value."""


def strict_json(data: bytes) -> Any:
    """The value of a JSON text (RFC 8259) of bounded size.

    Raises:
        AmbiguousJsonError: It is not UTF-8, not JSON, nested deeper than 16, names a member twice,
            or holds NaN, an infinity or a very long number.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_number,
            parse_float=_decimal,
        )
    except AmbiguousJsonError:
        raise
    except UnicodeDecodeError:
        raise AmbiguousJsonError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise AmbiguousJsonError(
            f"it is not JSON from line {error.lineno}, column {error.colno} on"
        ) from None
    except RecursionError:
        raise AmbiguousJsonError("it is nested too deeply") from None
    _check_depth(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise AmbiguousJsonError("a member stands in it twice")
    return made


def _no_constant(_: str) -> Any:
    raise AmbiguousJsonError("it holds a number that is none")


def _number(text: str) -> int:
    if len(text) > _NUMBER_DIGITS:
        raise AmbiguousJsonError("it holds a number that is too long")
    return int(text)


def _decimal(text: str) -> float:
    if len(text) > _NUMBER_DIGITS:
        raise AmbiguousJsonError("it holds a number that is too long")
    return float(text)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise AmbiguousJsonError("it is nested too deeply")
