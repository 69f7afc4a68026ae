"""Runs the command in this process, as its entry point does.

typer's own runner builds the tree of commands anew each time, which takes longer than most of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from typer.main import get_command
from typer.testing import CliRunner, Result

from leeward.cli.main import app
from leeward.cli.session import Session

_COMMAND = get_command(app)


def invoke(args: Sequence[str], session: Session, given: str | bytes | None) -> Result:
    """Run the command, with these arguments and this standard input."""
    runner = CliRunner()
    error: BaseException | None = None
    with runner.isolation(input=given) as (out, err, both):
        try:
            _COMMAND.main(args=list(args), prog_name="leeward", obj=session)
        except SystemExit as end:
            error = end
        except Exception as unexpected:  # noqa: BLE001 - told by the entry point in one line
            error = unexpected
        sys.stdout.flush()
        sys.stderr.flush()
        shown, told, together = (stream.getvalue() for stream in (out, err, both))
    code = error.code if isinstance(error, SystemExit) else 1 if error else 0
    assert code is None or isinstance(code, int)
    return Result(runner, shown, told, together, None, code or 0, error if code else None)
