"""Logs: one JSON object per line, without values from data, specs or keys."""

import logging
import sys
from typing import Final

from pythonjsonlogger.json import JsonFormatter

_NOISY: Final = ("kopf", "asyncio", "aiohttp", "kubernetes")


def configure_logging(level: str) -> None:
    """Send all logs to standard error as JSON.

    Libraries may only warn: what they say below that tells of their own working.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
