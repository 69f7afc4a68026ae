"""Secrets that the seeds hold, and the search for them in what a parser says.

What an error says is everything that a log could show of it: the texts of all exceptions in the
chain that a traceback prints, and their arguments. A secret is found by any eight characters of it
in a row, in any of the writings in which it may slip out; sixteen where each byte takes up to four.
"""

import base64
from collections.abc import Iterable

_WINDOW = 8
_LONG_WINDOW = 16
_DISTINCT = 4


def writings(secret: bytes) -> Iterable[str]:
    """Everything that `secret` may look like in a text."""
    yield secret.hex()
    yield secret.hex().upper()
    yield base64.b64encode(secret).decode()
    yield base64.urlsafe_b64encode(secret).decode()
    yield str(int.from_bytes(secret, "big"))
    yield str(int.from_bytes(secret, "little"))


def windows(text: str, size: int = _WINDOW) -> set[str]:
    """All pieces of a text that are long enough to tell something."""
    pieces = (text[at : at + size] for at in range(len(text) - size + 1))
    return {piece for piece in pieces if len(set(piece)) >= _DISTINCT}


class Planted:
    """A set of secrets."""

    def __init__(self, secrets: Iterable[bytes], texts: Iterable[str] = ()) -> None:
        """Collect them.

        Args:
            secrets: Bytes, looked for in every writing.
            texts: Looked for as they are.
        """
        self._pieces: set[str] = set()
        self._long_pieces: set[str] = set()
        for secret in secrets:
            self._long_pieces |= windows(repr(secret)[2:-1], _LONG_WINDOW)
            for text in writings(secret):
                self._pieces |= windows(text)
        for text in texts:
            self._pieces |= windows(text)

    def found_in(self, text: str) -> bool:
        """Whether a piece of a secret stands in `text`."""
        return not (
            self._pieces.isdisjoint(windows(text))
            and self._long_pieces.isdisjoint(windows(text, _LONG_WINDOW))
        )


def shown(error: BaseException) -> str:
    """What a traceback prints of an exception, but for the lines of code."""
    texts = []
    current: BaseException | None = error
    while current is not None:
        texts.append(f"{type(current).__name__}: {current} {current.args!r}")
        hidden = current.__suppress_context__
        current = current.__cause__ if hidden else current.__cause__ or current.__context__
    return "\n".join(texts)
