"""Options that several commands share. Only typer may be imported here: help must stay quick."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class RowsFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="Namespace. Left out: that of the context.",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(help="Context of the kubeconfig file.", envvar="KUBE_CONTEXT"),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option(
        help="Kubeconfig file. Left out: $KUBECONFIG, else ~/.kube/config.",
    ),
]
OperatorNamespace = Annotated[
    str,
    typer.Option(
        help="Namespace of the installed operator.",
        envvar="LEEWARD_SYSTEM_NAMESPACE",
    ),
]
DEFAULT_OPERATOR_NAMESPACE = "leeward-system"
Timeout = Annotated[
    str, typer.Option(help="How long to wait at most: 500ms, 30s, 5m, 2h, 1d.", metavar="DURATION")
]
