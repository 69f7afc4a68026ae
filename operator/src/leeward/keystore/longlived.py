"""Secrets of long-lived pods: replaced in place while the pods run, and never read.

One is told from everybody else's by its type, which holds the UID of the KeyDelivery and which the
API server lets nobody change: a PUT over another Secret is refused, so none is ever taken over.
What is written over carries the resourceVersion that it was last written as, so that whoever acts
on old knowledge is stopped.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from pydantic import SecretStr

from leeward.formats.certificates import InvalidPairError, tls_files
from leeward.formats.keyset import KEYSET_FILE, PAIR_ALGORITHM, PodKey, PodKeyset
from leeward.formats.wrapped import WrappedArtefactKey
from leeward.keystore.artefacts import ArtefactKeys
from leeward.keystore.issuing import Issuing
from leeward.keystore.records import DamagedRecordError, secret_ref
from leeward.keystore.rootkey import MANAGER, SecretClient
from leeward.keystore.vaults import KeyFaultError
from leeward.kube.errors import (
    AlreadyExistsError,
    InvalidError,
    NotFoundError,
    RefusedError,
    outcome_of,
)
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    ArtefactEntry,
    LeafEntry,
    Manifest,
    Outcome,
    PodEntry,
    PutKeys,
    RemoveKeys,
    TrustEntry,
    WrittenKeys,
)

_Opened: TypeAlias = tuple[WrappedArtefactKey, bytes]
CHANGED: Final = "Changed"
"""Result of a Conflict: the Secret is not the one that was written last."""


class PodSecrets:
    """Makes, replaces and removes Secrets of long-lived pods."""

    def __init__(self, client: SecretClient, artefacts: ArtefactKeys, issuing: Issuing) -> None:
        self._client = client
        self._artefacts = artefacts
        self._issuing = issuing

    async def perform(self, action: PutKeys | RemoveKeys) -> Outcome:
        """Do it; doing it again changes nothing."""
        if isinstance(action, PutKeys):
            return await self.put(action)
        return await self.remove(action)

    async def put(self, action: PutKeys) -> Outcome:
        """Make the Secret, or replace what it holds."""
        keys: list[PodKey] = []
        files: dict[str, bytes] = {}
        opened = await self._opened(action.entries)
        for entry in action.entries:
            key = await self._entry(entry, opened, files)
            if key is None:
                return Outcome("Missing", f"key {entry.id} is not there")
            keys.append(key)
        files[KEYSET_FILE] = PodKeyset(keys=keys).canonical()
        secret = _secret(action, files)
        try:
            return _written(await self._store(secret, action.over))
        except StaleWriteError:
            return Outcome("Conflict", "the Secret was written by another process", CHANGED)
        except InvalidError as error:
            return _foreign() if error.status == 422 else outcome_of(error)
        except RefusedError as error:
            return outcome_of(error)

    async def _store(self, secret: Manifest, over: str | None) -> Manifest:
        """PUT, for as a rule it is there; where it is gone, it is made."""
        versioned = dict(secret["metadata"])
        if over is not None:
            versioned["resourceVersion"] = over
        try:
            return await self._client.replace({**secret, "metadata": versioned}, MANAGER)
        except NotFoundError:
            pass
        try:
            return await self._client.create(secret, MANAGER)
        except AlreadyExistsError:
            raise StaleWriteError("a Secret came while it was made") from None

    async def remove(self, action: RemoveKeys) -> Outcome:
        """Empty the Secret and delete it, if it is of this type."""
        empty = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": action.type,
            "metadata": {"name": action.name, "namespace": action.namespace},
        }
        try:
            emptied = await self._client.replace(empty, MANAGER)
            ref = secret_ref(action.namespace, action.name)
            await self._client.delete(ref, uid=emptied["metadata"]["uid"])
        except (NotFoundError, StaleWriteError):
            pass  # another one by now, which is none of ours
        except InvalidError as error:
            return _foreign() if error.status == 422 else outcome_of(error)
        except RefusedError as error:
            return outcome_of(error)
        return Outcome("Done")

    async def _entry(
        self, entry: PodEntry, opened: Mapping[str, _Opened], files: dict[str, bytes]
    ) -> PodKey | None:
        """One key of the keyset, and what stands beside it; None: it is not there."""
        match entry:
            case ArtefactEntry():
                if entry.id not in opened:
                    return None
                key, material = opened[entry.id]
                return _pod_key(entry, key.algorithm, material)
            case LeafEntry():
                try:
                    pair = await self._issuing.pair(entry)
                except InvalidPairError:
                    raise KeyFaultError("Damaged") from None
                if pair is None:
                    return None
                if entry.trust is not None:
                    files |= tls_files(pair, entry.trust)
                return _pod_key(entry, PAIR_ALGORITHM, pair.material())
            case TrustEntry():
                return _pod_key(entry, entry.algorithm, entry.pem.encode())

    async def _opened(self, entries: Iterable[PodEntry]) -> dict[str, _Opened]:
        """The artefact keys among them, by id; those that are not there left out."""
        records = {}
        for entry in entries:
            if not isinstance(entry, ArtefactEntry) or entry.id in records:
                continue
            try:
                found = await self._artefacts.find(entry.id)
            except DamagedRecordError:
                raise KeyFaultError("Damaged") from None
            if found is None:
                break  # nothing is written without it
            records[entry.id] = found[1]
        opened = await self._artefacts.materials(tuple(records.values()))
        return dict(zip(records, opened, strict=True))


def _pod_key(entry: PodEntry, algorithm: str, material: bytes) -> PodKey:
    return PodKey(
        id=entry.id,
        role=entry.role,
        algorithm=algorithm,
        version=entry.version,
        material=SecretStr(base64.b64encode(material).decode()),
    )


def _secret(action: PutKeys, files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": action.type,
        "metadata": {
            "name": action.name,
            "namespace": action.namespace,
            "labels": dict(action.labels),
            "ownerReferences": [dict(action.owner)],
        },
        "data": {name: base64.b64encode(data).decode() for name, data in files.items()},
    }


def _foreign() -> Outcome:
    return Outcome("Conflict", "a Secret of that name belongs to somebody else")


def _written(secret: Manifest) -> Outcome:
    return Outcome("Done", result=WrittenKeys(secret["metadata"]["resourceVersion"]))
