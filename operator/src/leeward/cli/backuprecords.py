"""What the cluster knows of backups of its wrapped keys."""

from __future__ import annotations

from leeward.cli.errors import CONFLICT, ApiError, CliError
from leeward.cli.options import RowsFormat
from leeward.cli.output import age, counted, print_json, print_table
from leeward.cli.port import CONFIG_MAPS, SELF_SUBJECT_REVIEWS, Cluster
from leeward.cli.session import Session
from leeward.formats.backup import BackupRecord
from leeward.keystore.backups import (
    BACKUP_SELECTOR,
    read_record,
    record_config_map,
    record_name,
)
from leeward.keystore.records import DamagedRecordError

_SHORTEST = 8


def records(cluster: Cluster, namespace: str) -> tuple[list[BackupRecord], list[str]]:
    """All records, the oldest first, and names of ConfigMaps that hold none."""
    found, unreadable = [], []
    for config_map in cluster.list(CONFIG_MAPS, namespace, labels=BACKUP_SELECTOR):
        try:
            found.append(read_record(config_map))
        except DamagedRecordError:
            unreadable.append(config_map["metadata"]["name"])
    return sorted(found, key=lambda record: (record.created_at, record.id)), unreadable


def of_root_key(cluster: Cluster, namespace: str, root_key_id: str) -> list[BackupRecord]:
    """Backups that need this root key."""
    return [r for r in records(cluster, namespace)[0] if root_key_id in r.root_key_ids]


def put_down(cluster: Cluster, namespace: str, record: BackupRecord) -> bool:
    """Record a backup; False: it is recorded already."""
    try:
        cluster.create(CONFIG_MAPS, record_config_map(namespace, record))
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        return False
    return True


def strike_out(cluster: Cluster, namespace: str, backup_id: str) -> bool:
    """Delete the record of a backup; False: there was none."""
    return cluster.delete(CONFIG_MAPS, namespace, record_name(backup_id))


def user(cluster: Cluster) -> str:
    """Who the API server takes the user of the command for."""
    review = {
        "apiVersion": SELF_SUBJECT_REVIEWS.api_version,
        "kind": SELF_SUBJECT_REVIEWS.kind,
        "metadata": {},
    }
    try:
        answer = cluster.create(SELF_SUBJECT_REVIEWS, review)
        return str(answer["status"]["userInfo"]["username"])
    except (ApiError, KeyError):
        return "not known"


def show_backups(session: Session, cluster: Cluster, namespace: str, output: RowsFormat) -> None:
    """List the backups that the cluster knows of."""
    found, unreadable = records(cluster, namespace)
    for name in unreadable:
        session.err.print(
            f"ConfigMap {name} does not hold the record of a backup, and keeps every vault from"
            " being shredded: put it right, or delete it if that copy is destroyed"
        )
    if output is RowsFormat.JSON:
        print_json(session.out, [r.model_dump(mode="json", by_alias=True) for r in found])
        return
    now = session.clock.now()
    rows = [
        (
            record.id,
            age(record.created_at, now),
            str(len(record.vault_ids)),
            record.file_name,
            record.made_by,
            ",".join(
                [
                    *(id_[:_SHORTEST] for id_ in record.root_key_ids),
                    *(["transit"] if record.transit_keys else []),
                ]
            ),
        )
        for record in found
    ]
    print_table(session.out, ("id", "age", "vaults", "file", "made by", "opened by"), rows)


def forget(session: Session, cluster: Cluster, namespace: str, given: str, *, sure: bool) -> None:
    """Record that all copies of a backup are destroyed.

    Raises:
        CliError: There is no such backup, or several whose id begins so.
    """
    found = [r for r in records(cluster, namespace)[0] if r.id.startswith(given)]
    if len(given) < _SHORTEST or not found:
        raise CliError(
            f"there is no recorded backup {given}",
            f"give its id, or at least {_SHORTEST} digits of it: leeward keys backups",
        )
    if len(found) > 1:
        raise CliError(f"{counted(len(found), 'backup')} begin so", "give more digits of the id")
    record = found[0]
    session.err.print(
        f"backup {record.id} of {counted(len(record.vault_ids), 'vault')}, written to"
        f" {record.file_name} by {record.made_by}: from now on, keys in it may be shredded for good"
    )
    if not sure:
        session.confirm("Is every copy of that file destroyed?")
    strike_out(cluster, namespace, record.id)
    session.out.print(f"backup {record.id} is forgotten")
