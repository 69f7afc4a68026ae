"""What was destroyed for good, by its tombstones: no backup brings that back unasked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from leeward.cli.errors import CliError
from leeward.cli.output import counted
from leeward.cli.port import SECRETS, Cluster
from leeward.formats.destruction import Tombstone
from leeward.formats.wrapped import WrappedArtefactKey, WrappedKeyset
from leeward.keystore.backups import StoredKey
from leeward.keystore.records import (
    ARTEFACT_ROLE,
    DESTROYED_SELECTOR,
    KEYSET_ROLE,
    DamagedRecordError,
    artefact_name,
    keyset_name,
    read_document,
    read_tombstone,
)

_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class DestroyedKeys:
    """Names of tombstones, by the id of the vault or artefact key that was destroyed."""

    names: Mapping[str, str]

    def tombstone_of(self, stored: StoredKey) -> str | None:
        """The Secret that says that this key was destroyed; None: there is none."""
        return next((self.names[id_] for id_ in _ids(stored) if id_ in self.names), None)


def destroyed_keys(cluster: Cluster, namespace: str, stored: Iterable[StoredKey]) -> DestroyedKeys:
    """Which of these keys were destroyed for good, and are not there.

    Versions of a key (shredBelow) have no tombstone: their keyset is still there, and a backup
    replaces nothing.

    Args:
        cluster: The cluster.
        namespace: The operator's.
        stored: Keys out of a backup.

    Raises:
        CliError: A tombstone cannot be read: it might be of any of them.
    """
    asked = {id_ for key in stored for id_ in _ids(key)}
    tombstones: dict[str, Tombstone] = {}
    unreadable: list[str] = []
    for secret in cluster.list(SECRETS, namespace, labels=DESTROYED_SELECTOR):
        name = secret["metadata"]["name"]
        try:
            tombstones[name] = read_tombstone(secret)
        except DamagedRecordError:
            unreadable.append(name)
    if unreadable:
        raise CliError(
            f"{counted(len(unreadable), 'Secret')} that should say which key was destroyed cannot"
            f" be read: {', '.join(sorted(unreadable)[:_LISTED])}; nothing was restored",
            "restore with the release that runs in the cluster. Where the Secret is damaged: its"
            " name ends with the id of the vault or artefact key; delete it only if that key may"
            f" come back (kubectl delete secret NAME -n {namespace}), and run the command again",
        )
    return DestroyedKeys(
        {
            tombstone.id: name
            for name, tombstone in tombstones.items()
            if tombstone.id in asked and not _is_there(cluster, namespace, tombstone)
        }
    )


def _ids(stored: StoredKey) -> tuple[str, ...]:
    """What may be destroyed for a key to be gone."""
    own = () if isinstance(stored, WrappedKeyset) else (stored.id,)
    return stored.vault_id, *own


def _is_there(cluster: Cluster, namespace: str, tombstone: Tombstone) -> bool:
    """Whether the key is still there: its destruction was begun, and not done (yet)."""
    if tombstone.what == "Vault":
        name = keyset_name(tombstone.vault_namespace, tombstone.vault)
    else:
        name = artefact_name(tombstone.id)
    secret = cluster.find(SECRETS, namespace, name)
    if secret is None:
        return False
    try:
        if tombstone.what == "Vault":
            return read_document(secret, WrappedKeyset, KEYSET_ROLE).vault_id == tombstone.id
        read_document(secret, WrappedArtefactKey, ARTEFACT_ROLE)
    except DamagedRecordError:
        return False
    return True
