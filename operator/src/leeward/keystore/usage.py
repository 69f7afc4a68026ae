"""What depends on which version of a vault key: counted in memory from what is read and written.

Every artefact key is a Secret, and its labels say by which version it is wrapped, its annotation
whose it is. They are listed once, in pages, and from then on this process counts what it writes
itself; listing again now and then finds what others changed. So a look costs no call, and ten
thousand artefact keys cost twenty calls every ten minutes.

It is for people to read, and for refusing early. Nothing is destroyed because of it: that is
decided by a list made for the purpose (``keystore.rotation``).
"""

import heapq
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from leeward.keystore.records import (
    ARTEFACT_ROLE,
    PUBLISHED_LABEL,
    ROLE_LABEL,
    VAULT_ID_LABEL,
    VAULT_KEY_LABEL,
    VERSION_LABEL,
    WRAPPED_LABEL,
    DamagedRecordError,
    read_artefact_key,
)
from leeward.keystore.rootkey import SecretClient
from leeward.kube.errors import NotFoundError
from leeward.plans.shared.model import Manifest, ObjectRef
from leeward.plans.shared.usage import Dependent, KeyUsage, KeyUsageOf, VersionUsage

SHOWN: Final = 8
"""Dependents that are named, of each version."""

ARTEFACT_SELECTOR: Final = f"{ROLE_LABEL}={ARTEFACT_ROLE}"
_PREFIX: Final = "artefact-"

