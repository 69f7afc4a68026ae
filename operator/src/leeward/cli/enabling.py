"""``leeward namespace enable`` and ``disable``: whether the operator may deliver keys there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from leeward.api import KINDS, Kind
from leeward.cli.conditions import condition_of
from leeward.cli.errors import FORBIDDEN, ApiError, CliError
from leeward.cli.installed import SERVICE_ACCOUNT
from leeward.cli.kinds import resource_of
from leeward.cli.output import print_raw
from leeward.cli.port import (
    NAMESPACES,
    ROLE_BINDINGS,
    ROLES,
    SUBJECT_ACCESS_REVIEWS,
    Cluster,
    Manifest,
)
from leeward.cli.refusals import NOT_FOUND
from leeward.cli.session import Session

ROLE: Final = "leeward-deliver-keys"
_NOT_ENABLED: Final = "NamespaceNotEnabled"
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
        " Secrets there, and read none, and mark pods that are to load new keys; what waited for it"
        " goes on within 15 seconds"
    )


def disable_namespace(session: Session, cluster: Cluster, name: str) -> None:
    """Delete Role and RoleBinding, and name the Secrets with keys that stay there."""
    gone = [cluster.delete(kind, name, ROLE) for kind in (ROLE_BINDINGS, ROLES)]
    state = "is disabled now" if any(gone) else "was not enabled by this command"
    session.err.print(f"namespace {name} {state}")
    try:
        left = [line for kind in KINDS for line in _secrets_of(kind, cluster, name)]
    except ApiError as error:
        if error.status == NOT_FOUND:
            return  # the operator was uninstalled with its kinds
        if error.status != FORBIDDEN:
            raise
        print_raw(session.err, f"warning: which keys stay in {name} you may not see: {error}")
        return
    if not any(gone) or not left:
        return
    print_raw(
        session.err,
        "warning: these Secrets with keys stay, and the operator can neither renew nor remove them"
        " there any more, also when a grant ends:",
    )
    for line in left:
        print_raw(session.err, f"- {line}")
    print_raw(
        session.err,
        f"  enable {name} again to have them looked after (leeward namespace enable {name}), or"
        " delete what they belong to, and the pods that mount them",
    )


def _secrets_of(kind: Kind, cluster: Cluster, namespace: str) -> Iterator[str]:
    """Secrets with keys that resources of a kind have there, by what their statuses say."""
    for found in cluster.list(resource_of(kind), namespace):
        status: dict[str, Any] = found.get("status") or {}
        names = [c["name"] for c in status.get("children") or () if c["kind"] == "Secret"]
        if "writtenAt" in (status.get("secret") or {}):
            names.append(found["spec"]["secretName"])
        for name in names:
            yield f"Secret {name} of {kind.kind} {found['metadata']['name']}"


def check_enabled(cluster: Cluster, dataset: Manifest, operator: str | None) -> None:
    """See that the operator may deliver the key that opens a sealed Dataset's file.

    Args:
        cluster: Where it is.
        dataset: A sealed one.
        operator: Namespace of the operator; None: not known. Where it cannot be asked, the
            Dataset's own condition tells.

    Raises:
        CliError: It may not.
    """
    namespace = dataset["metadata"]["namespace"]
    enabled = None if operator is None else _enabled(cluster, operator, namespace)
    if enabled is None:
        ready = condition_of(dataset, "Ready")
        enabled = ready is None or not ready.current or ready.reason != _NOT_ENABLED
    if not enabled:
        raise CliError(
            f"namespace {namespace} is not enabled: the operator may not deliver the key there"
            " that opens the file, so nothing was sent",
            f"an administrator runs: leeward namespace enable {namespace}; then put it again",
        )


def _enabled(cluster: Cluster, operator: str, namespace: str) -> bool | None:
    """Whether the operator has its rights there; None where the user may not ask."""
    try:
        return all(may_with_secrets(cluster, operator, namespace, verb) for verb in VERBS)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return None


def may_with_secrets(cluster: Cluster, operator: str, namespace: str, verb: str) -> bool:
    """Whether the operator (in namespace ``operator``) may do that with Secrets there."""
    attributes = {"namespace": namespace, "verb": verb, "resource": "secrets"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": f"system:serviceaccount:{operator}:{SERVICE_ACCOUNT}",
            "resourceAttributes": attributes,
        },
    }
    return bool(cluster.create(SUBJECT_ACCESS_REVIEWS, review)["status"]["allowed"])


def role(namespace: str) -> Manifest:
    """The Role with the operator's rights in an enabled namespace."""
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": list(VERBS)},
        # Marking a pod makes its kubelet fetch new keys at once.
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]},
    ]
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
