"""Entry point: the tree of commands, and the place where errors become one sentence.

Only typer is imported before a command runs, so that help and completion are quick; what a command
needs, it imports itself.
"""

from __future__ import annotations

import os
import sys
from typing import Final

import typer

from leeward.cli.commands import (
    backup,
    data,
    files,
    installation,
    keys,
    resources,
    rootkey,
    unmask,
    vaultkeys,
)
from leeward.cli.signals import end_in_order

app: Final = typer.Typer(
    name="leeward",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help takes 0.1 s, typer's boxes 0.3 s.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Machine learning on personal data in Kubernetes: look at resources, seal and sign files.",
)
resources.add_to(app)
data.add_to(app)
unmask.add_to(app)
files.add_to(app)
keys.add_to(app)
backup.add_to(keys.keys)
vaultkeys.add_to(keys.keys)
rootkey.add_to(app)
installation.add_to(app)


@app.callback()
def _begin(context: typer.Context) -> None:
    if context.obj is None:
        from leeward.cli.session import Session

        context.obj = Session()


def main() -> None:
    """Run the command line of this process, and exit."""
    end_in_order()
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("LEEWARD_TRACEBACK"):
            raise
        sys.stderr.write(
            f"leeward: unexpected {type(error).__name__}; set LEEWARD_TRACEBACK=1 to see where, and"
            " report it\n"
        )
        sys.exit(1)
