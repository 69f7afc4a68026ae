"""Turns errors of a command into one sentence with the remedy, and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

import typer

from leeward.cli.errors import FAILED, CliError

P = ParamSpec("P")

_REMEDIES: Final = {
    errno.ENOENT: "check the name, and the folder that the command runs in",
    errno.EACCES: "name another place, or have the rights of the file or its folder changed",
    errno.EPERM: "name another place, or have the rights of the file or its folder changed",
    errno.EROFS: "name a place that can be written to",
    errno.ENOTDIR: "check the name: a part of it before the last / is a file",
    errno.EISDIR: "name a file in it",
    errno.ESPIPE: "it is read in more than one place: write it to a file first, and name that",
    errno.ENOSPC: "make room, or name another place",
    errno.EDQUOT: "make room, or name another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}


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
            message = f"{name}{error.strerror or type(error).__name__}"
            raise _ended(message, _REMEDIES.get(error.errno or 0, ""), FAILED) from None

    return run


def _ended(message: str, remedy: str, code: int) -> typer.Exit:
    from leeward.cli.output import printable

    text = printable(" ".join(message.split()))
    typer.secho(f"leeward: {text}", err=True, fg="red" if code else None)
    if remedy:
        typer.echo(f"  {printable(' '.join(remedy.split()))}", err=True)
    return typer.Exit(code)
