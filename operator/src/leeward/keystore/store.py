"""The embedded key store: all key material of an installation, as Secrets of the operator's own.

    root key ─▶ keyset of a vault (one Secret each) ─▶ artefact key (one Secret each)
             ─▶ what one pod is given (one immutable Secret in its namespace)

Every step can be repeated, and none changes a key that is there: a Secret is made by POST, and
changed only by PUT over the version that was read. Material leaves through ``DeliverKeys`` alone.
"""

import asyncio
import base64
import datetime
from collections.abc import Callable

from pydantic import SecretStr

from leeward.formats.keyset import PodKey, PodKeyset
from leeward.formats.material import generate, public_pem
from leeward.formats.wrapped import (
    Artefact,
    ShreddedArtefactKey,
    UnwrapError,
    WrappedArtefactKey,
    WrappedKeyset,
    WrappedVaultKey,
    artefact_aad,
    unwrap,
    wrap,
)
from leeward.keystore.records import (
    ARTEFACT_ROLE,
    FINGERPRINT_LABEL,
    UNPUBLISHED_SELECTOR,
    DamagedRecordError,
    UnpublishedKeys,
    artefact_info,
    artefact_name,
    artefact_secret,
    delivered_secret,
    read_artefact_key,
    read_document,
    replacement,
    secret_ref,
)
from leeward.keystore.rootkey import MANAGER, RootKeyCustodian, RootKeyState, SecretClient
from leeward.keystore.vaults import KeyFaultError, VaultKeys
from leeward.kube.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RefusedError,
    outcome_of,
)
from leeward.plans.shared.conditions import timestamp
from leeward.plans.shared.faults import DeniedError, StaleWriteError
from leeward.plans.shared.keyowners import is_of_other_dataset
from leeward.plans.shared.model import (
    AdoptArtefactKey,
    ArtefactKeyInfo,
    ArtefactKeyOf,
    DeleteSecret,
    DeliverKeys,
    EnsureArtefactKey,
    EnsureKeyset,
    ForgetArtefactKey,
    KeyAction,
    KeysetInfo,
    KeysetOf,
    Manifest,
    Outcome,
    PublishArtefactKey,
    ShredArtefactKey,
)


