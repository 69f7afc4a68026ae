"""Custody of the root key: made once, never made anew while anything is wrapped by it."""

import datetime
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.records import (
    KEYSET_ROLE,
    KEYSET_SELECTOR,
    ROLE_LABEL,
    ROOT_ROLE,
    ROOT_SECRET,
    VAULT_ID_LABEL,
    WRAPPED_SELECTOR,
    DamagedRecordError,
    read_document,
    replacement,
    root_secret,
    secret_ref,
)
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.model import Manifest, ObjectRef

_log = logging.getLogger(__name__)

MANAGER: Final = "leeward-keystore"
ROTATE_ANNOTATION: Final = "leeward.dev/rotate"
"""On the Secret of the root key: a value that was not there before asks for a new one."""

_FRESH: Final = datetime.timedelta(seconds=60)

RootKeyState = Literal["Ready", "Made", "Restored", "Lost"]


class SecretClient(Protocol):
    """What the key store needs of the API server; raises what ``kube.errors`` lists."""

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest:
        """The Secret, as it is now (fresh) or was a moment ago. Raises NotFoundError."""

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """Secrets by label, in the operator's namespace."""

    async def create(self, manifest: Manifest, manager: str) -> Manifest:
        """POST. Raises AlreadyExistsError."""

    async def replace(self, manifest: Manifest, manager: str) -> Manifest:
        """PUT over the resourceVersion in the manifest. Raises StaleWriteError."""

    async def delete(
        self, ref: ObjectRef, *, uid: str | None = None, version: str | None = None
    ) -> None:
        """DELETE. Raises NotFoundError, and StaleWriteError where it is another one by now."""


