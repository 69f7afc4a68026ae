"""``leeward namespace enable`` and ``disable``: whether the operator may deliver keys there."""

from __future__ import annotations

from typing import Any, Final

from leeward.cli.errors import CliError
from leeward.cli.installed import SERVICE_ACCOUNT
from leeward.cli.port import NAMESPACES, ROLE_BINDINGS, ROLES, Cluster, Manifest
from leeward.cli.session import Session

ROLE: Final = "leeward-deliver-keys"
VERBS: Final = ("create", "update", "delete")
"""Never get, list, watch or patch: the operator writes Secrets there blind (a patch would show)."""


def enable_namespace(session: Session, cluster: Cluster, name: str, operator: str) -> None:
    """Create Role and RoleBinding, or put them right.

    Raises:
        CliError: There is no such namespace, or the user may not grant these rights.
    """
    if cluster.find(NAMESPACES, None, name) is None:
        raise CliError(f"there is no namespace {name}", f"create it: kubectl create ns {name}")
    cluster.apply(ROLES, role(name))
    cluster.apply(ROLE_BINDINGS, binding(name, operator))
    session.err.print(
        f"namespace {name} is enabled: the operator in {operator} may create, update and delete"
        " Secrets there, and read none"
    )


def disable_namespace(session: Session, cluster: Cluster, name: str) -> None:
    """Delete Role and RoleBinding."""
    gone = [cluster.delete(kind, name, ROLE) for kind in (ROLE_BINDINGS, ROLES)]
    state = "is disabled now" if any(gone) else "was not enabled by this command"
    session.err.print(f"namespace {name} {state}")


def role(namespace: str) -> Manifest:
    """The Role with the operator's rights in an enabled namespace."""
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": list(VERBS)}]
    return _object("Role", namespace, rules=rules)


def binding(namespace: str, operator: str) -> Manifest:
    """The RoleBinding of that Role to the operator's ServiceAccount."""
    return _object(
        "RoleBinding",
        namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROLE},
        subjects=[{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": operator}],
    )


def _object(kind: str, namespace: str, **fields: Any) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {
            "name": ROLE,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "leeward",
                "app.kubernetes.io/managed-by": "leeward-cli",
            },
        },
        **fields,
    }
