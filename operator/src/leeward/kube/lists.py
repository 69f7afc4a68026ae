"""Lists that many ask for at once: one request answers all who asked before it was sent."""

import asyncio
from collections.abc import Sequence

from leeward.kube.client import KubeClient
from leeward.plans.shared.model import Manifest


class SharedList:
    """All objects of one kind.

    Whoever asks is told how things stood when they asked, or later: never by a request that was on
    its way already. So a thousand who ask at once cost two lists, and none is told old news.
    """

    def __init__(
        self, client: KubeClient, api_version: str, kind: str, namespaces: Sequence[str]
    ) -> None:
        """Make one; it reads nothing yet.

        Args:
            client: The API server.
            api_version: Of the objects.
            kind: Of the objects.
            namespaces: Where they are looked for; none: everywhere.
        """
        self._client = client
        self._api_version = api_version
        self._kind = kind
        self._namespaces = namespaces
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[list[Manifest]] | None = None

    async def all(self) -> list[Manifest]:
        """The objects; they are shared with others, and must not be changed."""
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return await asyncio.shield(self._next)

    async def _read(self) -> list[Manifest]:
        async with self._turn:
            self._next = None  # who asks from now on waits for the next one
            found: list[Manifest] = []
            for namespace in self._namespaces or (None,):
                found += await self._client.list(self._api_version, self._kind, namespace)
            return found
