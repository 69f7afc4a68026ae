"""Backups of wrapped keys, as the cluster knows them, and the Secrets that go into one.

Of each backup there is a ConfigMap in the operator's namespace, made before anything is read for
it, so that a key which was shredded without one in sight is in no later backup either. One object
each: a single one for all would reach the limit of 1 MiB, and forgetting one is deleting one.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from leeward.formats.backup import BackedUpKey, BackupRecord
from leeward.formats.wrapped import (
    ShreddedArtefactKey,
    WrappedArtefactKey,
    WrappedKeyset,
)
from leeward.keystore.records import (
    KEYSET_ROLE,
    ROLE_LABEL,
    DamagedRecordError,
    artefact_secret,
    keyset_secret,
    read_artefact_key,
    read_document,
)
from leeward.plans.shared.model import Manifest

BACKUP_ROLE: Final = "key-backup"
BACKUP_SELECTOR: Final = f"{ROLE_LABEL}={BACKUP_ROLE}"
_RECORD: Final = "record.json"

StoredKey = WrappedKeyset | WrappedArtefactKey | ShreddedArtefactKey


class ListClient(Protocol):
    """What is needed of the API server; raises what ``kube.errors`` lists."""

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """Objects by label."""


class KnownBackups:
    """Which backups of wrapped keys there are, as far as anybody told the cluster."""

    def __init__(self, client: ListClient, namespace: str) -> None:
        """Make a reader; it reads nothing yet.

        Args:
            client: The API server.
            namespace: The operator's own.
        """
        self._client = client
        self._namespace = namespace

    async def known_backups(self, vault_id: str) -> tuple[BackupRecord, ...]:
        """Backups that hold keys of this vault, the oldest first.

        Raises:
            DamagedRecordError: The record of a backup cannot be read: it might hold them.
            FaultError: They cannot be listed now.
        """
        found = await self._client.list("v1", "ConfigMap", self._namespace, labels=BACKUP_SELECTOR)
        records = [read_record(config_map) for config_map in found]
        holding = [record for record in records if record.holds(vault_id)]
        return tuple(sorted(holding, key=lambda record: (record.created_at, record.id)))


def record_name(backup_id: str) -> str:
    """Name of the ConfigMap that records a backup."""
    return f"leeward-backup-{backup_id}"


def record_config_map(namespace: str, record: BackupRecord) -> Manifest:
    """The ConfigMap that records a backup."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(record.id),
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "leeward",
                "app.kubernetes.io/managed-by": "leeward-cli",
                ROLE_LABEL: BACKUP_ROLE,
            },
        },
        "data": {_RECORD: record.canonical().decode()},
    }


def read_record(config_map: Manifest) -> BackupRecord:
    """The record in its ConfigMap.

    Raises:
        DamagedRecordError: There is none in it.
    """
    try:
        return BackupRecord.parse(config_map["data"][_RECORD])
    except (KeyError, TypeError, ValueError):
        name = config_map["metadata"]["name"]
        raise DamagedRecordError(f"ConfigMap {name} does not hold the record of a backup") from None


def read_stored(secret: Manifest) -> StoredKey:
    """What is in a Secret of ours that goes into backups.

    Raises:
        DamagedRecordError: It does not hold what it should.
    """
    if secret["metadata"].get("labels", {}).get(ROLE_LABEL) == KEYSET_ROLE:
        return read_document(secret, WrappedKeyset, KEYSET_ROLE)
    return read_artefact_key(secret)


def backed_up(secret: Manifest, stored: StoredKey) -> BackedUpKey:
    """A Secret of ours as it goes into a backup.

    Args:
        secret: The Secret.
        stored: What is in it.
    """
    return BackedUpKey(
        name=secret["metadata"]["name"],
        role="keyset" if isinstance(stored, WrappedKeyset) else "artefact-key",
        document=stored.canonical().decode(),
    )


@dataclass(frozen=True, slots=True)
class RestoredKey:
    """A key out of a backup.

    Attributes:
        secret: The Secret to make for it.
        stored: What is in that.
        was: What was in it when the backup was made.
    """

    secret: Manifest
    stored: StoredKey
    was: StoredKey

    def is_in(self, secret: Manifest) -> bool:
        """Whether a Secret holds this key already, restored or never lost."""
        try:
            return read_stored(secret) in (self.stored, self.was)
        except DamagedRecordError:
            return False


def restored(namespace: str, key: BackedUpKey) -> RestoredKey:
    """A key out of a backup, with the Secret that it is to stand in.

    Raises:
        DamagedRecordError: It is not such a key, or another one than its name says.
    """
    try:
        was = _parsed(key)
    except ValueError:
        # Without its cause: the text of a validation error may quote what was stored.
        raise DamagedRecordError(f"{key.name} in the backup holds no {key.role}") from None
    stored = _left_alone(was)
    made = (
        keyset_secret(namespace, stored)
        if isinstance(stored, WrappedKeyset)
        else artefact_secret(namespace, stored)
    )
    if made["metadata"]["name"] != key.name:
        raise DamagedRecordError(f"{key.name} in the backup holds another key than its name says")
    return RestoredKey(made, stored, was)


def _left_alone(was: StoredKey) -> StoredKey:
    """A key such that the search for leftovers of jobs does not find it.

    What a job wrote may have been published after the backup was made. Where its workload is gone,
    that search would shred the key and remove the file.
    """
    if isinstance(was, WrappedArtefactKey) and was.artefact is not None:
        return was.model_copy(update={"published": True})
    if isinstance(was, ShreddedArtefactKey):
        return was.model_copy(update={"artefact": None})
    return was


def _parsed(key: BackedUpKey) -> StoredKey:
    if key.role == KEYSET_ROLE:
        return WrappedKeyset.parse(key.document)
    try:
        return WrappedArtefactKey.parse(key.document)
    except ValueError:
        return ShreddedArtefactKey.parse(key.document)
