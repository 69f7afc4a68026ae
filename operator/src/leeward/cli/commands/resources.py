"""get, describe, logs, wait."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import Context, Kubeconfig, Namespace, OutputFormat, Timeout

ReferenceArgument = Annotated[
    str, typer.Argument(metavar="KIND/NAME", help="The resource, as in maskingjob/visits.")
]
NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Its name, where only the kind stands before."),
]


@guarded
def get(
    context_: typer.Context,
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Kind of resource. Left out: all of Leeward's."),
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name. Left out: all of that kind.")
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")
    ] = False,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print.")
    ] = OutputFormat.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List resources and their state."""
    from leeward.cli.listing import show_resources
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    where = None if all_namespaces else namespace or cluster.namespace
    show_resources(session, cluster, kind, name, where, output)


@guarded
def describe(
    context_: typer.Context,
    reference: ReferenceArgument,
    name: NameArgument = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show a resource as a tree, with its children."""
    from leeward.cli.describing import show_tree
    from leeward.cli.kinds import parse_reference
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    kind, called = parse_reference(reference, name)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    show_tree(session, cluster, kind, namespace or cluster.namespace, called)


@guarded
def logs(
    context_: typer.Context,
    reference: ReferenceArgument,
    name: NameArgument = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the pod ends.")
    ] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only the last so many lines.")] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the log of a resource's newest pod."""
    from leeward.cli.kinds import parse_reference
    from leeward.cli.listing import show_logs
    from leeward.cli.port import Target
    from leeward.cli.session import session_of

    kind, called = parse_reference(reference, name)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    show_logs(session, cluster, kind, namespace or cluster.namespace, called, follow, tail)


@guarded
def wait(
    context_: typer.Context,
    reference: ReferenceArgument,
    name: NameArgument = None,
    condition: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="CONDITION",
            help="Condition: Ready; of workloads also Admitted, Running, Complete, Failed.",
        ),
    ] = "Ready",
    timeout: Timeout = "5m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Wait for a condition; end at once on failure."""
    from leeward.cli.kinds import parse_reference
    from leeward.cli.port import Target
    from leeward.cli.session import parse_duration, session_of
    from leeward.cli.waiting import wait_for

    kind, called = parse_reference(reference, name)
    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    wait_for(session, cluster, kind, namespace or cluster.namespace, called, condition, seconds)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the tree."""
    for command in (get, describe, logs, wait):
        app.command()(command)
