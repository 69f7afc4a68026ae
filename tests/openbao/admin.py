"""What an administrator of an OpenBao server does, over its HTTP API."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from typing import Any

PATIENCE = 20.0


class Administrator:
    """Talks to one server at a port of 127.0.0.1.

    Attributes:
        port: The port.
        ca_pem: The authority that its certificate comes from.
    """

    def __init__(self, port: int, ca_pem: str) -> None:
        self.port = port
        self.ca_pem = ca_pem
        self._trust = ssl.create_default_context(cadata=ca_pem)

    def call(
        self, method: str, path: str, body: object = None, *, namespace: str = ""
    ) -> dict[str, Any]:
        """What the administrator does; fails on any refusal."""
        status, document = self.ask(method, path, body, namespace=namespace)
        assert 200 <= status < 300, f"{method} {path}: HTTP status {status} {document}"
        return document

    def ask(
        self, method: str, path: str, body: object = None, *, namespace: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """The same, with whatever status."""
        headers = {"X-Vault-Token": getattr(self, "root_token", "")}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self._trust, timeout=PATIENCE
        )
        with contextlib.closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/v1/{path}", text, headers)
            response = connection.getresponse()
            received = response.read()
        return response.status, json.loads(received) if received else {}

    def initialise(self) -> None:
        """Make its keys, and unseal it."""
        made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.root_token: str = made["root_token"]
        self._unseal_key: str = made["keys"][0]
        self.unseal()

    def seal(self) -> None:
        """It answers nothing but 503 then."""
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Until it serves again."""
        self.call("PUT", "sys/unseal", {"key": self._unseal_key})
        end = time.monotonic() + PATIENCE
        while self.ask("GET", "sys/health")[0] != 200:
            assert time.monotonic() < end, "the server does not come up after it was unsealed"
            time.sleep(0.02)