class EmbeddedKeyStore:
    """Makes, wraps, delivers and destroys keys (``engine.ports.KeyStore``)."""

    def __init__(
        self,
        client: SecretClient,
        namespace: str,
        random: Callable[[int], bytes],
        now: Callable[[], datetime.datetime],
    ) -> None:
        """Make a key store; it reads nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
            random: Yields so many bytes that nobody can guess.
            now: Time now, UTC.
        """
        self._client = client
        self._namespace = namespace
        self._random = random
        self._now = now
        self._root = RootKeyCustodian(client, namespace, random, now)
        self._vaults = VaultKeys(client, namespace, random, now, self._root)

    @property
    def root_keys(self) -> RootKeyCustodian:
        """Who holds the root key."""
        return self._root

    async def ensure_root_key(self) -> RootKeyState:
        """Have a root key, if there can be one; never a new one while keys are wrapped."""
        return await self._root.ensure()

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
        except ForbiddenError as error:
            # Where workloads run it is an outcome; in its own namespace it is a broken Role.
            raise DeniedError(str(error)) from None
        except RefusedError as error:
            return outcome_of(error)

    async def _do(self, action: KeyAction) -> Outcome:
        match action:
            case EnsureKeyset():
                return await self._vaults.ensure(action)
            case EnsureArtefactKey():
                return await self._ensure_artefact_key(action)
            case PublishArtefactKey() | AdoptArtefactKey():
                return await self._hand_over(action)
            case ShredArtefactKey(key_id):
                return await self._shred(key_id)
            case ForgetArtefactKey(key_id):
                return await self._forget(key_id)
            case DeliverKeys():
                return await self._deliver(action)
            case DeleteSecret(namespace, name):
                return await self._delete(namespace, name)

    async def look(self, need: KeysetOf | ArtefactKeyOf) -> KeysetInfo | ArtefactKeyInfo | None:
        """What is known of a keyset or an artefact key, without material; None: it is not there.

        Raises:
            FaultError: It cannot be read now.
        """
        try:
            if isinstance(need, KeysetOf):
                return await self._keyset_info(need)
            return await self._artefact_key_info(need)
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
            found = await self._artefact_key(need.id)
        except DamagedRecordError:
            return None
        if found is None and need.or_fingerprint:
            found = await self._by_fingerprint(need.id)
        return None if found is None else artefact_info(found[1])

    async def _by_fingerprint(self, fingerprint: str) -> tuple[Manifest, WrappedArtefactKey] | None:
        """A pair by its public half: all that somebody knows who sealed to the bare PEM."""
        selector = f"{FINGERPRINT_LABEL}={fingerprint}"
        found = await self._client.list("v1", "Secret", self._namespace, labels=selector)
        if len(found) != 1:
            return None
        try:
            return found[0], read_document(found[0], WrappedArtefactKey, ARTEFACT_ROLE)
        except DamagedRecordError:
            return None

    async def _artefact_key(self, key_id: str) -> tuple[Manifest, WrappedArtefactKey] | None:
        """An artefact key and the Secret that it stands in; None: there is none (any more).

        Raises:
            DamagedRecordError: The Secret does not hold one.
        """
        found = await self._recorded(key_id)
        if found is None:
            return None
        secret, key = found
        return (secret, key) if isinstance(key, WrappedArtefactKey) else None

    async def _recorded(
        self, key_id: str
    ) -> tuple[Manifest, WrappedArtefactKey | ShreddedArtefactKey] | None:
        """An artefact key, or what is left of it, and the Secret that it stands in.

        Raises:
            DamagedRecordError: The Secret does not hold one.
        """
        try:
            secret = await self._client.get(secret_ref(self._namespace, artefact_name(key_id)))
        except NotFoundError:
            return None
        return secret, read_artefact_key(secret)

    async def _ensure_artefact_key(self, action: EnsureArtefactKey) -> Outcome:
        found = await self._vaults.read(action.vault_namespace, action.vault)
        key = found[1].key(action.key) if found else None
        if found is None or key is None:
            return Outcome("Missing", f"key {action.key} is not in the keyset")
        made = await self._new_artefact_key(action, found[1], key)
        try:
            await self._client.create(artefact_secret(self._namespace, made), MANAGER)
        except AlreadyExistsError:
            return await self._take_up_artefact_key(made)
        return Outcome("Done", result=artefact_info(made))

    async def _new_artefact_key(
        self, action: EnsureArtefactKey, keyset: WrappedKeyset, key: WrappedVaultKey
    ) -> WrappedArtefactKey:
        version = key.primary_version
        wrapping_key = await self._vaults.open(keyset, key, version)
        material = await asyncio.to_thread(generate, key.algorithm, self._random)
        public_key = public_pem(key.algorithm, material)
        aad = artefact_aad(action.id, keyset.vault_id, key.name, version, key.algorithm, public_key)
        return WrappedArtefactKey(
            id=action.id,
            vault_id=keyset.vault_id,
            vault_namespace=action.vault_namespace,
            vault=action.vault,
            key=key.name,
            version=version,
            algorithm=key.algorithm,
            namespace=action.namespace,
            owner=action.owner,
            created_at=timestamp(self._now()),
            public_key=public_key,
            artefact=Artefact(claim=action.artefact[0], path=action.artefact[1])
            if action.artefact
            else None,
            dataset=action.dataset,
            wrapped=wrap(wrapping_key, material, aad, self._random),
        )

    async def _take_up_artefact_key(self, made: WrappedArtefactKey) -> Outcome:
        try:
            found = await self._artefact_key(made.id)
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None
        if found is None:
            raise StaleWriteError("an artefact key went while it was made")
        there = found[1]
        if (there.vault_id, there.key, there.algorithm) != (
            made.vault_id,
            made.key,
            made.algorithm,
        ):
            return Outcome("Conflict", f"artefact key {made.id} belongs to another vault key")
        return Outcome("Done", result=artefact_info(there))

    async def _hand_over(self, action: PublishArtefactKey | AdoptArtefactKey) -> Outcome:
        """Make a key a Dataset's, over the version that was read."""
        try:
            found = await self._artefact_key(action.id)
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

    async def _forget(self, key_id: str) -> Outcome:
        try:
            found = await self._recorded(key_id)
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
            await self._client.delete(ref, uid=metadata["uid"])
        except NotFoundError:
            pass
        return Outcome("Done")

    async def _deliver(self, action: DeliverKeys) -> Outcome:
        keys = []
        for role, key_id in action.keys:
            found = await self._deliverable(key_id)
            if found is None:
                return Outcome("Missing", f"artefact key {key_id} is not there")
            keys.append(await self._pod_key(role, found))
        secret = delivered_secret(action, PodKeyset(keys=keys))
        try:
            await self._client.create(secret, MANAGER)
        except AlreadyExistsError:
            return await self._overwrite(secret)
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")

    async def _overwrite(self, secret: Manifest) -> Outcome:
        """Put a delivery in the place of what has its name, which cannot be looked at.

        As a rule that is the same delivery, made before a crash, and nothing changes. But the name
        can be read in the status before the Secret is there, so it can also be somebody else's.
        """
        try:
            await self._client.replace(secret, MANAGER)
        except InvalidError:
            # Of another type, or immutable with other data: it is not ours. By its name, for its
            # UID cannot be read here: the name is one that was drawn for this delivery.
            await self._delete(secret["metadata"]["namespace"], secret["metadata"]["name"])
            return await self._create_again(secret)
        except NotFoundError:
            return await self._create_again(secret)
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")

    async def _create_again(self, secret: Manifest) -> Outcome:
        try:
            await self._client.create(secret, MANAGER)
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")

    async def _deliverable(self, key_id: str) -> WrappedArtefactKey | None:
        try:
            found = await self._artefact_key(key_id)
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None
        return None if found is None else found[1]

    async def _pod_key(self, role: str, key: WrappedArtefactKey) -> PodKey:
        found = await self._vaults.read(key.vault_namespace, key.vault)
        vault_key = found[1].key(key.key) if found else None
        if found is None or vault_key is None or found[1].vault_id != key.vault_id:
            raise KeyFaultError("Damaged")
        wrapping_key = await self._vaults.open(found[1], vault_key, key.version)
        try:
            material = unwrap(wrapping_key, key.wrapped, key.aad())
        except UnwrapError:
            raise KeyFaultError("Damaged") from None
        return PodKey(
            id=key.id,
            role=role,
            algorithm=key.algorithm,
            version=key.version,
            material=SecretStr(base64.b64encode(material).decode()),
        )

    async def _delete(self, namespace: str, name: str) -> Outcome:
        try:
            await self._client.delete(secret_ref(namespace, name))
        except NotFoundError:
            pass
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")
