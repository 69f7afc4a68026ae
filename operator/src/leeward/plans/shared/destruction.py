"""What plans may ask about destroying keys, and ask to be done. Part of ``plans.shared.model``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownBackupsOf:
    """Which backups hold keys of a vault: a ``BackupsInfo``."""

    vault_id: str


@dataclass(frozen=True, slots=True)
class BackupsInfo:
    """Backups of wrapped keys that the cluster knows of.

    Attributes:
        ids: Of those that hold keys of the vault, the oldest first.
        unreadable: What is wrong with a record that may be of such a backup; None: all are read.
    """

    ids: tuple[str, ...] = ()
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class KeysetRecordOf:
    """What stands in the place of a vault's keyset: a ``KeysetRecord``; None: nothing.

    Nothing is opened for it: what has no root key any more can still be destroyed.
    """

    namespace: str
    vault: str


@dataclass(frozen=True, slots=True)
class KeysetRecord:
    """A keyset, or what is left of one.

    Attributes:
        vault_id: Its id; empty where the Secret holds neither.
        owner_uid: UID of the KeyVault that it belongs to.
        keys: (name, algorithm, numbers of its versions) of each key.
        shredded_at: When it was shredded (RFC 3339); None: it was not.
    """

    vault_id: str
    owner_uid: str
    keys: tuple[tuple[str, str, tuple[int, ...]], ...]
    shredded_at: str | None = None


@dataclass(frozen=True, slots=True)
class ArtefactKeysOf:
    """All artefact keys of a vault: a tuple of ``ArtefactKeyInfo``; read from the API server."""

    vault_id: str


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Put our finalizer on the resource that is planned for, or take it away.

    It is done over the version that was seen; nothing else is done in that reconcile.

    Attributes:
        api_version, kind, namespace, name: The resource.
        finalizers: All that it has then.
        resource_version: As it was seen.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    finalizers: tuple[str, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class ShredVault:
    """Destroy every version of every key of a vault, for good. Yields a ``KeysetRecord``.

    Conflict where the keyset is another one, or belongs to another KeyVault.
    """

    namespace: str
    vault: str
    uid: str
    vault_id: str


@dataclass(frozen=True, slots=True)
class RemoveArtefactKeys:
    """Delete Secrets of a vault that was shredded, many at once. Yields how many are left.

    Conflict where it was not shredded.
    """

    namespace: str
    vault: str
    vault_id: str


@dataclass(frozen=True, slots=True)
class ForgetVault:
    """Delete what is left of the keyset of a vault that was shredded; Conflict where it was not."""

    namespace: str
    vault: str
    vault_id: str


@dataclass(frozen=True, slots=True)
class DestroyArtefactKey:
    """Destroy the key of a Dataset for good, although what it opens is published.

    Conflict where it is not this Dataset's (any more).

    Attributes:
        id: Of the key.
        owner: ``Dataset/name/uid``.
    """

    id: str
    owner: str
