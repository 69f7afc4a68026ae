"""``leeward version``."""

from __future__ import annotations

from importlib.metadata import version

from leeward.api.meta import API_VERSION
from leeward.cli.errors import ApiError
from leeward.cli.installed import find_deployment
from leeward.cli.output import print_raw
from leeward.cli.port import Cluster
from leeward.cli.session import Session


def show_versions(session: Session, cluster: Cluster | None, operator_namespace: str) -> None:
    """Print one line per part; what cannot be asked says why."""
    print_raw(session.out, f"leeward     {version('leeward')} ({API_VERSION})")
    if cluster is None:
        return
    try:
        print_raw(session.out, f"kubernetes  {cluster.raw('/version')['gitVersion']}")
        deployment = find_deployment(cluster, operator_namespace)
    except ApiError as error:
        session.err.print(error.message)
        return
    if deployment is None:
        print_raw(session.out, f"operator    not installed in namespace {operator_namespace}")
        return
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    print_raw(session.out, f"operator    {image}")
