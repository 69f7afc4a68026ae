"""What the commands need of a cluster: a port, and the few API resources that they touch.

``leeward.cli.cluster`` is the adapter for a real API server; tests bring a fake.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from leeward.cli.errors import UsageError

Manifest: TypeAlias = dict[str, Any]
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One resource of the API server, and how its URL is made."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """URL path of the collection (in all namespaces, where none is given) or of one object.

        Raises:
            UsageError: A name is none that an object can have.
        """
        for part in (namespace or None, name):
            if part is not None and not _NAME.fullmatch(part):
                raise UsageError(
                    f"{part!r} is no name of an object",
                    "a name has small letters, digits, - and . only",
                )
        root = "/api" if "/" not in self.api_version else "/apis"
        path = f"{root}/{self.api_version}"
        if self.namespaced and namespace:
            path += f"/namespaces/{namespace}"
        path += f"/{self.plural}"
        return f"{path}/{name}" if name else path


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster: a kubeconfig file and a context of it; None: as kubectl would choose."""

    kubeconfig: str | None = None
    context: str | None = None


class RemoteProcess(Protocol):
    """A command that runs in a container.

    There is no exit code: with input left unread, runtimes give a wrong one, or none. A command
    says on its standard output how it ended.
    """

    def write(self, data: bytes | memoryview, /) -> int:
        """Send to its standard input; returns the bytes taken, which is all of them.

        Raises:
            ApiError: The connection broke, or the command ended.
        """

    def said(self) -> bytes:
        """What it has written to standard output so far, without waiting."""

    def line(self, timeout: float) -> bytes:
        """The first line of its standard output; cut short where it ended within it.

        Raises:
            ApiError: There was none in that many seconds, or the connection broke.
        """


class Cluster(Protocol):
    """A Kubernetes API server, as the user of the command reaches it.

    Every method raises ``ApiError`` where the server refuses or cannot be reached.
    """

    @property
    def namespace(self) -> str:
        """Namespace of the chosen context; ``default`` where it names none."""

    @property
    def address(self) -> str:
        """URL of the API server, for messages."""

    def find(self, resource: ApiResource, namespace: str | None, name: str) -> Manifest | None:
        """One object, or None where there is none."""

    def list(
        self,
        resource: ApiResource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """All objects (in all namespaces, where none is given)."""

    def table(self, resource: ApiResource, namespace: str | None, name: str | None) -> Manifest:
        """The objects as a meta.k8s.io/v1 Table with the printer columns of the resource."""

    def create(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """Create an object; the answer is what the server made of it."""

    def apply(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """Server-side apply, taking over fields of others."""

    def replace(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """PUT over the resourceVersion in the manifest; ``ApiError`` 409 where that has changed."""

    def annotate(
        self, resource: ApiResource, namespace: str, name: str, annotations: dict[str, str]
    ) -> None:
        """Set annotations (merge patch)."""

    def delete(self, resource: ApiResource, namespace: str | None, name: str) -> bool:
        """Delete an object; False where there was none."""

    def logs(
        self, namespace: str, pod: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[bytes]:
        """Log of the pod's only container, in pieces."""

    def execute(
        self, namespace: str, pod: str, command: tuple[str, ...]
    ) -> AbstractContextManager[RemoteProcess]:
        """Run a command in the pod's only container, with its standard input open."""

    def fetch_from_pod(
        self,
        method: str,
        namespace: str,
        pod: str,
        port: int,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """One HTTP request to a pod through a port-forward; the body of a 2xx answer."""

    def raw(self, path: str) -> Any:
        """A JSON document that is no resource, such as /version."""

    def server_time(self) -> datetime.datetime:
        """The API server's clock, UTC, to the second (Date header)."""


PODS: Final = ApiResource("v1", "Pod", "pods")
EVENTS: Final = ApiResource("v1", "Event", "events")
SECRETS: Final = ApiResource("v1", "Secret", "secrets")
CONFIG_MAPS: Final = ApiResource("v1", "ConfigMap", "configmaps")
NODES: Final = ApiResource("v1", "Node", "nodes", namespaced=False)
NAMESPACES: Final = ApiResource("v1", "Namespace", "namespaces", namespaced=False)
JOBS: Final = ApiResource("batch/v1", "Job", "jobs")
NETWORK_POLICIES: Final = ApiResource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DEPLOYMENTS: Final = ApiResource("apps/v1", "Deployment", "deployments")
LEASES: Final = ApiResource("coordination.k8s.io/v1", "Lease", "leases")
ROLES: Final = ApiResource("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDINGS: Final = ApiResource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
STORAGE_CLASSES: Final = ApiResource(
    "storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False
)
CRDS: Final = ApiResource(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
SUBJECT_ACCESS_REVIEWS: Final = ApiResource(
    "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)
SELF_SUBJECT_REVIEWS: Final = ApiResource(
    "authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False
)
DAEMON_SETS: Final = ApiResource("apps/v1", "DaemonSet", "daemonsets")

CHILDREN: Final = {(r.api_version, r.kind): r for r in (PODS, CONFIG_MAPS, JOBS, NETWORK_POLICIES)}
"""Children of our resources that a user may look at. Secrets are not among them, on purpose."""
