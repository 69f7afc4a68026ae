"""keys usage: what depends on the keys of a vault."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import Context, Kubeconfig, Namespace, RowsFormat


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


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.command()(usage)
