"""root-key: export, verify, restore, rotate, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import (
    DEFAULT_OPERATOR_NAMESPACE,
    Context,
    Kubeconfig,
    OperatorNamespace,
    RowsFormat,
)

rootkey = typer.Typer(
    no_args_is_help=True, help="The operator's root key: shares of it, recovery, rotation."
)
ShareFiles = Annotated[
    list[Path] | None,
    typer.Option("--share", metavar="FILE", help="Page with a share; may be repeated."),
]
Ask = Annotated[
    bool, typer.Option("--ask", help="Ask for the words of the shares that no file gives.")
]
Echo = Annotated[bool, typer.Option("--echo", help="Show the words that are typed.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Its first line is the passphrase. Left out: it is asked."),
]


@rootkey.command()
@guarded
def export(
    context_: typer.Context,
    shares: Annotated[int, typer.Option(help="How many shares: 2 to 16.")],
    threshold: Annotated[int, typer.Option(help="How many of them make the key again.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a file for each. Left out: a page at a time on screen."
        ),
    ] = None,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Protect them with a passphrase besides.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Split the root key into shares of which so many make it again."""
    from leeward.cli.port import Target
    from leeward.cli.rootkeys import export as export_shares
    from leeward.cli.session import session_of
    from leeward.cli.shareinput import new_passphrase

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))

    def protection() -> bytes:
        wanted = passphrase or passphrase_file is not None
        return new_passphrase(session, passphrase_file) if wanted else b""

    export_shares(session, cluster, operator_namespace, (shares, threshold), out, protection)


@rootkey.command()
@guarded
def verify(
    context_: typer.Context,
    share: ShareFiles = None,
    ask: Ask = False,
    echo: Echo = False,
    passphrase_file: PassphraseFile = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Compare with this root key: asks no cluster."),
    ] = None,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say whether shares make the root key; nothing is written."""
    from leeward.cli.port import Target
    from leeward.cli.rootkeys import verify as verify_shares
    from leeward.cli.session import session_of
    from leeward.cli.shareinput import ShareInput

    session = session_of(context_)
    given = ShareInput(share or [], ask, echo, passphrase_file)
    verify_shares(
        session,
        given,
        lambda: session.connect(Target(kubeconfig, context)),
        operator_namespace,
        id_,
    )


@rootkey.command()
@guarded
def restore(
    context_: typer.Context,
    share: ShareFiles = None,
    ask: Ask = False,
    echo: Echo = False,
    passphrase_file: PassphraseFile = None,
    add: Annotated[
        bool, typer.Option("--add", help="Where another root key is: keep it, and add this one.")
    ] = False,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Put the root key back where it is missing.

    Nothing that is there is written over.
    """
    from leeward.cli.port import Target
    from leeward.cli.rootkeys import restore as restore_key
    from leeward.cli.session import session_of
    from leeward.cli.shareinput import ShareInput

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    given = ShareInput(share or [], ask, echo, passphrase_file)
    restore_key(session, cluster, operator_namespace, given, add=add)


@rootkey.command()
@guarded
def rotate(
    context_: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Wait for the end, at most so long, as in 30m."),
    ] = None,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Put a new root key in the place of the present one, without an outage."""
    from leeward.cli.port import Target
    from leeward.cli.rootkeys import rotate as rotate_key
    from leeward.cli.session import parse_duration, session_of

    session = session_of(context_)
    timeout = None if wait is None else parse_duration(wait)
    cluster = session.connect(Target(kubeconfig, context))
    rotate_key(session, cluster, operator_namespace, sure=yes, timeout=timeout)


@rootkey.command()
@guarded
def status(
    context_: typer.Context,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say which root key is current, and how far a rotation is."""
    from leeward.cli.port import Target
    from leeward.cli.rootkeys import show_status
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    show_status(session, cluster, operator_namespace, output)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.add_typer(rootkey, name="root-key")
