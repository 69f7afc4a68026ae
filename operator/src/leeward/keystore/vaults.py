"""Keysets of vaults: made, grown, opened by their provider. Opened keys are held in memory.

Only the key store uses this. What ``open`` yields never leaves the process.
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Mapping, Sequence

from leeward.formats.wrapped import (
    KEY_SIZE,
    AnyWrapped,
    UnwrapError,
    WrappedKeyset,
    WrappedVaultKey,
    WrappedVersion,
)
from leeward.keystore.fixed import (
    FixedKeys,
    FixedMaterial,
    Parent,
    Place,
    is_costly,
    open_fixed,
    wrap_fixed,
)
from leeward.keystore.opened import OpenedKeys
from leeward.keystore.origins import NotDerivableError, OriginError
from leeward.keystore.providers.directory import Providers
from leeward.keystore.providers.fitting import fitting
from leeward.keystore.providers.port import Binding, KeyProvider, ProviderError
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
    NewKey,
    OriginRefusal,
    Outcome,
    ProviderFault,
    VersionInfo,
)


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
        providers: Providers,
        fixed: FixedKeys,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._root = root
        self._providers = providers
        self._fixed = fixed
        self._opened = OpenedKeys()

    async def read(
        self, namespace: str, vault: str, *, fresh: bool = False
    ) -> tuple[Manifest, WrappedKeyset] | None:
        """The keyset of a vault, and the Secret that it stands in; None: there is none.

        Args:
            namespace: Of the vault.
            vault: Its name.
            fresh: Whether it is to be as it is now, and not as it was a moment ago.

        Raises:
            KeyFaultError: The Secret does not hold a keyset.
        """
        try:
            ref = secret_ref(self._namespace, keyset_name(namespace, vault))
            secret = await self._client.get(ref, fresh=fresh)
            return secret, read_document(secret, WrappedKeyset, KEYSET_ROLE)
        except NotFoundError:
            return None
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None

    async def _require_root(self, keyset: WrappedKeyset) -> None:
        """Whether the root key that wraps this keyset is there, also where its keys are held.

        Raises:
            KeyFaultError: There is none, or another.
        """
        if keyset.transit is not None or await self._root.key(keyset.root_key_id) is not None:
            return
        if await self._root.current() is None:
            raise KeyFaultError("RootKeyLost")
        raise KeyFaultError("RootKeyReplaced")

    async def open(self, keyset: WrappedKeyset, key: WrappedVaultKey, version: int) -> bytes:
        """One version of a vault key: 32 bytes.

        Raises:
            KeyFaultError: It does not open.
            ProviderError: Its provider does not open it now.
        """
        await self._require_root(keyset)
        try:
            wrapped = key.version(version).wrapped
            if wrapped is None:
                raise KeyFaultError("Damaged")
            return await self.unwrapped(keyset, key, version, wrapped)
        except UnwrapError:
            raise KeyFaultError("Damaged") from None

    async def fixed(
        self, keyset: WrappedKeyset, key: WrappedVaultKey, version: int
    ) -> FixedMaterial | None:
        """A version's fixed key in the clear; None: it has none.

        Raises:
            KeyFaultError: It does not open.
            ProviderError: Its provider does not open it now.
        """
        wrapping_key = await self.open(keyset, key, version)
        place = Place(keyset, key.name, key.algorithm, version)
        try:
            return open_fixed(place, key.version(version), wrapping_key)
        except UnwrapError:
            raise KeyFaultError("Damaged") from None

    async def fault_of(self, keyset: WrappedKeyset) -> KeyFault | ProviderFault | None:
        """Why the keyset does not open; None: all of it does."""
        try:
            await self._open_all(keyset)
        except KeyFaultError as error:
            return error.fault
        except ProviderError as error:
            return provider_fault(error)
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
                key.name: tuple(_version_info(version) for version in key.history)
                for key in keyset.keys
            },
            transit=keyset.transit,
        )

    async def ensure(self, action: EnsureKeyset) -> Outcome:
        """Make a keyset, or add the keys that it lacks.

        Raises:
            KeyFaultError: The root key or the keyset does not open.
            ProviderError: The provider does not wrap, or open what is there.
            FaultError: It may work later.
        """
        provider = await self._providers.of(action.transit, (action.namespace, action.vault))
        if action.transit is None and await self._root.current() is None:
            raise KeyFaultError("RootKeyLost")
        costly = action.transit is not None or any(map(is_costly, action.keys))
        if costly and await self.read(action.namespace, action.vault) is not None:
            # Nothing is made, read or wrapped elsewhere that would not be stored.
            return await self._take_up(action)
        made = WrappedKeyset(
            vault_id=action.vault_id,
            vault_namespace=action.namespace,
            vault=action.vault,
            owner_uid=action.uid,
            root_key_id=await provider.key_id(),
            transit=action.transit,
            keys=[],
        )
        made, refused = await self._with_keys(made, provider, action.keys)
        try:
            await self._client.create(keyset_secret(self._namespace, made), MANAGER)
        except AlreadyExistsError:
            return await self._take_up(action)
        return await self._ensured(made, made.keys, refused)

    async def _take_up(self, action: EnsureKeyset) -> Outcome:
        found = await self.read(action.namespace, action.vault)
        if found is None:
            raise StaleWriteError("a keyset went while it was made")
        secret, keyset = found
        if keyset.owner_uid != action.uid and keyset.vault_id != action.adopt:
            return Outcome("Retained", result=await self.info(keyset))
        place = (action.namespace, action.vault)
        provider = await fitting(self._providers, keyset, action.transit, place)
        taken = keyset.model_copy(update={"owner_uid": action.uid, "transit": action.transit})
        await self._open_all(taken)
        lacking = [key for key in action.keys if taken.key(key.name) is None]
        grown, refused = await self._with_keys(taken, provider, lacking)
        if grown != keyset:
            made = keyset_secret(self._namespace, grown)
            await self._client.replace(replacement(secret, made), MANAGER)
        return await self._ensured(grown, grown.keys[len(keyset.keys) :], refused)

    async def _ensured(
        self,
        keyset: WrappedKeyset,
        made: Sequence[WrappedVaultKey],
        refused: Mapping[str, OriginRefusal],
    ) -> Outcome:
        info = await self.info(keyset)
        names = tuple(key.name for key in made)
        return Outcome("Done", result=dataclasses.replace(info, made=names, refused=refused))

    async def new_version(
        self, keyset: WrappedKeyset, key: NewKey, number: int, previous: FixedMaterial | None
    ) -> WrappedVersion:
        """A primary version of a key: a random AES-256-GCM wrapping key, and its fixed key.

        Args:
            keyset: That the key belongs to.
            key: The key.
            number: Of the version.
            previous: Fixed key of the version before.

        Raises:
            OriginError: The fixed key cannot be made.
            KeyFaultError: The root key that wraps the keyset is not there.
            ProviderError: The provider does not wrap now.
        """
        await self._require_root(keyset)
        provider = await self.provider_of(keyset)
        return await self._made(keyset, provider, key, number, previous)

    def forget(self, keyset: WrappedKeyset, key: WrappedVaultKey, version: WrappedVersion) -> None:
        """Hold a version no longer in memory: it was destroyed."""
        self._opened.forget((keyset.vault_id, key.name, version.version))

    async def _open_all(self, keyset: WrappedKeyset) -> None:
        await self._require_root(keyset)
        for key in keyset.keys:
            for version in key.history:
                if version.wrapped is not None:
                    await self.fixed(keyset, key, version.version)

    async def provider_of(self, keyset: WrappedKeyset) -> KeyProvider:
        """What wraps that keyset.

        Raises:
            ProviderError: There is none for it.
        """
        return await self._providers.of(keyset.transit, (keyset.vault_namespace, keyset.vault))

    async def _with_keys(
        self, keyset: WrappedKeyset, provider: KeyProvider, keys: Sequence[NewKey]
    ) -> tuple[WrappedKeyset, Mapping[str, OriginRefusal]]:
        """The keyset with new keys, and why some of them could not be made."""
        refused = {}
        for key in sorted(keys, key=lambda key: key.origin.derive is not None):
            try:
                version = await self._made(keyset, provider, key, 1)
            except OriginError as error:
                refused[key.name] = OriginRefusal(error.reason, str(error))
                continue
            made = WrappedVaultKey(
                name=key.name, algorithm=key.algorithm, primary_version=1, history=[version]
            )
            keyset = keyset.model_copy(update={"keys": [*keyset.keys, made]})
        return keyset, refused

    async def _made(
        self,
        keyset: WrappedKeyset,
        provider: KeyProvider,
        key: NewKey,
        number: int,
        previous: FixedMaterial | None = None,
    ) -> WrappedVersion:
        place = Place(keyset, key.name, key.algorithm, number)
        parent = await self._parent(keyset, key)
        fixed = await self._fixed.make(place, key.origin, parent, previous)
        wrapping_key = self._random(KEY_SIZE)
        binding = Binding(keyset.root_key_id, keyset.aad(key.name, key.algorithm, number))
        return WrappedVersion(
            version=number,
            created_at=timestamp(self._now()),
            wrapped=await provider.wrap(wrapping_key, binding),
            fixed=wrap_fixed(place, wrapping_key, fixed, self._random) if fixed else None,
        )

    async def _parent(self, keyset: WrappedKeyset, key: NewKey) -> Parent | None:
        """What the key is derived from; None: it is not."""
        if key.origin.derive is None:
            return None
        name = key.origin.derive.from_key
        parent = keyset.key(name)
        if parent is None:
            raise NotDerivableError(
                f"key {name}, which it is derived from, is not there (yet): have that one made"
                " first, and this one follows by itself"
            )
        version = parent.primary_version
        fixed = await self.fixed(keyset, parent, version)
        material = fixed.material if fixed else await self.open(keyset, parent, version)
        return Parent(version, material)

    async def unwrapped(
        self, keyset: WrappedKeyset, key: WrappedVaultKey, number: int, wrapped: AnyWrapped
    ) -> bytes:
        """A wrapped version of a vault key, from memory or by its provider: 32 bytes.

        Raises:
            UnwrapError: It does not open.
            ProviderError: Its provider does not open it now.
        """
        aad = keyset.aad(key.name, key.algorithm, number)

        async def open_() -> bytes:
            provider = await self.provider_of(keyset)
            return await provider.unwrap(wrapped, Binding(keyset.root_key_id, aad), KEY_SIZE)

        digest = hashlib.sha256(wrapped.canonical() + aad).digest()
        return await self._opened.get((keyset.vault_id, key.name, number), digest, open_)


def _version_info(version: WrappedVersion) -> VersionInfo:
    fixed = version.fixed
    return VersionInfo(
        version=version.version,
        state=version.state,
        created_at=version.created_at,
        drained=version.drained,
        fixed=fixed is not None,
        public_key=fixed.public_key if fixed else None,
        derivation=fixed.derivation if fixed else None,
        certificate=version.certificate,
    )


def provider_fault(error: ProviderError) -> ProviderFault:
    """What plans are told of it."""
    return ProviderFault(error.reason, str(error), error.remedy)
