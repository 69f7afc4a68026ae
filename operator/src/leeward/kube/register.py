"""Which KeyDeliveries name a Dataset or a KeyVault, without listing them all for each who asks.

Whoever asks is told how things stood when they asked, or later, as far as ``kube.recent`` can tell.
What a KeyDelivery names stands in its spec, and changes with its generation alone: a list is good
for as long as anything in ``kube.recent`` is, unless a watch shows a KeyDelivery that it does not
hold as it is. How those that were found stand is then looked at one by one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from leeward.api.keydelivery import KEYDELIVERY
from leeward.api.meta import API_VERSION
from leeward.kube.client import KubeClient
from leeward.kube.errors import NotFoundError
from leeward.kube.resources import ref_of
from leeward.plans.shared.acknowledgements import targets
from leeward.plans.shared.model import Manifest, ObjectRef

FEW: Final = 16
"""KeyDeliveries that are looked at one by one; more of them are listed."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """What one list told.

    Attributes:
        at: When it was sent.
        generations: Of every KeyDelivery, by its name.
        naming: Target -> those that name it.
    """

    at: float
    generations: dict[ObjectRef, int]
    naming: dict[ObjectRef, list[ObjectRef]]


class DeliveryRegister:
    """The KeyDeliveries of all namespaces that are watched."""

    def __init__(self, client: KubeClient, namespaces: Sequence[str]) -> None:
        """Make one; it reads nothing yet.

        Args:
            client: The API server; what it remembers says for how long a list may be used.
            namespaces: Where they are looked for; none: everywhere.
        """
        self._client = client
        self._namespaces = namespaces
        self._listed: _Listed | None = None
        self._changes = 0
        self._meanwhile: dict[ObjectRef, int] = {}
        """What was told, by generation, while the first list is under way."""
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[list[Manifest]] | None = None

    async def naming(self, target: ObjectRef) -> list[Manifest]:
        """Those that name it; they are shared with others, and must not be changed."""
        known = self._listed
        if known is not None and self._client.recent.holds_since(known.at):
            refs = known.naming.get(target, ())
            if len(refs) <= FEW:
                return await self._each(refs)
        if self._next is None:
            self._next = asyncio.create_task(self._list())
        found = await asyncio.shield(self._next)
        return [delivery for delivery in found if target in targets(delivery)]

    def told(self, body: Manifest, *, gone: bool) -> None:
        """A KeyDelivery as a watch or an answer shows it, or that it is gone."""
        ref, generation = ref_of(body), body["metadata"]["generation"]
        known = self._listed
        if gone or (known is not None and known.generations.get(ref) != generation):
            self.clear()
        elif known is None and self._turn.locked():
            self._meanwhile[ref] = generation

    def clear(self) -> None:
        """Forget everything."""
        self._listed = None
        self._changes += 1

    async def _each(self, refs: Iterable[ObjectRef]) -> list[Manifest]:
        found = []
        for ref in refs:
            try:
                found.append(await self._client.get(ref))
            except NotFoundError:
                continue
        return found

    async def _list(self) -> list[Manifest]:
        """One request answers all who asked before it was sent."""
        async with self._turn:
            self._next = None  # who asks from now on waits for the next one
            self._meanwhile = {}
            at, changes = self._client.recent.elapsed(), self._changes
            found: list[Manifest] = []
            for namespace in self._namespaces or (None,):
                found += await self._client.list(API_VERSION, KEYDELIVERY.kind, namespace)
            listed = _listed(at, found)
            as_told = self._meanwhile.items() <= listed.generations.items()
            if changes == self._changes and as_told:
                self._listed = listed
            return found


def _listed(at: float, found: Iterable[Manifest]) -> _Listed:
    generations, naming = {}, dict[ObjectRef, list[ObjectRef]]()
    for delivery in found:
        ref = ref_of(delivery)
        generations[ref] = delivery["metadata"]["generation"]
        for target in targets(delivery):
            naming.setdefault(target, []).append(ref)
    return _Listed(at, generations, naming)
