"""How often grants with maxDeliveries were used: counted by compare-and-swap, before delivery.

A workload is counted first and given its keys afterwards. Whoever is killed in between has counted
one that goes on where it was, for it is known by its UID; one that is deleted in between stays
counted. So a grant never gives to more workloads than it is for, whoever leads.
"""

import hashlib
from typing import Final

from leeward.formats.grantuse import MAX_WORKLOADS, GrantRecord
from leeward.keystore.records import (
    GRANT_ROLE,
    DamagedRecordError,
    grant_secret,
    read_document,
    replacement,
    secret_ref,
)
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.kube.errors import AlreadyExistsError, NotFoundError
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import CountDelivery, GrantUse, GrantUseOf, Manifest, Outcome

_TRIES: Final = 8


class GrantCounts:
    """Counts uses of grants in the operator's namespace."""

    def __init__(self, client: SecretClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def look(self, need: GrantUseOf) -> GrantUse:
        """How often the grant was used, and whether by this workload."""
        try:
            found = await self._find(need)
        except DamagedRecordError:
            return GrantUse(MAX_WORKLOADS, counted=False, damaged=_name(need))
        if found is None:
            return GrantUse(0, counted=False)
        _, record = found
        return GrantUse(len(record.workloads), counted=need.uid in record.workloads)

    async def count(self, action: CountDelivery) -> Outcome:
        """Count the workload, if it is not counted and there is room for it.

        Raises:
            StaleWriteError: Others count at the same time, again and again.
        """
        for _ in range(_TRIES):
            try:
                found = await self._find(action)
            except DamagedRecordError:
                return Outcome("Conflict", f"the count of grant {action.grant} is damaged")
            record = found[1] if found else self._new(action)
            if action.uid in record.workloads:
                return Outcome("Done")
            if len(record.workloads) >= action.limit:
                return Outcome("Conflict", f"grant {action.grant} is used up")
            grown = record.model_copy(update={"workloads": [*record.workloads, action.uid]})
            made = grant_secret(self._namespace, _name(action), grown)
            try:
                if found is None:
                    await self._client.create(made, MANAGER)
                else:
                    await self._client.replace(replacement(found[0], made), MANAGER)
            except (AlreadyExistsError, StaleWriteError, NotFoundError):
                continue
            return Outcome("Done")
        raise StaleWriteError("others count uses of the same grant")

    @staticmethod
    def _new(action: CountDelivery) -> GrantRecord:
        return GrantRecord(vault_id=action.vault_id, key=action.key, grant=action.grant)

    async def _find(self, place: GrantUseOf | CountDelivery) -> tuple[Manifest, GrantRecord] | None:
        try:
            secret = await self._client.get(secret_ref(self._namespace, _name(place)))
        except NotFoundError:
            return None
        return secret, read_document(secret, GrantRecord, GRANT_ROLE)


def _name(place: GrantUseOf | CountDelivery) -> str:
    digest = hashlib.sha256(f"{place.vault_id}/{place.key}/{place.grant}".encode()).hexdigest()
    return f"grant-{digest[:20]}"
