"""Paths of the API objects that the operator deals with.

A table, not discovery: the operator knows what it makes, and a start needs no extra calls.
"""

import re
from typing import Final

from leeward.api import KINDS
from leeward.api.meta import API_VERSION
from leeward.kube.errors import NotFoundError
from leeward.plans.shared.model import Manifest, ObjectRef

PLURALS: Final[dict[tuple[str, str], str]] = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Namespace"): "namespaces",
    ("v1", "PersistentVolumeClaim"): "persistentvolumeclaims",
    ("v1", "Pod"): "pods",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("v1", "ServiceAccount"): "serviceaccounts",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("batch/v1", "Job"): "jobs",
    ("coordination.k8s.io/v1", "Lease"): "leases",
    ("events.k8s.io/v1", "Event"): "events",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
    **{(API_VERSION, kind.kind): kind.plural for kind in KINDS},
}
"""(apiVersion, kind) -> plural."""

_CLUSTER_SCOPED: Final = frozenset({("v1", "Namespace")})
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def collection_path(api_version: str, kind: str, namespace: str | None) -> str:
    """Path of all objects of a kind, in one namespace or (None) in all.

    Raises:
        KeyError: The kind is not in the table.
    """
    plural = PLURALS[api_version, kind]
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    if namespace is None or (api_version, kind) in _CLUSTER_SCOPED:
        return f"{root}/{plural}"
    return f"{root}/namespaces/{namespace}/{plural}"


def object_path(ref: ObjectRef, subresource: str = "") -> str:
    """Path of one object, or of a subresource of it.

    Raises:
        NotFoundError: Nothing is ever called so. Users write some of these names, and one with
            dots and slashes would lead to an object that they may not have the operator read.
    """
    if _NAME.fullmatch(ref.name) is None:
        raise NotFoundError(f"no {ref.kind} can have this name", 404, "NotFound")
    path = f"{collection_path(ref.api_version, ref.kind, ref.namespace)}/{ref.name}"
    return f"{path}/{subresource}" if subresource else path


def ref_of(manifest: Manifest) -> ObjectRef:
    """The name of an object, read from its manifest."""
    metadata = manifest["metadata"]
    return ObjectRef(
        manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"]
    )
