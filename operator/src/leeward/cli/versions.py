"""``leeward version``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from leeward.api.meta import API_VERSION
from leeward.cli.installed import find_deployment
from leeward.cli.output import print_raw
from leeward.cli.port import Cluster
from leeward.cli.session import Session


def show_versions(
    session: Session, connect: Callable[[], Cluster] | None, operator_namespace: str
) -> None:
    """Print one line per part.

    Raises:
        CliError: The cluster does not answer, or refuses; what is known is printed before.
    """
    print_raw(session.out, f"leeward     {version('leeward')} ({API_VERSION})")
    if connect is None:
        return
    cluster = connect()
    print_raw(session.out, f"kubernetes  {cluster.raw('/version')['gitVersion']}")
    deployment = find_deployment(cluster, operator_namespace)
    if deployment is None:
        print_raw(session.out, f"operator    not installed in namespace {operator_namespace}")
        return
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    print_raw(session.out, f"operator    {image}")
