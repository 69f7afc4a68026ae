"""What the doctor looks at: one read per fact, and a note where the user may not look."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from leeward.api import KINDS
from leeward.cli.enabling import may_with_secrets
from leeward.cli.errors import ApiError
from leeward.cli.installed import DEPLOYMENT, find_deployment
from leeward.cli.kinds import resource_of
from leeward.cli.port import (
    CRDS,
    DAEMON_SETS,
    LEASES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    Cluster,
    Manifest,
)
from leeward.cli.session import Session

T_co = TypeVar("T_co", covariant=True)
SECRET_VERBS: Final = ("create", "update", "delete", "get", "list")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """Something that was looked at.

    Attributes:
        value: What is there.
        hidden: Why it could not be looked at; empty where it could.
    """

    value: T_co
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that checks are given.

    Attributes:
        operator_namespace: Where the operator is looked for.
        client_time, server_time: Both clocks at one moment, UTC.
        secret_rights: Namespace -> verb -> whether the operator may do that with Secrets there.
        api_server: The static pod of the API server, where it is visible.
    """

    operator_namespace: str
    kubernetes: str
    client_time: datetime.datetime
    server_time: datetime.datetime
    crds: Fact[dict[str, Manifest]]
    deployment: Fact[Manifest | None]
    operator_pods: Fact[list[Manifest]]
    lease: Fact[Manifest | None]
    resources: Fact[list[Manifest]]
    secret_rights: Fact[dict[str, dict[str, bool]]]
    storage_classes: Fact[list[Manifest]]
    daemon_sets: Fact[list[Manifest]]
    nodes: Fact[list[Manifest]]
    our_pods: Fact[list[Manifest]]
    api_server: Fact[list[Manifest]]


def gather(session: Session, cluster: Cluster, operator_namespace: str) -> Facts:
    """Look at everything.

    Raises:
        ApiError: The API server does not answer at all.
    """
    version = cluster.raw("/version")["gitVersion"]
    server_time, client_time = cluster.server_time(), session.clock.now()
    resources = _look([], lambda: _our_resources(cluster))
    namespaces = sorted({r["metadata"]["namespace"] for r in resources.value})
    return Facts(
        operator_namespace=operator_namespace,
        kubernetes=version,
        client_time=client_time,
        server_time=server_time,
        crds=_look({}, lambda: _crds(cluster)),
        deployment=_look(None, lambda: find_deployment(cluster, operator_namespace)),
        operator_pods=_look(
            [],
            lambda: cluster.list(
                PODS, operator_namespace, labels="app.kubernetes.io/component=operator"
            ),
        ),
        lease=_look(None, lambda: cluster.find(LEASES, operator_namespace, DEPLOYMENT)),
        resources=resources,
        secret_rights=_look({}, lambda: _secret_rights(cluster, operator_namespace, namespaces)),
        storage_classes=_look([], lambda: cluster.list(STORAGE_CLASSES)),
        daemon_sets=_look([], lambda: cluster.list(DAEMON_SETS)),
        nodes=_look([], lambda: cluster.list(NODES)),
        our_pods=_look([], lambda: cluster.list(PODS, labels="app.kubernetes.io/name=leeward")),
        api_server=_look(
            [], lambda: cluster.list(PODS, "kube-system", labels="component=kube-apiserver")
        ),
    )


def _look(nothing: Any, read: Callable[[], Any]) -> Fact[Any]:
    try:
        return Fact(read())
    except ApiError as error:
        if error.status == 0:
            raise
        return Fact(nothing, error.message)


def _crds(cluster: Cluster) -> dict[str, Manifest]:
    found = {kind.kind: cluster.find(CRDS, None, kind.crd_name) for kind in KINDS}
    return {kind: crd for kind, crd in found.items() if crd is not None}


def _our_resources(cluster: Cluster) -> list[Manifest]:
    return [item for kind in KINDS for item in cluster.list(resource_of(kind))]


def _secret_rights(
    cluster: Cluster, operator_namespace: str, namespaces: list[str]
) -> dict[str, dict[str, bool]]:
    return {
        namespace: {
            verb: may_with_secrets(cluster, operator_namespace, namespace, verb)
            for verb in SECRET_VERBS
        }
        for namespace in namespaces
    }
