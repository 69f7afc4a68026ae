"""Which role gives a right that somebody lacks: those of the chart, and Kubernetes' own.

The chart's roles stand in ``charts/leeward/templates/roles.yaml``; a test holds this table to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leeward.api import KINDS
from leeward.api.meta import GROUP

SCIENTIST: Final = "leeward-scientist"
STEWARD: Final = "leeward-steward"
AUDITOR: Final = "leeward-auditor"
READ: Final = frozenset({"get", "list", "watch"})
WRITE: Final = frozenset({"create", "update", "patch", "delete"})

_ALL: Final = (AUDITOR, SCIENTIST, STEWARD)
_WORKLOADS: Final = frozenset(kind.plural for kind in KINDS if kind.is_workload)
_READABLE: Final = frozenset(
    {
        ("", "events"),
        ("events.k8s.io", "events"),
        ("", "pods"),
        ("", "pods/log"),
        ("", "configmaps"),
        ("batch", "jobs"),
    }
)
_OF_KUBERNETES: Final = {
    ("", "namespaces"): (READ, "view"),
    ("apps", "deployments"): (READ, "view"),
    ("", "pods"): (WRITE, "edit"),
    ("", "pods/exec"): (READ | WRITE, "edit"),
    ("rbac.authorization.k8s.io", "roles"): (READ | WRITE, "admin"),
    ("rbac.authorization.k8s.io", "rolebindings"): (READ | WRITE, "admin"),
}
"""What the commands ask for that no role of the chart gives: verbs, and the role that has them."""

_DENIAL: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)'
)


@dataclass(frozen=True, slots=True)
class Denial:
    """A request that the authorizer of the API server refused.

    Attributes:
        namespace: Empty: cluster-wide.
    """

    user: str
    verb: str
    group: str
    resource: str
    namespace: str

    @classmethod
    def read(cls, message: str) -> Denial | None:
        """What the API server's sentence says; None: something else refused it."""
        found = _DENIAL.search(message)
        if found is None:
            return None
        parts = found.groupdict(default="")
        return cls(
            parts["user"], parts["verb"], parts["group"], parts["resource"], parts["namespace"]
        )


def roles_with(verb: str, group: str, resource: str) -> tuple[str, ...]:
    """ClusterRoles that give a right, the least first; none: only who runs the cluster has it."""
    if group == GROUP:
        if verb in READ:
            return _ALL
        return (SCIENTIST if resource in _WORKLOADS else STEWARD,) if verb in WRITE else ()
    if verb in READ and (group, resource) in _READABLE:
        return _ALL
    if (group, resource) == ("", "pods/portforward") and verb in ("get", "create"):
        return (SCIENTIST,)
    verbs, role = _OF_KUBERNETES.get((group, resource), (frozenset(), ""))
    return (role,) if verb in verbs else ()


def remedy_for(message: str) -> str:
    """What to do about an answer 403 with this message.

    Not every one is about rights: Pod Security, quotas and admission policies answer so as well.
    """
    denial = Denial.read(message)
    if denial is None:
        return (
            "this is a rule of the namespace or the cluster, not a role that you lack: change what"
            " it names, or ask who runs the cluster"
        )
    what = f"{denial.resource}.{denial.group}" if denial.group else denial.resource
    where = f"in namespace {denial.namespace}" if denial.namespace else "in the whole cluster"
    roles = roles_with(denial.verb, denial.group, denial.resource)
    if not roles:
        return f"to {denial.verb} {what} {where}, ask an administrator of the cluster"
    bind = (
        f"kubectl create rolebinding NAME -n {denial.namespace}"
        if denial.namespace
        else "kubectl create clusterrolebinding NAME"
    )
    narrower = "" if denial.namespace else "; or name one namespace with --namespace"
    return (
        f"to {denial.verb} {what} {where} you need ClusterRole {' or '.join(roles)}; an"
        f" administrator gives it: {bind} --clusterrole {roles[0]} --user {denial.user}{narrower}"
    )
