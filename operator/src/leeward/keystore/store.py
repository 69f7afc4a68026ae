"""The embedded key store: all key material of an installation, as Secrets of the operator's own.

    root key ─▶ keyset of a vault (one Secret each) ─▶ artefact key (one Secret each)
             ─▶ what one pod is given (one immutable Secret in its namespace)

Every step can be repeated, and none changes a key that is there: a Secret is made by POST, and
changed only by PUT over the version that was read. Material leaves through ``DeliverKeys`` alone.
"""

import datetime
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from leeward.formats.wrapped import (
    WrappedArtefactKey,
)
from leeward.keystore.artefacts import ArtefactKeys
from leeward.keystore.delivery import Deliveries
from leeward.keystore.fixed import FixedKeys
from leeward.keystore.given import GivenSecrets
from leeward.keystore.grants import GrantCounts
from leeward.keystore.issuing import Issuing
from leeward.keystore.longlived import PodSecrets
from leeward.keystore.providers.directory import Providers, Surroundings
from leeward.keystore.providers.embedded import EmbeddedProvider
from leeward.keystore.providers.port import ProviderError
from leeward.keystore.records import (
    UNPUBLISHED_SELECTOR,
    DamagedRecordError,
    UnpublishedKeys,
    artefact_info,
    artefact_name,
    artefact_secret,
    read_artefact_key,
    replacement,
    secret_ref,
)
from leeward.keystore.rootkey import (
    MANAGER,
    PagedClient,
    RootKeyCustodian,
    RootKeyState,
    SecretClient,
)
from leeward.keystore.rotation import VaultRotation
from leeward.keystore.shredding import Shredder
from leeward.keystore.tending import KeysetTender
from leeward.keystore.usage import ARTEFACT_SELECTOR, CountedSecrets, UsageBook
from leeward.keystore.vaults import KeyFaultError, VaultKeys, provider_fault
from leeward.kube.errors import (
    ForbiddenError,
    NotFoundError,
    RefusedError,
    outcome_of,
)
from leeward.plans.shared.faults import DeniedError
from leeward.plans.shared.keyowners import is_of_other_dataset
from leeward.plans.shared.model import (
    AdoptArtefactKey,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    BackupsInfo,
    CountDelivery,
    DeleteSecret,
    DeliverKeys,
    DestroyArtefactKey,
    DestroyRetiredKey,
    EnsureArtefactKey,
    EnsureAuthority,
    EnsureKeyset,
    ForgetArtefactKey,
    ForgetVault,
    GrantUse,
    GrantUseOf,
    IssueLeaf,
    KeyAction,
    KeyNeed,
    KeysetInfo,
    KeysetOf,
    KeysetRecord,
    KeyUsage,
    KeyUsageOf,
    Manifest,
    Outcome,
    PublishArtefactKey,
    PutKeys,
    RemoveArtefactKeys,
    RemoveKeys,
    RetireArtefactKey,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    ShredArtefactKey,
    ShredVault,
    TendKeyset,
)

KeyFound: TypeAlias = (
    KeysetInfo
    | ArtefactKeyInfo
    | KeyUsage
    | GrantUse
    | BackupsInfo
    | KeysetRecord
    | tuple[ArtefactKeyInfo, ...]
    | None
)
"""What is told of keys: no material."""


