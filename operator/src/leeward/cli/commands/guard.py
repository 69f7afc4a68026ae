"""Turns errors of a command into one sentence with the remedy, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from leeward.cli.errors import FAILED, CliError

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command with its errors reported, and without tracebacks for what users do."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except CliError as error:
            raise _ended(error.message, error.remedy, error.exit_code) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            raise _ended(f"{name}{error.strerror or type(error).__name__}", "", FAILED) from None

    return run


def _ended(message: str, remedy: str, code: int) -> typer.Exit:
    from leeward.cli.output import printable

    text = printable(" ".join(message.split()))
    typer.secho(f"leeward: {text}", err=True, fg="red" if code else None)
    if remedy:
        typer.echo(f"  {printable(' '.join(remedy.split()))}", err=True)
    return typer.Exit(code)
