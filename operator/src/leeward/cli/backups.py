"""``leeward keys backup`` and ``restore``: wrapped keys into a file, and back into a cluster.

Whoever has the file has ciphertexts; only with the root key, or shares of it, is that a danger.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leeward.cli.backuprecords import put_down, strike_out, user
from leeward.cli.destroyedkeys import destroyed_keys
from leeward.cli.errors import CONFLICT, ApiError, CliError, UsageError
from leeward.cli.localfiles import check_target, into_new_file
from leeward.cli.output import counted
from leeward.cli.port import NAMESPACES, SECRETS, Cluster, Manifest
from leeward.cli.rootsecret import damaged, find_keyring
from leeward.cli.session import Session
from leeward.formats.backup import BackedUpKey, BackupDamagedError, BackupRecord, KeyBackup
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.backups import RestoredKey, StoredKey, backed_up, read_stored, restored
from leeward.keystore.records import (
    ARTEFACT_ROLE,
    KEYSET_SELECTOR,
    ROLE_LABEL,
    VAULT_ID_LABEL,
    DamagedRecordError,
    keyset_name,
)
from leeward.keystore.rootkey import root_key_id_of

_ARTEFACTS: Final = f"{ROLE_LABEL}={ARTEFACT_ROLE}"
_TRIES: Final = 5
_LISTED: Final = 20
_MAX_SIZE: Final = 1 << 30


@dataclass
class _Found:
    """Keys of a cluster, as they were read in one go."""

    keys: list[BackedUpKey] = field(default_factory=list)
    vault_ids: set[str] = field(default_factory=set)
    root_key_ids: set[str] = field(default_factory=set)
    transit_keys: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)

    def take(self, secrets: Iterable[Manifest]) -> None:
        for secret in secrets:
            try:
                stored = read_stored(secret)
            except DamagedRecordError:
                self.damaged.append(secret["metadata"]["name"])
                continue
            self.keys.append(backed_up(secret, stored))
            self.vault_ids.add(stored.vault_id)
            if isinstance(stored, WrappedKeyset):
                self._take_wrapping_key(stored)

    def _take_wrapping_key(self, keyset: WrappedKeyset) -> None:
        if keyset.transit is None:
            self.root_key_ids.add(keyset.root_key_id)
        else:
            self.transit_keys.add(keyset.transit.place)

    @property
    def needed(self) -> tuple[set[str], set[str], set[str]]:
        """Vaults, and the keys that open what is in it."""
        return self.vault_ids, self.root_key_ids, self.transit_keys


def back_up(
    session: Session,
    cluster: Cluster,
    namespace: str,
    vault: str | None,
    out: Path,
    *,
    force: bool,
) -> None:
    """Write wrapped keys to a file, and tell the cluster that there is one.

    Args:
        session: Of the command.
        cluster: The cluster.
        namespace: The operator's.
        vault: ``NAMESPACE/NAME``; None: all.
        out: The file.
        force: Write over a file.

    Raises:
        CliError: There is nothing to back up, or the file cannot be written.
    """
    check_target(out, force=force)
    found = _read(cluster, namespace, vault)
    if not found.keys:
        raise CliError(
            f"there are no wrapped keys in namespace {namespace}",
            "name the operator's with --operator-namespace; its keys are made with the first"
            " KeyVault",
        )
    record, found = _recorded(session, cluster, (namespace, vault), found, out)
    backup = KeyBackup(record=record, keys=found.keys)
    try:
        into_new_file(session, out, lambda file: file.write(backup.to_bytes()))
    except BaseException:
        strike_out(cluster, namespace, record.id)
        raise
    _tell(session, backup, found, out)


def _recorded(
    session: Session,
    cluster: Cluster,
    what: tuple[str, str | None],
    found: _Found,
    out: Path,
) -> tuple[BackupRecord, _Found]:
    """Record the backup, and only then read what goes into it.

    So whoever shreds a key either sees the record, or the key is not in the backup.
    """
    namespace, by = what[0], user(cluster)
    for _ in range(_TRIES):
        record = BackupRecord(
            id=session.random(16).hex(),
            created_at=session.clock.now().astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            root_key_ids=sorted(found.root_key_ids),
            transit_keys=sorted(found.transit_keys) or None,
            vault_ids=sorted(found.vault_ids),
            file_name=str(out),
            made_by=by,
        )
        put_down(cluster, namespace, record)
        try:
            again = _read(cluster, *what)
        except BaseException:
            strike_out(cluster, namespace, record.id)
            raise
        if again.needed == found.needed:
            return record, again
        strike_out(cluster, namespace, record.id)
        found = again
    raise CliError(
        "vaults are made or removed all the time, or the root key is being rotated",
        "run the command again when that is over (leeward root-key status)",
    )


def _read(cluster: Cluster, namespace: str, vault: str | None) -> _Found:
    found = _Found()
    if vault is None:
        found.take(cluster.list(SECRETS, namespace, labels=KEYSET_SELECTOR))
        found.take(cluster.list(SECRETS, namespace, labels=_ARTEFACTS))
        return found
    of, slash, name = vault.partition("/")
    if not (of and slash and name) or "/" in name:
        raise UsageError(f"{vault!r} names no vault", "write NAMESPACE/NAME, as in clinic/records")
    secret = cluster.find(SECRETS, namespace, keyset_name(of, name))
    if secret is None:
        raise CliError(
            f"there are no keys of a KeyVault {name} in namespace {of}",
            "look at the vaults that there are: leeward get keyvaults --all-namespaces",
        )
    found.take([secret])
    for vault_id in sorted(found.vault_ids):
        selector = f"{_ARTEFACTS},{VAULT_ID_LABEL}={vault_id}"
        found.take(cluster.list(SECRETS, namespace, labels=selector))
    return found


def _tell(session: Session, backup: KeyBackup, found: _Found, out: Path) -> None:
    record = backup.record
    session.out.print(
        f"{out}: backup {record.id} with {counted(len(backup.keys), 'wrapped key')} of"
        f" {counted(len(record.vault_ids), 'vault')}"
    )
    if record.root_key_ids:
        session.err.print(
            f"it opens only with root key {', '.join(record.root_key_ids)}: keep shares of that"
            " (leeward root-key export)"
        )
    for place in record.transit_keys or ():
        session.err.print(
            f"it opens only with Transit key {place}: keep a backup of that server, too (bao"
            " operator raft snapshot save)"
        )
    session.err.print(
        "keys in it cannot be shredded for good while it is there: when every copy is destroyed,"
        f" run: leeward keys backup forget {record.id}"
    )
    if found.damaged:
        raise CliError(
            f"{counted(len(found.damaged), 'Secret')} could not be read and is not in the backup:"
            f" {', '.join(found.damaged[:_LISTED])}",
            "restore them from an older backup; the others are backed up",
        )


@dataclass
class _Restoring:
    """What became of the keys in a backup."""

    made: list[StoredKey] = field(default_factory=list)
    same: int = 0
    other: list[str] = field(default_factory=list)


def restore(session: Session, cluster: Cluster, namespace: str, source: Path) -> None:
    """Put back the wrapped keys that are missing; nothing that is there is changed.

    What was destroyed for good in this cluster stays so: see its tombstones.

    Args:
        session: Of the command.
        cluster: The cluster.
        namespace: The operator's.
        source: The file.

    Raises:
        CliError: It is no whole backup, its root key is not there, or something else is; a
            tombstone cannot be read, or all of it was destroyed for good.
    """
    backup = _load(source)
    keys = [_made_again(source, namespace, key) for key in backup.keys]
    _check_root_keys(cluster, namespace, keys, backup)
    left = _without_destroyed(session, cluster, namespace, keys)
    put_down(cluster, namespace, backup.record)
    done = _Restoring()
    for key in left:
        _put_back(cluster, namespace, key, done)
    _tell_restored(session, backup, done)


def _without_destroyed(
    session: Session, cluster: Cluster, namespace: str, keys: list[RestoredKey]
) -> list[RestoredKey]:
    """Those keys that were not destroyed for good; it says which Secrets keep the others out."""
    destroyed = destroyed_keys(cluster, namespace, [key.stored for key in keys])
    found = [(key, destroyed.tombstone_of(key.stored)) for key in keys]
    names = sorted({name for _, name in found if name is not None})
    left = [key for key, name in found if name is None]
    if not names:
        return left
    out = counted(len(keys) - len(left), "key")
    told = (
        f"{out} in the backup {'was' if len(keys) - len(left) == 1 else 'were'} destroyed for good"
        f" and left out, as these Secrets in namespace {namespace} say:"
        f" {', '.join(names[:_LISTED])}{' ...' if len(names) > _LISTED else ''}"
    )
    remedy = (
        f"to have one back all the same: kubectl delete secret NAME -n {namespace}, and run the"
        " command again"
    )
    if not left:
        raise CliError(f"{told}; that is all of it, so nothing was restored", remedy)
    session.err.print(f"{told}. {remedy[0].upper()}{remedy[1:]}")
    return left


def _load(source: Path) -> KeyBackup:
    with source.open("rb") as file:
        data = file.read(_MAX_SIZE + 1)
    try:
        if len(data) > _MAX_SIZE:
            raise BackupDamagedError("it is larger than any backup of keys")
        return KeyBackup.from_bytes(data)
    except BackupDamagedError as error:
        raise CliError(
            f"{source}: {error}; nothing was restored",
            "use another copy, or a file that `leeward keys backup` made",
        ) from None


def _made_again(source: Path, namespace: str, key: BackedUpKey) -> RestoredKey:
    try:
        return restored(namespace, key)
    except DamagedRecordError as error:
        raise CliError(
            f"{source}: {error}; nothing was restored",
            "use another copy, or restore with the release that made the backup",
        ) from None


def _check_root_keys(
    cluster: Cluster, namespace: str, keys: list[RestoredKey], backup: KeyBackup
) -> None:
    """Every root key that wraps something in the backup must be there."""
    keysets = [key.stored for key in keys if isinstance(key.stored, WrappedKeyset)]
    needed = {id_ for keyset in keysets if (id_ := root_key_id_of(keyset))}
    needed |= set(backup.record.root_key_ids)
    if cluster.find(NAMESPACES, None, namespace) is None:
        raise CliError(
            f"there is no namespace {namespace}",
            f"make it first: kubectl create namespace {namespace}",
        )
    if not needed:
        return
    found = find_keyring(cluster, namespace)
    if found is None:
        raise CliError(
            f"the backup is wrapped by root key {', '.join(sorted(needed))}, and none is there;"
            " nothing was restored",
            "restore it first: leeward root-key restore --share FILE --share FILE ...",
        )
    if found.keyring is None:
        raise damaged(namespace)
    lacking = sorted(id_ for id_ in needed if found.keyring.key(id_) is None)
    if lacking:
        raise CliError(
            f"the backup is wrapped by root key {', '.join(lacking)}, and {found.keyring.current}"
            " is there; nothing was restored",
            "add it first: leeward root-key restore --add --share FILE --share FILE ...",
        )


def _put_back(cluster: Cluster, namespace: str, key: RestoredKey, done: _Restoring) -> None:
    name = key.secret["metadata"]["name"]
    try:
        cluster.create(SECRETS, key.secret)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
    else:
        done.made.append(key.stored)
        return
    there = cluster.find(SECRETS, namespace, name)
    if there is not None and key.is_in(there):
        done.same += 1
    else:
        done.other.append(name)


def _tell_restored(session: Session, backup: KeyBackup, done: _Restoring) -> None:
    session.out.print(
        f"backup {backup.record.id} of {backup.record.created_at}: {len(done.made)} restored,"
        f" {done.same} were there already, {len(done.other)} differ and were left as they are"
    )
    keysets = [stored for stored in done.made if isinstance(stored, WrappedKeyset)]
    if keysets:
        session.err.print(
            "KeyVaults that were made anew take their keys over when you say so, one by one:"
        )
    for keyset in keysets:
        if keyset.transit is not None:
            session.err.print(
                f"  with spec.provider.transit, for {keyset.transit.place} wraps the next one:"
            )
        session.err.print(
            f"  kubectl annotate keyvault {keyset.vault} -n {keyset.vault_namespace} --overwrite"
            f" leeward.dev/adopt={keyset.vault_id}"
        )
    if done.other:
        raise CliError(
            f"{counted(len(done.other), 'Secret')} in the cluster differ from the backup:"
            f" {', '.join(done.other[:_LISTED])}",
            "as a rule they are newer. To have one from the backup all the same, move it away"
            " (kubectl get secret NAME -o yaml > NAME.yaml; kubectl delete secret NAME) and run the"
            " command again",
        )
