"""Keysets of vaults: made, grown, opened by the root key. Opened keys are held in memory.

Only the key store uses this. What ``open`` yields never leaves the process.
"""

import datetime
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from leeward.formats.rootkey import RootKey
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
    DamagedRecordError,
    keyset_name,
    keyset_secret,
    read_document,
    replacement,
    secret_ref,
)
from leeward.keystore.rootkey import MANAGER, RootKeyCustodian, SecretClient
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    EnsureKeyset,
    KeyFault,
    KeysetInfo,
    Manifest,
    Outcome,
    VersionInfo,
)

HELD: Final = 4096
"""Vault keys held in the clear at most; the least used goes first."""


class KeyFaultError(Exception):
    """Wrapped keys do not open.

    Attributes:
        fault: Why not.
    """

    def __init__(self, fault: KeyFault) -> None:
        super().__init__(fault)
        self.fault = fault


class VaultKeys:
    """Makes and reads keysets, and opens the vault keys in them."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
        root: RootKeyCustodian,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._root = root
        self._held: OrderedDict[bytes, bytes] = OrderedDict()

    async def read(self, namespace: str, vault: str) -> tuple[Manifest, WrappedKeyset] | None:
        """The keyset of a vault, and the Secret that it stands in; None: there is none.

        Raises:
            KeyFaultError: The Secret does not hold a keyset.
        """
        try:
            secret = await self._client.get(
                secret_ref(self._namespace, keyset_name(namespace, vault))
            )
            return secret, read_document(secret, WrappedKeyset, KEYSET_ROLE)
        except NotFoundError:
            return None
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None

    async def root(self) -> RootKey:
        """The root key, to wrap new vault keys with.

        Raises:
            KeyFaultError: There is none.
        """
        key = await self._root.current()
        if key is None:
            raise KeyFaultError("RootKeyLost")
        return key

    async def root_of(self, keyset: WrappedKeyset) -> RootKey:
        """The root key that wraps this keyset.

        Raises:
            KeyFaultError: There is none, or another.
        """
        key = await self._root.key(keyset.root_key_id)
        if key is None:
            await self.root()
            raise KeyFaultError("RootKeyReplaced")
        return key

    async def open(self, keyset: WrappedKeyset, key: WrappedVaultKey, version: int) -> bytes:
        """One version of a vault key: 32 bytes.

        Raises:
            KeyFaultError: It does not open.
        """
        root = await self.root_of(keyset)
        try:
            wrapped = key.version(version).wrapped
            if wrapped is None:
                raise KeyFaultError("Damaged")
            return self._open(root, wrapped, keyset.aad(key.name, key.algorithm, version))
        except UnwrapError:
            raise KeyFaultError("Damaged") from None

    async def fault_of(self, keyset: WrappedKeyset) -> KeyFault | None:
        """Why the keyset does not open; None: all of it does."""
        try:
            for key in keyset.keys:
                for version in key.history:
                    if version.wrapped is not None:
                        await self.open(keyset, key, version.version)
        except KeyFaultError as error:
            return error.fault
        return None

    async def info(self, keyset: WrappedKeyset) -> KeysetInfo:
        """What plans may know of a keyset."""
        fault = await self.fault_of(keyset)
        return KeysetInfo(
            vault_id=keyset.vault_id,
            owner_uid=keyset.owner_uid,
            versions={
                key.name: (key.algorithm, key.primary_version, key.history[0].created_at)
                for key in keyset.keys
            },
            readable=fault is None,
            fault=fault,
            history={
                key.name: tuple(
                    VersionInfo(v.version, v.state, v.created_at, v.drained) for v in key.history
                )
                for key in keyset.keys
            },
        )

    async def ensure(self, action: EnsureKeyset) -> Outcome:
        """Make a keyset, or add the keys that it lacks.

        Raises:
            KeyFaultError: The root key or the keyset does not open.
            FaultError: It may work later.
        """
        root = await self.root()
        made = WrappedKeyset(
            vault_id=action.vault_id,
            vault_namespace=action.namespace,
            vault=action.vault,
            owner_uid=action.uid,
            root_key_id=root.id,
            keys=[],
        )
        made = self._with_keys(made, root, action.keys)
        try:
            await self._client.create(keyset_secret(self._namespace, made), MANAGER)
        except AlreadyExistsError:
            return await self._take_up(action)
        return Outcome("Done", result=await self.info(made))

    async def _take_up(self, action: EnsureKeyset) -> Outcome:
        found = await self.read(action.namespace, action.vault)
        if found is None:
            raise StaleWriteError("a keyset went while it was made")
        secret, keyset = found
        if keyset.owner_uid != action.uid and keyset.vault_id != action.adopt:
            return Outcome("Retained", result=await self.info(keyset))
        root = await self.root_of(keyset)
        fault = await self.fault_of(keyset)
        if fault is not None:
            raise KeyFaultError(fault)
        lacking = [key for key in action.keys if keyset.key(key[0]) is None]
        grown = self._with_keys(keyset.model_copy(update={"owner_uid": action.uid}), root, lacking)
        if grown != keyset:
            made = keyset_secret(self._namespace, grown)
            await self._client.replace(replacement(secret, made), MANAGER)
        return Outcome("Done", result=await self.info(grown))

    async def new_version(
        self, keyset: WrappedKeyset, name: str, algorithm: str, number: int
    ) -> WrappedVersion:
        """A primary version of a key: a random AES-256-GCM wrapping key."""
        return self._made(keyset, await self.root_of(keyset), name, algorithm, number)

    def forget(self) -> None:
        """Hold no vault key in memory any more: one was destroyed."""
        self._held.clear()

    def _with_keys(
        self, keyset: WrappedKeyset, root: RootKey, keys: Sequence[tuple[str, str]]
    ) -> WrappedKeyset:
        """The keyset with new keys."""
        made = [
            WrappedVaultKey(
                name=name,
                algorithm=algorithm,
                primary_version=1,
                history=[self._made(keyset, root, name, algorithm, 1)],
            )
            for name, algorithm in keys
        ]
        return keyset.model_copy(update={"keys": [*keyset.keys, *made]})

    def _made(
        self, keyset: WrappedKeyset, root: RootKey, name: str, algorithm: str, number: int
    ) -> WrappedVersion:
        aad = keyset.aad(name, algorithm, number)
        return WrappedVersion(
            version=number,
            created_at=timestamp(self._now()),
            wrapped=wrap(root.raw(), self._random(KEY_SIZE), aad, self._random),
        )

    def _open(self, root: RootKey, wrapped: Wrapped, aad: bytes) -> bytes:
        # By what stands in the Secret, so that a damaged one is never hidden by what is held.
        place = hashlib.sha256(f"{root.id}{wrapped.nonce}{wrapped.ciphertext}".encode() + aad)
        known = self._held.get(place.digest())
        if known is None:
            known = unwrap(root.raw(), wrapped, aad, KEY_SIZE)
            self._held[place.digest()] = known
            if len(self._held) > HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(place.digest())
        return known
