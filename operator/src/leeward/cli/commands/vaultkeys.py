"""keys usage, shred: what depends on the keys of a vault, and destroying them."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import Context, Kubeconfig, Namespace, RowsFormat, Timeout


@guarded
def usage(
    context_: typer.Context,
    vault: Annotated[str, typer.Argument(metavar="VAULT", help="The KeyVault.")],
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A key in it. Left out: all.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Only what depends on this version.")
    ] = None,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show which Datasets and other artefact keys depend on which version of a key.

    What is counted comes from the status of the KeyVault. Datasets are shown of every namespace
    that you may list.
    """
    from leeward.cli.port import Target
    from leeward.cli.session import session_of
    from leeward.cli.usage import find_usage, show_usage

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    found = find_usage(cluster, namespace or cluster.namespace, vault, key, version)
    show_usage(session, found, output)


@guarded
def shred(
    context_: typer.Context,
    reference: Annotated[
        str,
        typer.Argument(metavar="KIND/NAME", help="What to shred: keyvault/NAME or dataset/NAME."),
    ],
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only old versions of this key of the vault.")
    ] = None,
    below: Annotated[
        int | None, typer.Option(min=2, metavar="NUMBER", help="The first version that stays.")
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its name, for programs. Left out: it is asked for."),
    ] = None,
    timeout: Timeout = "30s",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Destroy keys for good: those of a vault, that of a Dataset's file, or old versions of a key.

    It shows what becomes unreadable and asks for the name. The operator destroys nothing before
    every known backup of the keys is forgotten (leeward keys backup forget).
    """
    from leeward.cli.kinds import parse_reference
    from leeward.cli.port import Target
    from leeward.cli.session import parse_duration, session_of
    from leeward.cli.shredding import Request
    from leeward.cli.shredding import shred as ask_for

    kind, name = parse_reference(reference, None)
    session = session_of(context_)
    seconds = parse_duration(timeout)
    cluster = session.connect(Target(kubeconfig, context))
    where = namespace or cluster.namespace
    ask_for(session, cluster, Request(kind, where, name, key, below, confirm, seconds))


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    for command in (usage, shred):
        app.command()(command)
