"""The part of a Kubernetes API server that an auth method asks: whose token is this?"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from aiohttp import web

from openbao.certificates import ServerFiles

ACCOUNT = "system:serviceaccount:leeward-system:leeward"


class TokenReviews:
    """Knows one token, which is the operator's and for one audience.

    Attributes:
        audiences: For which it was asked.
    """

    def __init__(self, files: ServerFiles, token: str, audience: str) -> None:
        self._files = files
        self._token = token
        self._audience = audience
        self.audiences: list[list[str]] = []

    async def __aenter__(self) -> TokenReviews:
        app = web.Application()
        app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", self._review)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._files.context()).start()
        self.address = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _review(self, request: web.Request) -> web.StreamResponse:
        review: dict[str, Any] = await request.json()
        spec = review["spec"]
        self.audiences.append(spec.get("audiences", []))
        known = spec["token"] == self._token and self._audience in spec.get("audiences", [])
        status: dict[str, Any] = {"authenticated": known}
        if known:
            user = {"username": ACCOUNT, "uid": "uid-1", "groups": ["system:serviceaccounts"]}
            status |= {"user": user, "audiences": [self._audience]}
        return web.json_response({**review, "status": status}, status=201)
