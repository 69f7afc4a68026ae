"""Custody of the root key: made once, never made anew while anything is wrapped by it."""

import datetime
import logging
from collections.abc import Callable
from typing import Final, Literal, Protocol

from leeward.formats.wrapped import RootKey, UnwrapError
from leeward.keystore.records import (
    ROOT_ROLE,
    ROOT_SECRET,
    WRAPPED_SELECTOR,
    DamagedRecordError,
    read_document,
    root_secret,
    secret_ref,
)
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.plans.shared.model import Manifest, ObjectRef

_log = logging.getLogger(__name__)

MANAGER: Final = "leeward-keystore"
_FRESH: Final = datetime.timedelta(seconds=60)

RootKeyState = Literal["Ready", "Made", "Restored", "Lost"]


class SecretClient(Protocol):
    """What the key store needs of the API server; raises what ``kube.errors`` lists."""

    async def get(self, ref: ObjectRef) -> Manifest:
        """The Secret. Raises NotFoundError."""

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

    async def delete(self, ref: ObjectRef, *, uid: str | None = None) -> None:
        """DELETE. Raises NotFoundError."""


class RootKeyCustodian:
    """Reads, makes and puts back the Secret of the root key.

    The key is held in memory, and the Secret looked at again after a minute: a key that is in
    nobody's Secret any more must not go on to wrap new ones.
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
        self._key: RootKey | None = None
        self._looked_at: datetime.datetime | None = None

    async def ensure(self) -> RootKeyState:
        """Have a root key, if there can be one.

        A new one is made only where nothing is wrapped yet. Two processes that do so at once end
        with the same key: the one whose POST came first.
        """
        found = await self._read()
        if found is not None:
            self._hold(found)
            return "Ready"
        if self._key is not None:
            return await self._put_back(self._key)
        ref = secret_ref(self._namespace, ROOT_SECRET)
        if await self._wrapped_exist() or await self._exists(ref):
            _log.error(
                "the root key is lost: restore Secret %s in namespace %s from a backup",
                ROOT_SECRET,
                self._namespace,
            )
            return "Lost"
        return await self._make()

    async def current(self) -> RootKey | None:
        """The root key; None: it is lost, or was never made."""
        if self._looked_at is None or self._now() - self._looked_at > _FRESH:
            await self._refresh()
        return self._key

    async def reread(self) -> RootKey | None:
        """The root key as its Secret has it now."""
        await self._refresh()
        return self._key

    async def _refresh(self) -> None:
        found = await self._read()
        if found is not None:
            self._hold(found)
        elif self._key is not None:
            await self._put_back(self._key)

    async def _make(self) -> RootKeyState:
        made = RootKey.generate(self._random)
        try:
            await self._client.create(root_secret(self._namespace, made), MANAGER)
        except AlreadyExistsError:
            other = await self._read()
            if other is None:
                return "Lost"
            self._hold(other)
            return "Ready"
        _log.info("made the root key", extra={"root_key_id": made.id})
        self._hold(made)
        return "Made"

    async def _put_back(self, key: RootKey) -> RootKeyState:
        """The Secret was deleted under us: what is in memory is the last copy."""
        try:
            await self._client.create(root_secret(self._namespace, key), MANAGER)
        except AlreadyExistsError:
            other = await self._read()
            if other is None:
                return "Lost"
            self._hold(other)
            return "Ready"
        _log.warning("put back the root key, whose Secret was deleted")
        self._hold(key)
        return "Restored"

    async def _read(self) -> RootKey | None:
        try:
            secret = await self._client.get(secret_ref(self._namespace, ROOT_SECRET))
            key = read_document(secret, RootKey, ROOT_ROLE)
            key.raw()
        except NotFoundError:
            return None
        except (DamagedRecordError, UnwrapError):
            _log.error("Secret %s does not hold a root key", ROOT_SECRET)
            return None
        return key

    async def _exists(self, ref: ObjectRef) -> bool:
        try:
            await self._client.get(ref)
        except NotFoundError:
            return False
        return True

    async def _wrapped_exist(self) -> bool:
        found = await self._client.list("v1", "Secret", self._namespace, labels=WRAPPED_SELECTOR)
        return bool(found)

    def _hold(self, key: RootKey) -> None:
        self._key = key
        self._looked_at = self._now()
