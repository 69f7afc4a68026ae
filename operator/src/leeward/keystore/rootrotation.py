"""Rotation of the root key: a new one is made, keysets are wrapped anew, the old one is removed.

    asked for ─▶ new key added, and current ─▶ keysets moved, one by one ─▶ unused for a while ─▶
    old key removed

All of its state stands in Secrets: the request in an annotation of the root key's Secret, what was
taken up of it in the keyring, and for each keyset the key that wraps it in that keyset. So a
process that is killed is followed by one that goes on, and of two that do the same one is refused
each time (every write is a PUT over the version that was read). Nothing depends on the time of day.

An old key is removed only when every keyset could be read, none names it, and that has been so for
``UNUSED`` seconds of this process's clock: whoever read the old keyring and is about to store a new
keyset under it has stored it by then, and it is moved, too.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leeward.formats.rootkey import RootKey, RootKeyring
from leeward.formats.wrapped import (
    KEY_SIZE,
    UnwrapError,
    Wrapped,
    WrappedKeyset,
    WrappedVaultKey,
    WrappedVersion,
    unwrap,
    wrap,
)
from leeward.keystore.records import (
    KEYSET_ROLE,
    KEYSET_SELECTOR,
    DamagedRecordError,
    keyset_secret,
    read_document,
    replacement,
)
from leeward.keystore.rootkey import (
    MANAGER,
    FoundKeyring,
    RootKeyCustodian,
    SecretClient,
    root_key_id_of,
)
from leeward.kube.errors import NotFoundError, RefusedError
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import Manifest

_log = logging.getLogger(__name__)

UNUSED: Final = 300.0
"""Seconds that an old root key is kept after the last keyset was seen under it."""

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class RotationProgress:
    """How far a rotation is.

    Attributes:
        under_way: Whether an old root key is still there.
        moved: Keysets that were wrapped anew in this round.
        left: Keysets that others changed meanwhile: they are moved in the next round.
        stuck: Secrets of keysets that cannot be read, opened or written; they keep the old key.
    """

    under_way: bool
    moved: int = 0
    left: int = 0
    stuck: tuple[str, ...] = ()


def rewrap_keyset(
    keyset: WrappedKeyset, old: RootKey, new: RootKey, random: Random
) -> WrappedKeyset:
    """The same keyset, with every version of every key wrapped by another root key.

    Args:
        keyset: A keyset that ``old`` wraps.
        old: The root key that wraps it.
        new: The one that is to.
        random: Draws nonces.

    Raises:
        UnwrapError: A version does not open.
    """
    bound = keyset.model_copy(update={"root_key_id": new.id})

    def moved(key: WrappedVaultKey, version: WrappedVersion) -> WrappedVersion:
        if version.wrapped is None:
            return version
        if not isinstance(version.wrapped, Wrapped):
            raise UnwrapError(f"key {key.name} is wrapped by no root key")
        place = (key.name, key.algorithm, version.version)
        material = unwrap(old.raw(), version.wrapped, keyset.aad(*place), KEY_SIZE)
        wrapped = wrap(new.raw(), material, bound.aad(*place), random)
        return version.model_copy(update={"wrapped": wrapped})

    keys = [
        key.model_copy(update={"history": [moved(key, version) for version in key.history]})
        for key in keyset.keys
    ]
    return bound.model_copy(update={"keys": keys})


class RootKeyRotation:
    """Carries out rotations of the root key, a round at a time."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        root: RootKeyCustodian,
        random: Random,
        monotonic: Callable[[], float],
        created_at: Callable[[], str],
    ) -> None:
        """Make it; it reads nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
            root: Who holds the root key; the one that the key store has, too.
            random: Yields so many bytes that nobody can guess.
            monotonic: Seconds since some moment; never goes back.
            created_at: Time now, RFC 3339.
        """
        self._client = client
        self._namespace = namespace
        self._root = root
        self._random = random
        self._monotonic = monotonic
        self._created_at = created_at
        self._unused_since: dict[str, float] = {}

    async def step(self) -> RotationProgress:
        """One round: whatever can be done now.

        Raises:
            FaultError: It may work later; what was done stays done.
            RefusedError: The API server refused it.
        """
        found = await self._root.look()
        if found is None or found.keyring is None:
            self._unused_since.clear()
            return RotationProgress(under_way=False)
        keyring = found.keyring
        if not keyring.given_up:
            self._unused_since.clear()
            if found.request in (None, keyring.rotation):
                return RotationProgress(under_way=False)
            keyring = await self._begin(found, keyring)
        return await self._move_all(keyring)

    async def _begin(self, found: FoundKeyring, keyring: RootKeyring) -> RootKeyring:
        made = RootKey.generate(self._random, self._created_at())
        begun = keyring.rotated(made, found.request)
        await self._root.write(found, begun)
        _log.info(
            "the root key is being rotated",
            extra={"old_root_key_id": keyring.current, "root_key_id": made.id},
        )
        return begun

    async def _move_all(self, keyring: RootKeyring) -> RotationProgress:
        moved, left, stuck = 0, 0, []
        named = set()
        for secret in await self._client.list(
            "v1", "Secret", self._namespace, labels=KEYSET_SELECTOR
        ):
            try:
                keyset = read_document(secret, WrappedKeyset, KEYSET_ROLE)
                id_ = root_key_id_of(keyset)
                old = keyring.key(id_) if id_ else None
                if old is None or old.id == keyring.current:
                    # Moved already, of a root key not here (its KeyVault says so), or of Transit.
                    continue
                named.add(old.id)
                if await self._move(
                    secret, rewrap_keyset(keyset, old, keyring.current_key, self._random)
                ):
                    moved += 1
                else:
                    left += 1
            except (DamagedRecordError, UnwrapError, RefusedError) as error:
                stuck.append(secret["metadata"]["name"])
                _log.error(
                    "a keyset could not be moved to the new root key, so the old one is kept:"
                    " restore its Secret from a backup, or delete it if its vault is not needed",
                    extra={"secret": secret["metadata"]["name"], "error": str(error)},
                )
        await self._remove_unused(keyring, named, all_read=not stuck)
        return RotationProgress(True, moved, left, tuple(stuck))

    async def _move(self, secret: Manifest, made: WrappedKeyset) -> bool:
        """Over the version that was read; False: it has changed meanwhile, or is gone."""
        put = replacement(secret, keyset_secret(self._namespace, made))
        try:
            await self._client.replace(put, MANAGER)
        except (StaleWriteError, NotFoundError):
            return False
        return True

    async def _remove_unused(
        self, keyring: RootKeyring, named: set[str], *, all_read: bool
    ) -> None:
        now = self._monotonic()
        for old in keyring.given_up:
            if old.id in named or not all_read:
                self._unused_since.pop(old.id, None)
                continue
            if now - self._unused_since.setdefault(old.id, now) < UNUSED:
                continue
            await self._remove(old.id)

    async def _remove(self, key_id: str) -> None:
        found = await self._root.look()
        if found is None or found.keyring is None:
            return
        if key_id not in (key.id for key in found.keyring.given_up):
            return
        await self._root.write(found, found.keyring.without(key_id))
        self._unused_since.pop(key_id, None)
        _log.info(
            "an old root key was removed: nothing here is wrapped by it any more",
            extra={"old_root_key_id": key_id, "root_key_id": found.keyring.current},
        )
