"""The port ``RemoteProcess`` over a WebSocket of the official client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from websocket import WebSocketException

from leeward.cli.errors import ApiError
from leeward.cli.refusals import first_line

SEND_TIMEOUT: Final = 60.0


class WebSocketProcess:
    """A command at the other end of a WebSocket."""

    def __init__(self, connection: Any) -> None:
        connection.sock.settimeout(SEND_TIMEOUT)
        self._connection = connection

    def write(self, data: bytes | memoryview, /) -> int:
        """Send to its standard input; returns the bytes taken, which is all of them."""
        with _reporting():
            self._connection.update(timeout=0)
            if not self._connection.is_open():
                raise ApiError(0, "the command in the pod ended before it had read its input")
            self._connection.write_stdin(bytes(data))
        return len(data)

    def said(self) -> bytes:
        """What it has written to standard output so far, without waiting."""
        with _reporting():
            return bytes(self._connection.peek_stdout(timeout=0))

    def line(self, timeout: float) -> bytes:
        """The first line of its standard output; cut short where it ended within it."""
        deadline = time.monotonic() + timeout
        while b"\n" not in (said := self.said()) and self._connection.is_open():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ApiError(0, f"the command in the pod said nothing for {timeout:.0f} s")
            with _reporting():
                self._connection.update(timeout=left)
        if not said:
            problem = self._connection.peek_stderr().decode("utf-8", "replace").strip()
            last = problem.splitlines()[-1] if problem else "it ended without a word"
            raise ApiError(0, f"the command in the pod failed: {last}")
        return said.partition(b"\n")[0]


@contextmanager
def _reporting() -> Iterator[None]:
    try:
        yield
    except (OSError, WebSocketException) as error:
        raise ApiError(
            0, f"the connection to the pod broke: {first_line(error)}", "try again"
        ) from error
