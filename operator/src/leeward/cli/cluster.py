"""The port ``Cluster`` on a real API server, by the official client (the synchronous one).

The operator's own client (``leeward.kube``) is asynchronous, limits its own rate and hides quoted
values; a command at a terminal wants none of that, but needs exec and port-forward. Documents are
raw: the typed models cost more than the requests.
"""

from __future__ import annotations

import datetime
import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger
from kubernetes.stream import portforward, stream

from leeward.cli.errors import ApiError, UsageError
from leeward.cli.port import PODS, ApiResource, Manifest, RemoteProcess, Target
from leeward.cli.refusals import NoSuchObjectError, first_line, refused, refused_stream
from leeward.cli.remoteprocess import WebSocketProcess

FIELD_MANAGER: Final = "leeward-cli"
TIMEOUT: Final = urllib3.Timeout(connect=10, read=60)
FOLLOW_TIMEOUT: Final = urllib3.Timeout(connect=10, read=None)
FORWARD_TIMEOUT: Final = 60.0
JSON: Final = "application/json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PAGE: Final = 500
CHOICE_REMEDY: Final = (
    "name a kubeconfig file with --kubeconfig or $KUBECONFIG, and one of its contexts with"
    " --context"
)
_IMPERSONATION: Final = ("as", "as-uid", "as-groups", "as-user-extra")


def connect(target: Target) -> HttpCluster:
    """The cluster of a kubeconfig context. No request is sent yet.

    Raises:
        UsageError: There is no such file or context.
    """
    if target.kubeconfig and not Path(target.kubeconfig).is_file():
        raise UsageError(f"there is no kubeconfig file {target.kubeconfig}", CHOICE_REMEDY)
    configuration = Configuration()
    untyped: Any = config
    try:
        contexts, current = untyped.list_kube_config_contexts(target.kubeconfig)
        api = untyped.new_client_from_config(
            target.kubeconfig,
            target.context,
            persist_config=False,
            client_configuration=configuration,
        )
    except yaml.YAMLError as error:
        raise UsageError("the kubeconfig file is no YAML", CHOICE_REMEDY) from error
    except (config.ConfigException, OSError) as error:
        raise UsageError(f"no cluster is chosen: {first_line(error)}", CHOICE_REMEDY) from error
    chosen = next((c for c in contexts if c["name"] == target.context), current)
    _refuse_impersonation(target, chosen["context"].get("user"))
    return HttpCluster(api, chosen["context"].get("namespace") or "default")


def _refuse_impersonation(target: Target, user: str | None) -> None:
    """The client leaves ``as`` of a kubeconfig out: the command would run with other rights."""
    untyped: Any = KubeConfigMerger
    merged = untyped(target.kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION).config
    entry = merged["users"].get_with_name(user, safe=True)
    if entry is not None and any(member in entry["user"] for member in _IMPERSONATION):
        raise UsageError(
            f"user {user} of the kubeconfig acts as somebody else (as), which leeward does not do",
            "choose a --context whose user has credentials of its own",
        )


