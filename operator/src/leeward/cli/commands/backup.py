"""keys backup, backups, backup forget, restore: wrapped keys in a file, and back."""

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

backup = typer.Typer(invoke_without_command=True)


@backup.callback()
@guarded
def make(
    context_: typer.Context,
    vault: Annotated[
        str | None,
        typer.Option(metavar="NAMESPACE/NAME", help="Keys of this KeyVault only."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Keys of all KeyVaults.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Write wrapped keys to a file; it opens only with the root key.

    The cluster remembers that there is such a file. `forget` says that it is destroyed.
    """
    if context_.invoked_subcommand:
        return
    from leeward.cli.backups import back_up
    from leeward.cli.errors import UsageError
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    if out is None:
        raise UsageError("no file is named", "name one with --out")
    if (vault is None) != all_:
        raise UsageError("it is not said of which keys", "give --vault NAMESPACE/NAME or --all")
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    back_up(session, cluster, operator_namespace, vault, out, force=force)


@backup.command()
@guarded
def forget(
    context_: typer.Context,
    backup_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the backup.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say that every copy of a backup is destroyed."""
    from leeward.cli.backuprecords import forget as forget_backup
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    forget_backup(session, cluster, operator_namespace, backup_id, sure=yes)


@guarded
def backups(
    context_: typer.Context,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the backups that the cluster knows of."""
    from leeward.cli.backuprecords import show_backups
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    show_backups(session, cluster, operator_namespace, output)


@guarded
def restore(
    context_: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Put back wrapped keys that are missing.

    Nothing that is there is written over, and what was shredded is left out.
    """
    from leeward.cli.backups import restore as restore_keys
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    restore_keys(session, cluster, operator_namespace, file)


def add_to(keys: typer.Typer) -> None:
    """Put these commands under `leeward keys`."""
    keys.add_typer(backup, name="backup")
    keys.command()(backups)
    keys.command()(restore)
