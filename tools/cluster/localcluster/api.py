"""Questions to the API server through the relay, without starting kubectl for each."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import datetime
from typing import Any

from localcluster.layout import PKI


class Api:
    """A client with the administrator's certificate."""

    def __init__(self, port: int) -> None:
        """Take the relay's port on the machine's loopback."""
        self._port = port
        self._context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
        self._context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status code and body; code 0 where nobody answers."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=5, context=self._context
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        return self.get("/readyz")[0] == 200

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the items of a list, empty where nobody answers."""
        code, body = self.get(path)
        return json.loads(body)["items"] if code == 200 else []

    def node_ready(self, name: str, since: float = 0) -> bool:
        """Tell whether a node has said since a moment (Unix time, seconds) that it is Ready."""
        code, body = self.get(f"/api/v1/nodes/{name}")
        conditions = json.loads(body)["status"].get("conditions", []) if code == 200 else []
        return any(
            condition["type"] == "Ready"
            and condition["status"] == "True"
            and _seconds(condition["lastHeartbeatTime"]) >= int(since)
            for condition in conditions
        )

    def deployment_ready(self, namespace: str, name: str, running: set[str]) -> bool:
        """Tell whether every pod of a deployment's current version is ready, and really runs.

        What the API server holds may be from before a crash of the node.

        Args:
            namespace: of the deployment.
            name: of the deployment.
            running: ids of the containers that run on the nodes.
        """
        code, body = self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        if code != 200:
            return False
        found = json.loads(body)
        status, wanted = found.get("status", {}), found["spec"]["replicas"]
        if (
            status.get("observedGeneration") != found["metadata"]["generation"]
            or status.get("updatedReplicas", 0) != wanted
            or status.get("replicas", 0) != wanted
            or status.get("availableReplicas", 0) != wanted
        ):
            return False
        labels = found["spec"]["selector"]["matchLabels"].items()
        selector = ",".join(f"{key}%3D{value}" for key, value in labels)
        pods = self.items(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")
        states = [state for pod in pods for state in pod["status"].get("containerStatuses", [])]
        ids = {state.get("containerID", "").removeprefix("containerd://") for state in states}
        return bool(states) and all(state["ready"] for state in states) and ids <= running


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
