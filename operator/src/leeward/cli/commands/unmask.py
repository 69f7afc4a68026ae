"""unmask."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from leeward.cli.commands.guard import guarded
from leeward.cli.options import Context, Kubeconfig, Namespace, RowsFormat, Timeout


@guarded
def unmask(
    context_: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Name of the masked Dataset.")],
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="Column that they are from.")],
    tokens: Annotated[
        list[str],
        typer.Argument(metavar="TOKEN...", help="The tokens; - reads them, one a line."),
    ],
    purpose: Annotated[
        str, typer.Option(help="What you need the values for; a grant of the Dataset names it.")
    ],
    reason: Annotated[
        str, typer.Option(help="Why they are led back, in 8 characters or more; it is kept.")
    ],
    output: Annotated[
        RowsFormat, typer.Option("--output", "-o", help="How to print.")
    ] = RowsFormat.TABLE,
    timeout: Timeout = "5m",
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Lead tokens of a masked dataset back to what they stand for.

    Their key must be granted for Unmask. A MaskingJob does it, and stays as a record; where it is
    refused, or this command ends before it, it is deleted. The values travel sealed to a key that
    exists only while this command runs.
    """
    from leeward.cli.port import Target
    from leeward.cli.session import parse_duration, session_of
    from leeward.cli.unmasking import UnmaskRequest
    from leeward.cli.unmasking import unmask as lead_back

    seconds = parse_duration(timeout)
    session = session_of(context_)
    cluster = session.connect(Target(kubeconfig, context))
    read = [line.strip() for line in sys.stdin] if tokens == ["-"] else tokens
    request = UnmaskRequest(
        namespace=namespace or cluster.namespace,
        dataset=dataset,
        column=column,
        tokens=[token for token in read if token],
        purpose=purpose,
        reason=reason,
        timeout=seconds,
    )
    lead_back(session, cluster, request, output)


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command()(unmask)
