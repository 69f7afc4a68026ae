"""What pods are given: one Secret with just their keys, in the workload's namespace."""

import base64

from pydantic import SecretStr

from leeward.formats.keyset import OUTPUT_ROLE, PodKey, PodKeyset
from leeward.formats.wrapped import WrappedArtefactKey
from leeward.keystore.artefacts import ArtefactKeys
from leeward.keystore.records import DamagedRecordError, delivered_secret, secret_ref
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.vaults import KeyFaultError
from leeward.kube.errors import (
    AlreadyExistsError,
    InvalidError,
    NotFoundError,
    RefusedError,
    outcome_of,
)
from leeward.plans.shared.model import DeliverKeys, Manifest, Outcome


def _is_own(action: DeliverKeys, key: WrappedArtefactKey) -> bool:
    """Whether it is given to pods of the Dataset that it belongs to."""
    owner = action.owner
    return key.owner == f"{owner['kind']}/{owner['name']}/{owner['uid']}"


class Deliveries:
    """Makes and removes Secrets that pods mount."""

    def __init__(self, client: SecretClient, artefacts: ArtefactKeys) -> None:
        self._client = client
        self._artefacts = artefacts

    async def deliver(self, action: DeliverKeys) -> Outcome:
        """Put the keys into a Secret of the workload's namespace."""
        records = []
        for _, key_id in action.keys:
            found = await self._deliverable(key_id)
            if found is None:
                return Outcome("Missing", f"artefact key {key_id} is not there")
            if found.retired and not _is_own(action, found):
                return Outcome("Retired", f"artefact key {key_id} has a successor")
            records.append(found)
        # Also where only its public half is given: what does not open may be somebody else's.
        opened = await self._artefacts.materials(records)
        roles = (role for role, _ in action.keys)
        keys = [_pod_key(role, *each) for role, each in zip(roles, opened, strict=True)]
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
            await self.remove(secret["metadata"]["namespace"], secret["metadata"]["name"])
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
            # As it is now: whoever led before may have retired it last.
            found = await self._artefacts.find(key_id, fresh=True)
        except DamagedRecordError:
            raise KeyFaultError("Damaged") from None
        return None if found is None else found[1]

    async def remove(self, namespace: str, name: str) -> Outcome:
        """Delete a Secret there, blind."""
        try:
            await self._client.delete(secret_ref(namespace, name))
        except NotFoundError:
            pass
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")


def _pod_key(role: str, key: WrappedArtefactKey, material: bytes) -> PodKey:
    if role == OUTPUT_ROLE and key.public_key is not None:
        material = key.public_key.encode()
    return PodKey(
        id=key.id,
        role=role,
        algorithm=key.algorithm,
        version=key.version,
        material=SecretStr(base64.b64encode(material).decode()),
    )
