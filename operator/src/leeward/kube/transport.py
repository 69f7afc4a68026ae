"""HTTP to the API server through the official client's connection set-up and pool."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from leeward.kube.client import APPLY_PATCH
from leeward.plans.shared.faults import TransientError
from leeward.plans.shared.model import Manifest

REQUEST_TIMEOUT: Final = 30.0
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


async def load_configuration(
    kubeconfig: str | None, context: str | None, connections: int
) -> Configuration:
    """How to reach the API server.

    Args:
        kubeconfig: Path of a kubeconfig. None: the service account where there is one (in a pod),
            else the user's own kubeconfig.
        context: Context in the kubeconfig, or None for its current one.
        connections: Most connections at once.

    Raises:
        kubernetes.aio.config.ConfigException: Neither is there, or the file is not in order.
    """
    configuration = Configuration()
    loader: Any = config
    if kubeconfig is None and _TOKEN.exists():
        loader.load_incluster_config(client_configuration=configuration)
    else:
        await loader.load_kube_config(
            config_file=kubeconfig, context=context, client_configuration=configuration
        )
    configuration.connection_pool_maxsize = connections
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


async def authorization(configuration: Configuration) -> str | None:
    """The Authorization header as it is now: tokens of service accounts are replaced in time."""
    settings = await configuration.auth_settings()
    token = settings.get("BearerToken")
    return str(token["value"]) if token else None


def yaml_bytes(body: Manifest | None) -> bytes:
    """A document that is JSON and YAML: server-side apply reads YAML.

    JSON writes characters beyond U+FFFF as two escapes, which YAML refuses; so they stand as they
    are, and what YAML refuses to see as it is gets an escape.
    """
    text = json.dumps(body, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


class HttpTransport:
    """Exchanges requests over HTTP/1.1 connections that are kept open."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._host = configuration.host.rstrip("/")
        self._api: Any = ApiClient(configuration)
        self._timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request (see ``kube.client.Transport``)."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        token = await authorization(self._configuration)
        if token is not None:
            headers["Authorization"] = token
        payload: Manifest | bytes | None = body
        if content_type == APPLY_PATCH:
            # With a parameter in its type the client sends the bytes as they are.
            headers["Content-Type"] = f"{APPLY_PATCH}; charset=utf-8"
            payload = yaml_bytes(body)
        try:
            response = await self._api.rest_client.request(
                method,
                self._host + path,
                headers=headers,
                body=payload,
                _request_timeout=self._timeout,
            )
            return response.status, response.headers, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"the API server did not answer: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()