class PagedClient(SecretClient, Protocol):
    """The same, where a list may be too long to hold."""

    def pages(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[list[Manifest]]:
        """Secrets by label, in pages."""


@dataclass(frozen=True, slots=True)
class FoundKeyring:
    """The Secret of the root key as it was read.

    Attributes:
        secret: The Secret.
        keyring: What it holds; None: it is damaged.
    """

    secret: Manifest
    keyring: RootKeyring | None

    @property
    def request(self) -> str | None:
        """The rotation that is asked for, whether it was carried out or not."""
        annotations = self.secret["metadata"].get("annotations") or {}
        return annotations.get(ROTATE_ANNOTATION) or None


def root_key_id_of(keyset: WrappedKeyset) -> str | None:
    """Id of the root key that wraps a keyset; None: a Transit key does."""
    return keyset.root_key_id if keyset.transit is None else None


class RootKeyCustodian:
    """Reads, makes and puts back the Secret of the root key.

    The key is held in memory, and the Secret looked at again after a minute: a key that is in
    nobody's Secret any more must not go on to wrap new ones. But it is not forgotten either: where
    the Secret is deleted, what this process holds may be the last copy.
    """

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._held: RootKeyring | None = None
        self._usable = False
        self._seen: dict[str, RootKey] = {}
        self._looked_at: datetime.datetime | None = None

    async def ensure(self) -> RootKeyState:
        """Have a root key, if there can be one.

        A new one is made only where nothing is wrapped yet. Two processes that do so at once end
        with the same key: the one whose POST came first.
        """
        found = await self._find()
        if found is not None:
            return self._take(found)
        if self._held is not None:
            return await self._put_back(self._held)
        if await self._is_needed():
            _log.error(
                "the root key is lost: restore it from its shares (leeward root-key restore), or"
                " Secret %s in namespace %s from a backup",
                ROOT_SECRET,
                self._namespace,
            )
            return "Lost"
        return await self._make()

    async def current(self) -> RootKey | None:
        """The root key that wraps from now on; None: it is lost, or was never made."""
        if not self._is_fresh():
            await self._refresh()
        return self._held.current_key if self._held and self._usable else None

    async def key(self, key_id: str) -> RootKey | None:
        """The root key of this id, current or given up; None: it is not there (any more)."""
        if not self._is_fresh() or self._held is None or self._held.key(key_id) is None:
            # Ours may be the keyring of before: the Secret decides.
            await self._refresh()
        return self._held.key(key_id) if self._held and self._usable else None

    async def look(self) -> FoundKeyring | None:
        """The Secret as it is now; None: there is none, or a damaged one."""
        found = await self._find()
        if found is None or self._take(found) == "Lost":
            return None
        return found

    async def write(self, found: FoundKeyring, keyring: RootKeyring) -> None:
        """Put another keyring in the place of the one that was read.

        Raises:
            StaleWriteError: The Secret has changed since.
        """
        made = root_secret(self._namespace, keyring)
        # A request for a rotation stays: it is told from the one before by its value.
        made["metadata"]["annotations"] = dict(found.secret["metadata"].get("annotations") or {})
        await self._client.replace(replacement(found.secret, made), MANAGER)
        self._hold(keyring)
        for key in found.keyring.keys if found.keyring else ():
            if keyring.key(key.id) is None:
                self._seen.pop(key.id, None)

    def _is_fresh(self) -> bool:
        looked_at = self._looked_at
        # The clock may have been put back: then it is not known how long ago that was.
        return (
            self._usable
            and looked_at is not None
            and looked_at <= self._now() <= looked_at + _FRESH
        )

    async def _refresh(self) -> None:
        found = await self._find()
        if found is not None:
            self._take(found)
        elif self._held is not None:
            await self._put_back(self._held)

    async def _make(self) -> RootKeyState:
        made = RootKeyring.of(RootKey.generate(self._random, timestamp(self._now())))
        state = await self._create(made, "Made")
        if state == "Made":
            _log.info("made the root key", extra={"root_key_id": made.current})
        return state

    async def _put_back(self, held: RootKeyring) -> RootKeyState:
        """The Secret was deleted under us: what is in memory is the last copy."""
        state = await self._create(self._rebuilt(held, await self._named()), "Restored")
        if state == "Restored":
            _log.warning("put back the root key, whose Secret was deleted")
        return state

    def _rebuilt(self, held: RootKeyring, named: set[str]) -> RootKeyring:
        """What was held, and whatever else keysets need: another key may have been put there."""
        lacking = [key for id_, key in self._seen.items() if id_ in named and not held.key(id_)]
        if not lacking:
            return held
        current = held.current if held.current in named else lacking[-1].id
        return held.model_copy(update={"current": current, "keys": [*held.keys, *lacking]})

    async def _is_needed(self) -> bool:
        """Whether anything hangs on a root key: what vaults on Transit keys hold does not."""
        wrapped = await self._client.list("v1", "Secret", self._namespace, labels=WRAPPED_SELECTOR)
        elsewhere = {self._transit_vault(secret) for secret in wrapped} - {None}
        return any(
            secret["metadata"]["labels"].get(VAULT_ID_LABEL) not in elsewhere for secret in wrapped
        )

    def _transit_vault(self, secret: Manifest) -> str | None:
        """Id of the vault that a Transit key wraps, where that is its keyset."""
        if secret["metadata"]["labels"].get(ROLE_LABEL) != KEYSET_ROLE:
            return None
        try:
            keyset = read_document(secret, WrappedKeyset, KEYSET_ROLE)
        except DamagedRecordError:
            return None
        return None if keyset.transit is None else keyset.vault_id

    async def _named(self) -> set[str]:
        """Ids of the root keys that keysets name."""
        ids: set[str] = set()
        for secret in await self._client.list(
            "v1", "Secret", self._namespace, labels=KEYSET_SELECTOR
        ):
            try:
                id_ = root_key_id_of(read_document(secret, WrappedKeyset, KEYSET_ROLE))
            except DamagedRecordError:
                continue
            ids |= {id_} if id_ else set()
        return ids

    async def _create(self, keyring: RootKeyring, made: RootKeyState) -> RootKeyState:
        try:
            await self._client.create(root_secret(self._namespace, keyring), MANAGER)
        except AlreadyExistsError:
            found = await self._find()
            return "Lost" if found is None else self._take(found)
        self._hold(keyring)
        return made

    async def _find(self) -> FoundKeyring | None:
        try:
            secret = await self._client.get(secret_ref(self._namespace, ROOT_SECRET))
        except NotFoundError:
            return None
        try:
            return FoundKeyring(secret, read_document(secret, RootKeyring, ROOT_ROLE))
        except DamagedRecordError:
            return FoundKeyring(secret, None)

    def _take(self, found: FoundKeyring) -> RootKeyState:
        if found.keyring is not None:
            self._hold(found.keyring)
            return "Ready"
        self._usable = False
        _log.error(
            "Secret %s does not hold a root key, and is left as it is: %s",
            ROOT_SECRET,
            "delete it, and this process puts back the key that it holds in memory"
            if self._held
            else "move it away, and restore it from its shares (leeward root-key restore)",
        )
        return "Lost"

    def _hold(self, keyring: RootKeyring) -> None:
        self._held = keyring
        self._usable = True
        self._seen |= {key.id: key for key in keyring.keys}
        self._looked_at = self._now()
