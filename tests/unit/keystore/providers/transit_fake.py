"""A Transit server in the process of the test: it answers at once, and fails as it is told to.

Its ciphertexts are no secret: it stands for what a server says, not for what it computes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from aiohttp import web

from leeward.keystore.providers.transit.config import TransitAuth, TransitConfig
from openbao.certificates import ServerFiles

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = {
    "type": "aes256-gcm96",
    "latest_version": 1,
    "min_decryption_version": 1,
    "min_available_version": 0,
}


@dataclass
class FakeTransit:
    """One server with one key.

    Attributes:
        faults: What it does with the next requests instead of answering them.
        asked: Method and path of each request, with the body.
        headers: Of the last request.
        tokens: Seconds that each token has been given.
        secret_id, jwt: What opens a login.
        lease: Seconds that a login gives.
        renews: Seconds that a renewal gives; None: it is refused.
        renewable: Whether its tokens are.
        allowed: Whether policies allow everything.
        key: What it says of its key; None: there is none.
        makes_keys: Whether the policy allows to make one.
        ignores_aad: Whether it is so old that it does.
    """

    files: ServerFiles
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    secret_id: str = "secret-id"
    jwt: str = "header.claims.signature"
    lease: int = 600
    renews: int | None = 600
    renewable: bool = True
    allowed: bool = True
    key: dict[str, Any] | None = field(default_factory=lambda: dict(KEY))
    makes_keys: bool = True
    ignores_aad: bool = False

    async def __aenter__(self) -> FakeTransit:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.files.context())
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def config(self, auth: TransitAuth, ca_pem: str | None, **changes: Any) -> TransitConfig:
        fields = {"address": f"https://127.0.0.1:{self.port}", "key": "leeward", **changes}
        return TransitConfig(auth=auth, ca_pem=ca_pem, **fields)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body: dict[str, Any] = json.loads(text) if text else {}
        path = request.path.removeprefix("/v1/")
        self.asked.append((f"{request.method} {path}", body))
        self.headers = dict(request.headers)
        if self.faults:
            return await self.faults.popleft()(request)
        if path.endswith("/login"):
            return self._login(body)
        if request.headers.get("X-Vault-Token") not in self.tokens:
            return refused(403, "permission denied")
        return self._authorised(request, path, body)

    def _authorised(
        self, request: web.Request, path: str, body: dict[str, Any]
    ) -> web.StreamResponse:
        token = request.headers["X-Vault-Token"]
        if path == "auth/token/lookup-self":
            return said(data={"ttl": self.tokens[token], "renewable": self.renewable})
        if path == "auth/token/renew-self":
            if self.renews is None:
                return refused(403, "permission denied")
            return self._given(token, self.renews)
        if not self.allowed:
            return refused(403, "1 error occurred:\n\t* permission denied")
        match path.split("/"):
            case ["transit", "keys", _]:
                return self._keys(request.method)
            case ["transit", "encrypt", _]:
                return self._encrypt(body)
            case ["transit", "decrypt", _]:
                return self._decrypt(body)
        return refused(404, f'no handler for route "{path}". route entry not found.')

    def _login(self, body: dict[str, Any]) -> web.StreamResponse:
        if self.secret_id != body.get("secret_id") and self.jwt != body.get("jwt"):
            return refused(400, "invalid role or secret ID")
        token = f"s.token-{len(self.tokens) + 1}"
        self.tokens[token] = self.lease
        return self._given(token, self.lease)

    def _given(self, token: str, seconds: int) -> web.StreamResponse:
        given = {"client_token": token, "lease_duration": seconds, "renewable": self.renewable}
        return said(auth=given)

    def _keys(self, method: str) -> web.StreamResponse:
        if method == "POST":
            if not self.makes_keys:
                return refused(403, "1 error occurred:\n\t* permission denied")
            self.key = self.key or dict(KEY)
        return (
            said(data=self.key)
            if self.key is not None
            else web.json_response({"errors": []}, status=404)
        )

    def _encrypt(self, body: dict[str, Any]) -> web.StreamResponse:
        assert self.key is not None
        inside = self._digest(body) + base64.b64decode(body["plaintext"])
        text = base64.b64encode(inside).decode()
        return said(data={"ciphertext": f"vault:v{self.key['latest_version']}:{text}"})

    def _decrypt(self, body: dict[str, Any]) -> web.StreamResponse:
        inside = base64.b64decode(body["ciphertext"].split(":")[2])
        if inside[:32] != self._digest(body):
            return refused(400, "cipher: message authentication failed")
        return said(data={"plaintext": base64.b64encode(inside[32:]).decode()})

    def _digest(self, body: dict[str, Any]) -> bytes:
        place = "" if self.ignores_aad else body.get("associated_data", "")
        return hashlib.sha256(place.encode()).digest()


def said(**members: Any) -> web.StreamResponse:
    return web.json_response({"request_id": "0", **members})


def refused(status: int, *errors: str) -> web.StreamResponse:
    return web.json_response({"errors": list(errors)}, status=status)


def answering(status: int, *errors: str, **headers: str) -> Fault:
    """Answers so."""

    async def fault(request: web.Request) -> web.StreamResponse:
        answer = refused(status, *errors)
        answer.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
        return answer

    return fault


def saying(text: str, status: int = 200, content_type: str = "text/html") -> Fault:
    """Answers with a text that is no answer of such a server."""

    async def fault(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type=content_type)

    return fault


async def cutting(request: web.Request) -> web.StreamResponse:
    """Cuts the connection in the middle of an answer."""
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"data": {"plaintext": "')
    assert request.transport is not None
    request.transport.abort()
    return answer
