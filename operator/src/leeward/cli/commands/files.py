"""seal, open, inspect, keys generate: sealed files on this machine, without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import RowsFormat

STDIO = Path("-")
SourceArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file; - for standard input.")
]
keys = typer.Typer(no_args_is_help=True, help="Key pairs for sealed files.")


@guarded
def seal(
    context_: typer.Context,
    file: SourceArgument = STDIO,
    to: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Public key (PEM), as `leeward dataset public-key` prints it; may be repeated.",
        ),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Symmetric keys to seal with (keyset.json); may be repeated."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The sealed file; - for standard output."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Seal a file to the holders of some keys."""
    from leeward.cli.sealing import seal_to
    from leeward.cli.session import session_of

    seal_to(session_of(context_), file, output, to or [], key or [], force=force)


@guarded
def open_(
    context_: typer.Context,
    file: SourceArgument = STDIO,
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Private key (PEM) or keyset.json; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The opened file; - for standard output."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Open a sealed file.

    A changed or cut one is refused, and no output file appears.
    """
    from leeward.cli.sealing import open_with
    from leeward.cli.session import session_of

    open_with(session_of(context_), file, output, key or [], force=force)


@guarded
def inspect(
    context_: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sealed files.")],
    digest: Annotated[
        bool, typer.Option("--digest", help="Also read the file for the digest of its core.")
    ] = False,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
) -> None:
    """Say what sealed files tell without a key."""
    from leeward.cli.sealing import show_info
    from leeward.cli.session import session_of

    show_info(session_of(context_), files, with_digest=digest, output=output)


@keys.command()
@guarded
def generate(
    context_: typer.Context,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="Name of the pair: writes NAME.key (private) and NAME.pub.pem.",
        ),
    ],
) -> None:
    """Make an X25519 key pair for sealed files of your own."""
    from leeward.cli.sealing import generate_pair
    from leeward.cli.session import session_of

    generate_pair(session_of(context_), output)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.command()(seal)
    app.command("open")(open_)
    app.command()(inspect)
    app.add_typer(keys, name="keys")
