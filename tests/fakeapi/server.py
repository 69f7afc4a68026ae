"""The fake API server on a socket: discovery, and watches with bookmarks that a test can cut.

For what has its own HTTP client, which is Kopf.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.test_utils import TestServer

from fakeapi.store import KINDS, Change, FakeApi, Place, matches
from leeward.kube.client import JSON


class ApiServer:
    """Serves a fake API.

    Attributes:
        api: The objects.
        requests: (method, path) of every request, watches as ``WATCH``.
        failures: Status that the next requests of a kind ("list", "watch") are answered with.
        bookmarks: Seconds between bookmarks.
        served: Whether our own kinds are there.
        latency: Seconds that an answer takes, but for watches.
    """

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.requests: list[tuple[str, str]] = []
        self.failures: dict[str, list[int]] = {"list": [], "watch": []}
        self.bookmarks = 0.5
        self.served = True
        self.latency = 0.0
        self.url = ""
        self._watches: set[asyncio.Queue[Change | dict[str, object] | None]] = set()
        api.on_change.append(self._tell)

    def _tell(self, change: Change) -> None:
        for watch in self._watches:
            watch.put_nowait(change)

    def cut_watches(self) -> None:
        """End every watch, in the middle of nothing."""
        for watch in self._watches:
            watch.put_nowait(None)

    def fail_watches(self, code: int, reason: str) -> None:
        """Send an error into every watch, as an API server does that restarts."""
        for watch in self._watches:
            watch.put_nowait({"kind": "Status", "code": code, "reason": reason})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ApiServer]:
        """Serve on a free port of the loopback."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(application) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self
            self.cut_watches()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        found = self._discovery(request.path)
        if found is not None:
            return web.json_response(found)
        if request.query.get("watch") == "true":
            self.requests.append(("WATCH", request.path))
            return await self._watch(request)
        self.requests.append((request.method, request.path))
        await asyncio.sleep(self.latency)
        is_list = request.method == "GET" and "limit" in request.query
        if is_list and self.failures["list"]:
            return web.json_response({}, status=self.failures["list"].pop(0))
        if not self.served and request.path.startswith("/apis/leeward.dev"):
            return web.json_response({"reason": "NotFound"}, status=404)
        text = await request.text()
        content_type = request.headers.get("Content-Type", JSON)
        answer = self.api.handle(
            request.method, request.path_qs, json.loads(text) if text else None, content_type
        )
        return web.json_response(answer.body, status=answer.status, headers=dict(answer.headers))

    def _discovery(self, path: str) -> dict[str, object] | None:
        if path == "/api":
            return {"versions": ["v1"]}
        groups = sorted({version for version, _ in KINDS if "/" in version})
        if not self.served:
            groups = [group for group in groups if "leeward" not in group]
        if path == "/apis":
            return {
                "groups": [
                    {
                        "name": group.split("/")[0],
                        "versions": [{"version": group.split("/")[1]}],
                        "preferredVersion": {"version": group.split("/")[1]},
                    }
                    for group in groups
                ]
            }
        wanted = path.removeprefix("/apis/").removeprefix("/api/")
        if wanted != "v1" and wanted not in groups:
            return None
        return {
            "resources": [
                {
                    "name": plural,
                    "kind": kind,
                    "singularName": kind.lower(),
                    "namespaced": kind != "Namespace",
                    "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
                }
                for (version, plural), kind in KINDS.items()
                if version == wanted
            ]
        }

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if self.failures["watch"]:
            return web.json_response({}, status=self.failures["watch"].pop(0))
        place, _ = self.api._parse(request.path)
        since = int(request.query["resourceVersion"])
        labels = request.query.get("labelSelector", "")
        changes: asyncio.Queue[Change | dict[str, object] | None] = asyncio.Queue()
        for change in self.api.history:
            if change.version > since:
                changes.put_nowait(change)
        self._watches.add(changes)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await self._stream(response, changes, place, labels)
        finally:
            self._watches.discard(changes)
        return response

    async def _stream(
        self,
        response: web.StreamResponse,
        changes: asyncio.Queue[Change | dict[str, object] | None],
        place: Place,
        labels: str,
    ) -> None:
        while True:
            try:
                change = await asyncio.wait_for(changes.get(), self.bookmarks)
            except TimeoutError:
                metadata = {"resourceVersion": str(self.api.version)}
                await _send(response, "BOOKMARK", {"kind": "x", "metadata": metadata})
                continue
            if change is None:
                return
            if isinstance(change, dict):
                await _send(response, "ERROR", change)
                return
            of_interest = change.place[:2] == place[:2] and place.namespace in (
                "",
                change.place.namespace,
            )
            if of_interest and matches(change.manifest, labels):
                await _send(response, change.type, change.manifest)


async def _send(response: web.StreamResponse, type_: str, manifest: dict[str, object]) -> None:
    await response.write(json.dumps({"type": type_, "object": manifest}).encode() + b"\n")