class HttpCluster:
    """A Kubernetes API server over HTTP and WebSockets."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self._api = api
        self._pool: urllib3.PoolManager = api.rest_client.pool_manager
        self._namespace = namespace

    @property
    def namespace(self) -> str:
        """Namespace of the chosen context; ``default`` where it names none."""
        return self._namespace

    @property
    def address(self) -> str:
        """URL of the API server, for messages."""
        return str(self._api.configuration.host)

    def find(self, resource: ApiResource, namespace: str | None, name: str) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return self._json("GET", resource.path(namespace, name))
        except NoSuchObjectError:
            return None

    def list(
        self,
        resource: ApiResource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """All objects (in all namespaces, where none is given), read in pages."""
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        items: list[Manifest] = []
        while True:
            page = self._json("GET", resource.path(namespace), query=query)
            kind = {"apiVersion": resource.api_version, "kind": resource.kind}
            items.extend(kind | item for item in page["items"])
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                return items

    def table(self, resource: ApiResource, namespace: str | None, name: str | None) -> Manifest:
        """The objects as a meta.k8s.io/v1 Table with the printer columns of the resource."""
        return self._json("GET", resource.path(namespace, name), accept=TABLE)

    def create(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """Create an object; the answer is what the server made of it."""
        path = resource.path(manifest["metadata"].get("namespace"))
        return self._json("POST", path, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    def apply(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """Server-side apply, taking over fields of others."""
        metadata = manifest["metadata"]
        return self._json(
            "PATCH",
            resource.path(metadata.get("namespace"), metadata["name"]),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    def replace(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        """PUT over the resourceVersion in the manifest; ``ApiError`` 409 where that has changed."""
        metadata = manifest["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        return self._json("PUT", path, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    def annotate(
        self, resource: ApiResource, namespace: str, name: str, annotations: dict[str, str]
    ) -> None:
        """Set annotations (merge patch)."""
        self._json(
            "PATCH",
            resource.path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body={"metadata": {"annotations": annotations}},
            content_type="application/merge-patch+json",
        )

    def delete(self, resource: ApiResource, namespace: str | None, name: str) -> bool:
        """Delete an object; False where there was none."""
        try:
            self._json(
                "DELETE", resource.path(namespace, name), body={"propagationPolicy": "Background"}
            )
        except NoSuchObjectError:
            return False
        return True

    def logs(
        self, namespace: str, pod: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[bytes]:
        """Log of the pod's only container, in pieces."""
        query = {
            "follow": "true" if follow else "",
            "tailLines": "" if tail is None else str(tail),
        }
        timeout = FOLLOW_TIMEOUT if follow else TIMEOUT
        path = PODS.path(namespace, pod) + "/log"
        response = self._request("GET", path, query=query, timeout=timeout)
        try:
            yield from response.stream(1 << 16)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        finally:
            response.release_conn()

    @contextmanager
    def execute(
        self, namespace: str, pod: str, command: tuple[str, ...]
    ) -> Iterator[RemoteProcess]:
        """Run a command in the pod's only container, with its standard input open."""
        try:
            connection = stream(
                self._core().connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=list(command),
                stdin=True,
                stdout=True,
                stderr=True,
                tty=False,
                binary=True,
                _preload_content=False,
            )
        except ApiException as error:
            raise refused_stream(error) from error
        try:
            yield WebSocketProcess(connection)
        finally:
            connection.close()

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
        try:
            forward = portforward(
                self._core().connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
            )
        except ApiException as error:
            raise refused_stream(error) from error
        connection = http.client.HTTPConnection("localhost", port, timeout=FORWARD_TIMEOUT)
        connection.sock = forward.socket(port)
        connection.sock.settimeout(FORWARD_TIMEOUT)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            why = forward.error(port) or type(error).__name__
            raise ApiError(0, f"pod {pod} did not answer on port {port}: {why}") from error
        finally:
            connection.close()
            forward.close()
        if response.status >= 300:
            raise ApiError(response.status, f"pod {pod} answered {response.status} to {path}")
        return body

    def _core(self) -> Any:
        # Imported here: its models take almost a second, and only exec and port-forward need it.
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._api)

    def raw(self, path: str) -> Any:
        """A JSON document that is no resource, such as /version."""
        return self._json("GET", path)

    def server_time(self) -> datetime.datetime:
        """The API server's clock, UTC, to the second (Date header)."""
        response = self._request("GET", "/version")
        response.drain_conn()
        return parsedate_to_datetime(response.headers["Date"])

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        accept: str = JSON,
        content_type: str = JSON,
    ) -> Manifest:
        response = self._request(
            method, path, query=query, body=body, accept=accept, content_type=content_type
        )
        document: Manifest = json.loads(response.data)
        return document

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        accept: str = JSON,
        content_type: str = JSON,
        timeout: urllib3.Timeout = TIMEOUT,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, data)
        given = {k: v for k, v in (query or {}).items() if v}
        url = self.address + path + (f"?{urlencode(given)}" if given else "")
        try:
            response = self._pool.request(
                method, url, body=data, headers=headers, timeout=timeout, preload_content=False
            )
            if response.status >= 400:
                raise refused(response.status, response.data)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        return response

    def _unreachable(self, error: Exception) -> ApiError:
        reason = getattr(error, "reason", None) or error
        return ApiError(
            0,
            f"the API server at {urlsplit(self.address).netloc} does not answer:"
            f" {first_line(reason)}",
            "check that the cluster runs, and that --context names the right one",
        )
