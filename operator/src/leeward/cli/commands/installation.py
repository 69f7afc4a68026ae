"""doctor, namespace enable and disable, version."""

from __future__ import annotations

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

NamespaceArgument = Annotated[str, typer.Argument(metavar="NAMESPACE", help="The namespace.")]
namespace = typer.Typer(
    no_args_is_help=True, help="Let the operator deliver keys into a namespace, or not."
)


@guarded
def doctor(
    context_: typer.Context,
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say what is wrong, and what to do about it."""
    from leeward.cli.doctor.run import examine
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    examine(session, cluster, operator_namespace, output)


@namespace.command()
@guarded
def enable(
    context_: typer.Context,
    name: NamespaceArgument,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let the operator deliver keys there.

    Makes a Role and a RoleBinding: Secrets may be created, updated, deleted, and not read.
    """
    from leeward.cli.enabling import enable_namespace
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    enable_namespace(session, cluster, name, operator_namespace)


@namespace.command()
@guarded
def disable(
    context_: typer.Context,
    name: NamespaceArgument,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take that leave back.

    Workloads there get condition NamespaceNotEnabled. Secrets with keys that are there stay, and
    are named.
    """
    from leeward.cli.enabling import disable_namespace
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    disable_namespace(session, cluster, name)


@guarded
def version(
    context_: typer.Context,
    client: Annotated[
        bool, typer.Option("--client", help="Only of this program: asks no cluster.")
    ] = False,
    operator_namespace: OperatorNamespace = DEFAULT_OPERATOR_NAMESPACE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print versions: program, operator, Kubernetes."""
    from leeward.cli.port import Target
    from leeward.cli.session import session_of
    from leeward.cli.versions import show_versions

    session = session_of(context_)
    target = Target(kubeconfig, context)
    connect = None if client else lambda: session.connect(target)
    show_versions(session, connect, operator_namespace)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    app.command()(doctor)
    app.add_typer(namespace, name="namespace")
    app.command()(version)