Pages = Callable[[], AsyncIterator[list[Manifest]]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One artefact key. ``version`` is None of one that was shredded."""

    vault_id: str
    key: str
    version: int | None
    dependent: Dependent
    state: str


class UsageBook:
    """Counts artefact keys by what wraps them."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._counts: dict[str, Counter[tuple[str, int, Dependent]]] = {}
        self._states: Counter[str] = Counter()
        self._loaded = False
        self._during: set[str] | None = None
        self._shown: dict[str, KeyUsage] = {}
        self._asked: dict[str, tuple[str, str]] = {}
        self._touched: set[str] = set()
        self._told: set[str] = set()
        self._withheld: set[str] = set()

    async def load(self, pages: Pages) -> None:
        """Count everything anew. What is written meanwhile counts as it was written.

        Raises:
            FaultError: It cannot be listed now; the earlier counts stand.
        """
        during = self._during = set()
        listed: set[str] = set()
        try:
            async for page in pages():
                for secret in page:
                    name = secret["metadata"]["name"]
                    listed.add(name)
                    if name not in during:
                        self._put(name, _entry(secret))
            for name in [n for n in self._entries if n not in listed and n not in during]:
                self._put(name, None)
        finally:
            self._during = None
        if not self._loaded:
            self._loaded = True
            self._touched.update(self._asked)

    def saw(self, secret: Manifest) -> None:
        """An artefact key as it is now."""
        self._note(secret["metadata"]["name"], _entry(secret))

    def gone(self, name: str) -> None:
        """There is no Secret of that name (any more)."""
        self._note(name, None)

    def usage(self, need: KeyUsageOf) -> KeyUsage | None:
        """What depends on the keys of a vault; None: nothing was counted yet, or what is known.

        The same is told once between two looks (``outdated``). Another process that counts
        differently writes its own; each would follow the other's status at once, and for ever.
        """
        self._asked[need.vault_id] = (need.namespace, need.vault)
        if not self._loaded:
            return None
        self._touched.discard(need.vault_id)
        found = self._summary(need.vault_id)
        if need.vault_id in self._told and found == self._shown.get(need.vault_id):
            self._withheld.add(need.vault_id)
            return None
        self._told.add(need.vault_id)
        self._shown[need.vault_id] = found
        return found

    def outdated(self) -> tuple[tuple[str, str], ...]:
        """(namespace, name) of vaults whose usage is another one than was last told, or was not."""
        if not self._loaded:
            return ()
        touched, self._touched = self._touched, set()
        withheld, self._withheld = self._withheld, set()
        self._told = set()
        changed = {
            vault_id
            for vault_id in touched
            if vault_id in self._asked and self._summary(vault_id) != self._shown.get(vault_id)
        }
        return tuple(self._asked[vault_id] for vault_id in changed | withheld)

    def states(self) -> dict[str, int]:
        """How many artefact keys there are by state: InUse, Unpublished, Shredded."""
        return dict(self._states)

    def _note(self, name: str, entry: _Entry | None) -> None:
        if self._during is not None:
            self._during.add(name)
        self._put(name, entry)

    def _put(self, name: str, entry: _Entry | None) -> None:
        before = self._entries.get(name)
        if before == entry:
            return
        if before is not None:
            self._count(before, -1)
            del self._entries[name]
        if entry is not None:
            self._count(entry, 1)
            self._entries[name] = entry

    def _count(self, entry: _Entry, by: int) -> None:
        self._states[entry.state] += by
        self._touched.add(entry.vault_id)
        if entry.version is None:
            return
        counts = self._counts.setdefault(entry.vault_id, Counter())
        place = (entry.key, entry.version, entry.dependent)
        counts[place] += by
        if not counts[place]:
            del counts[place]
        if not counts:
            del self._counts[entry.vault_id]

    def _summary(self, vault_id: str) -> KeyUsage:
        versions: dict[tuple[str, int], list[tuple[Dependent, int]]] = {}
        for (key, version, dependent), count in self._counts.get(vault_id, {}).items():
            versions.setdefault((key, version), []).append((dependent, count))
        return KeyUsage(
            {
                place: VersionUsage(
                    artefact_keys=sum(count for _, count in found),
                    dependents=tuple(heapq.nsmallest(SHOWN, found)),
                    resources=len(found),
                )
                for place, found in versions.items()
            }
        )


class CountedSecrets:
    """The API server as the key store sees it (``SecretClient``); a book hears of artefact keys."""

    def __init__(self, client: SecretClient, namespace: str, book: UsageBook) -> None:
        self._client = client
        self._namespace = namespace
        self._book = book

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest:
        """See ``SecretClient``."""
        try:
            found = await self._client.get(ref, fresh=fresh)
        except NotFoundError:
            self._gone(ref)
            raise
        self._saw(found)
        return found

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """See ``SecretClient``."""
        return await self._client.list(api_version, kind, namespace, labels=labels, fields=fields)

    async def create(self, manifest: Manifest, manager: str) -> Manifest:
        """See ``SecretClient``."""
        made = await self._client.create(manifest, manager)
        self._saw(made)
        return made

    async def replace(self, manifest: Manifest, manager: str) -> Manifest:
        """See ``SecretClient``."""
        made = await self._client.replace(manifest, manager)
        self._saw(made)
        return made

    async def delete(
        self, ref: ObjectRef, *, uid: str | None = None, version: str | None = None
    ) -> None:
        """See ``SecretClient``."""
        try:
            await self._client.delete(ref, uid=uid, version=version)
        except NotFoundError:
            self._gone(ref)
            raise
        self._gone(ref)

    def _saw(self, secret: Manifest) -> None:
        metadata = secret["metadata"]
        labels = metadata.get("labels") or {}
        if metadata["namespace"] == self._namespace and labels.get(ROLE_LABEL) == ARTEFACT_ROLE:
            self._book.saw(secret)

    def _gone(self, ref: ObjectRef) -> None:
        if ref.namespace == self._namespace and ref.name.startswith(_PREFIX):
            self._book.gone(ref.name)


def _entry(secret: Manifest) -> _Entry | None:
    """What is counted of a Secret; None: it tells nothing."""
    metadata = secret["metadata"]
    labels = metadata.get("labels") or {}
    kind, _, rest = (metadata.get("annotations") or {}).get("leeward.dev/owner", "").partition("/")
    dependent = Dependent(kind, labels.get("leeward.dev/namespace", ""), rest.partition("/")[0])
    vault_id = labels.get(VAULT_ID_LABEL, "")
    if labels.get(WRAPPED_LABEL) != "true":
        return _Entry(vault_id, "", None, dependent, "Shredded")
    state = "Unpublished" if labels.get(PUBLISHED_LABEL) == "false" else "InUse"
    key, version = labels.get(VAULT_KEY_LABEL), labels.get(VERSION_LABEL, "")
    if key is not None and version.isdecimal():
        return _Entry(vault_id, key, int(version), dependent, state)
    try:  # of a release that did not label these
        stored = read_artefact_key(secret)
    except DamagedRecordError:
        return None
    return _Entry(vault_id, stored.key, stored.version, dependent, state)