class EmbeddedKeyStore:
    """Makes, wraps, delivers and destroys keys (``engine.ports.KeyStore``)."""

    def __init__(
        self,
        api: PagedClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
        surroundings: Surroundings | None = None,
    ) -> None:
        """Make a key store; it reads nothing yet.

        Args:
            api: The API server.
            namespace: The operator's own.
            random: Yields so many bytes that nobody can guess.
            now: Time now, UTC.
            surroundings: Of providers; None: the root key is the only one.
        """
        self.usage = UsageBook()
        self._pages = partial(api.pages, "v1", "Secret", namespace, labels=ARTEFACT_SELECTOR)
        client: SecretClient = CountedSecrets(api, namespace, self.usage)
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._root = RootKeyCustodian(client, namespace, random, now)
        providers = Providers(EmbeddedProvider(self._root, random), surroundings)
        fixed = FixedKeys(GivenSecrets(client, namespace), random)
        self._vaults = VaultKeys(client, namespace, random, now, self._root, providers, fixed)
        self._tender = KeysetTender(client, namespace, self._vaults)
        self._rotation = VaultRotation(client, namespace, random, now, self._vaults)
        self._artefacts = ArtefactKeys(client, namespace, random, now, self._vaults, self._rotation)
        self._deliveries = Deliveries(client, self._artefacts)
        self._grants = GrantCounts(client, namespace)
        self._shredder = Shredder(client, namespace, now, self._vaults)
        self._issuing = Issuing(client, namespace, random, now, self._vaults)
        self._pod_secrets = PodSecrets(client, self._artefacts, self._issuing)

    @property
    def root_keys(self) -> RootKeyCustodian:
        """Who holds the root key."""
        return self._root

    async def ensure_root_key(self) -> RootKeyState:
        """Have a root key, if there can be one; never a new one while keys are wrapped."""
        return await self._root.ensure()

    async def count_usage(self) -> None:
        """Count anew what depends on every version of every vault key (``usage``)."""
        await self.usage.load(self._pages)

    async def unpublished_keys(self) -> UnpublishedKeys:
        """Keys of files that were not published (yet): whose owner is gone, is to be found out.

        Those that were shredded are among them, until they are forgotten.
        """
        found = await self._client.list(
            "v1", "Secret", self._namespace, labels=UNPUBLISHED_SELECTOR
        )
        keys, damaged = [], []
        for secret in found:
            try:
                keys.append(artefact_info(read_artefact_key(secret)))
            except DamagedRecordError:
                damaged.append(secret["metadata"]["name"])
        return UnpublishedKeys(tuple(keys), tuple(damaged))

    async def perform(self, action: KeyAction) -> Outcome:
        """Do it; doing it again changes nothing.

        Raises:
            FaultError: It may work later.
        """
        try:
            return await self._do(action)
        except KeyFaultError as error:
            return Outcome("Unreadable", "", error.fault)
        except ProviderError as error:
            return Outcome("Unreadable", "", provider_fault(error))
        except ForbiddenError as error:
            # Where workloads run it is an outcome; in its own namespace it is a broken Role.
            raise DeniedError(str(error)) from None
        except RefusedError as error:
            return outcome_of(error)

    async def _do(self, action: KeyAction) -> Outcome:
        match action:
            case (
                EnsureKeyset()
                | TendKeyset()
                | RotateVaultKey()
                | RewrapArtefactKeys()
                | RetireVersion()
            ):
                return await self._do_to_keyset(action)
            case EnsureArtefactKey():
                return await self._artefacts.ensure(action)
            case PublishArtefactKey() | AdoptArtefactKey():
                return await self._hand_over(action)
            case ShredArtefactKey(key_id):
                return await self._shred(key_id)
            case RetireArtefactKey() | DestroyRetiredKey():
                return await self._retire(action)
            case ForgetArtefactKey(key_id):
                return await self._forget(key_id)
            case ShredVault() | RemoveArtefactKeys() | ForgetVault() | DestroyArtefactKey():
                return await self._shredder.perform(action)
            case EnsureAuthority() | IssueLeaf():
                return await self._issuing.perform(action)
            case CountDelivery() | DeliverKeys() | DeleteSecret() | PutKeys() | RemoveKeys():
                return await self._give_out(action)

    async def _give_out(
        self, action: CountDelivery | DeliverKeys | DeleteSecret | PutKeys | RemoveKeys
    ) -> Outcome:
        match action:
            case CountDelivery():
                return await self._grants.count(action)
            case DeliverKeys():
                return await self._deliveries.deliver(action)
            case DeleteSecret(namespace, name):
                return await self._deliveries.remove(namespace, name)
            case PutKeys() | RemoveKeys():
                return await self._pod_secrets.perform(action)

    async def _do_to_keyset(
        self,
        action: EnsureKeyset | TendKeyset | RotateVaultKey | RewrapArtefactKeys | RetireVersion,
    ) -> Outcome:
        match action:
            case EnsureKeyset():
                return await self._ensure(action)
            case TendKeyset():
                return await self._tender.tend(action)
            case _:
                return await self._rotation.perform(action)

    async def _ensure(self, action: EnsureKeyset) -> Outcome:
        try:
            return await self._vaults.ensure(action)
        except KeyFaultError:
            if not await self._shredder.clear(action.namespace, action.vault, action.uid):
                raise
        return await self._vaults.ensure(action)

    async def look(self, need: KeyNeed) -> KeyFound:
        """What is known of keys, without material; None: it is not there, or not known yet.

        Raises:
            FaultError: It cannot be read now.
        """
        try:
            match need:
                case KeysetOf():
                    return await self._keyset_info(need)
                case KeyUsageOf():
                    return self.usage.usage(need)
                case GrantUseOf():
                    return await self._grants.look(need)
                case ArtefactKeyOf():
                    return await self._artefact_key_info(need)
                case _:
                    return await self._shredder.look(need)
        except RefusedError as error:
            raise DeniedError(str(error)) from None

    async def _keyset_info(self, need: KeysetOf) -> KeysetInfo | None:
        try:
            found = await self._vaults.read(need.namespace, need.vault)
        except KeyFaultError as error:
            return KeysetInfo("", "", {}, readable=False, fault=error.fault)
        return None if found is None else await self._vaults.info(found[1])

    async def _artefact_key_info(self, need: ArtefactKeyOf) -> ArtefactKeyInfo | None:
        try:
            found = await self._artefacts.find(need.id)
        except DamagedRecordError:
            return None
        if found is None and need.or_fingerprint:
            found = await self._artefacts.by_fingerprint(need.id)
        return None if found is None else artefact_info(found[1])

    async def _hand_over(self, action: PublishArtefactKey | AdoptArtefactKey) -> Outcome:
        """Make a key a Dataset's, over the version that was read."""
        try:
            found = await self._artefacts.find(action.id)
        except DamagedRecordError:
            found = None
        if found is None:
            return Outcome("Missing", f"artefact key {action.id} is not there")
        secret, key = found
        if isinstance(action, AdoptArtefactKey):
            taken = key.owner not in (action.owner, action.previous)
        else:
            taken = is_of_other_dataset(key.owner, action.owner)
        if taken:
            return Outcome("Conflict", f"artefact key {action.id} is another Dataset's")
        published = key.published or isinstance(action, PublishArtefactKey)
        changed = key.model_copy(update={"owner": action.owner, "published": published})
        if changed != key:
            made = artefact_secret(self._namespace, changed)
            await self._client.replace(replacement(secret, made), MANAGER)
        return Outcome("Done", result=artefact_info(changed))

    async def _shred(self, key_id: str) -> Outcome:
        """Over the version that was read: of publishing and shredding one wins."""
        ref = secret_ref(self._namespace, artefact_name(key_id))
        try:
            secret = await self._client.get(ref)
        except NotFoundError:
            return Outcome("Missing", f"artefact key {key_id} is not there")
        try:
            key = read_artefact_key(secret)
        except DamagedRecordError:
            return await self._remove(secret)
        if isinstance(key, WrappedArtefactKey):
            if key.published:
                return Outcome("Conflict", f"artefact key {key_id} opens what was published")
            emptied = artefact_secret(self._namespace, key.shredded())
            await self._client.replace(replacement(secret, emptied), MANAGER)
        return Outcome("Done")

    async def _retire(self, action: RetireArtefactKey | DestroyRetiredKey) -> Outcome:
        """Over the version that was read: see ``RetireArtefactKey`` for what hangs on it."""
        try:
            found = await self._artefacts.find(action.id)
        except DamagedRecordError:
            return Outcome("Conflict", f"the record of artefact key {action.id} is damaged")
        if found is None:
            gone = isinstance(action, DestroyRetiredKey)
            return Outcome("Done" if gone else "Missing", f"artefact key {action.id} is not there")
        secret, key = found
        if key.owner != action.owner:
            return Outcome("Conflict", f"artefact key {action.id} is another Dataset's")
        if isinstance(action, DestroyRetiredKey):
            if not key.retired:
                return Outcome("Conflict", f"artefact key {action.id} is still given to workloads")
            return await self._remove(secret)
        changed = key.model_copy(update={"retired": True if action.retired else None})
        if changed != key:
            made = artefact_secret(self._namespace, changed)
            await self._client.replace(replacement(secret, made), MANAGER)
        return Outcome("Done", result=artefact_info(changed))

    async def _forget(self, key_id: str) -> Outcome:
        try:
            found = await self._artefacts.record(key_id)
        except DamagedRecordError:
            return Outcome("Conflict", f"the record of artefact key {key_id} is damaged")
        if found is None:
            return Outcome("Done")
        secret, key = found
        if isinstance(key, WrappedArtefactKey):
            return Outcome("Conflict", f"artefact key {key_id} was not shredded")
        return await self._remove(secret)

    async def _remove(self, secret: Manifest) -> Outcome:
        metadata = secret["metadata"]
        try:
            ref = secret_ref(self._namespace, metadata["name"])
            # That one, as it was read: what somebody repaired since stays.
            version = metadata["resourceVersion"]
            await self._client.delete(ref, uid=metadata["uid"], version=version)
        except NotFoundError:
            pass
        return Outcome("Done")
