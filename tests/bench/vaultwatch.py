"""KeyVaults as a watch of our own shows them: when each became Ready."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from leeward.api.meta import API_VERSION
from leeward.kube.resources import collection_path
from leeward.kube.transport import authorization
from leeward.plans.shared.model import Manifest


@dataclass
class Watch:
    """The KeyVaults of one namespace, as a watch of our own shows them."""

    configuration: Configuration
    namespace: str
    ready_at: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        tls = RESTClientObject(self.configuration).ssl_context
        headers = {}
        token = await authorization(self.configuration)
        if token:
            headers["Authorization"] = token
        url = self.configuration.host + collection_path(API_VERSION, "KeyVault", self.namespace)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls), headers=headers, read_bufsize=2**22
        ) as session:
            async with session.get(url) as response:
                listed = await response.json()
            for item in listed["items"]:
                self._see(item)
            since = listed["metadata"]["resourceVersion"]
            async with session.get(
                url,
                params={"watch": "true", "resourceVersion": since},
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                self.opened.set()
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise RuntimeError(f"the watch failed: {event['object']}")
                    self._see(event["object"])

    def _see(self, body: Manifest) -> None:
        conditions = body.get("status", {}).get("conditions", ())
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            self.ready_at.setdefault(body["metadata"]["name"], time.perf_counter())
            self.changed.set()

    async def until_ready(self, names: Collection[str], patience: float) -> float:
        """Wait for all of these; return when the last of them was seen to be Ready."""
        waiting = set(names)
        async with asyncio.timeout(patience):
            while waiting := waiting - self.ready_at.keys():
                self.changed.clear()
                await self.changed.wait()
        return max(self.ready_at[name] for name in names)


@contextlib.asynccontextmanager
async def watching(configuration: Configuration, namespace: str) -> AsyncIterator[Watch]:
    watch = Watch(configuration, namespace)
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(watch.opened.wait(), 30)
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
