"""keys generate, advise: keys of one's own, and which algorithm to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded

keys = typer.Typer(no_args_is_help=True, help="Keys: make one, and choose an algorithm.")


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
            help="Name of the files: NAME.key (private) and NAME.pub.pem, or NAME.keyset.json.",
        ),
    ],
    algorithm: Annotated[
        str,
        typer.Option(metavar="NAME", help="For what the key is; `leeward keys advise` chooses."),
    ] = "HPKE_X25519",
) -> None:
    """Make a key of your own: to seal and open files, or to sign them.

    Nothing is written over. To encrypt the private key with a passphrase, run: openssl pkcs8
    -topk8 -scrypt -in NAME.key -out NAME.enc.key
    """
    from leeward.cli.generating import generate_key
    from leeward.cli.session import session_of

    generate_key(session_of(context_), output, algorithm)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.add_typer(keys, name="keys")
