"""Structured logs on standard output: what happened, never to which value."""

import json
import sys
import time
from typing import TextIO

Field = str | int | float | None


class Log:
    """Writes one JSON object per line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def event(self, message: str, **fields: Field) -> None:
        """Write one line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"time": stamp, "message": message, **fields}
        print(json.dumps(line, ensure_ascii=False), file=self._stream, flush=True)
