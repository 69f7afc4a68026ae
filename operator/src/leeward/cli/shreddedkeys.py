"""What was shredded in a cluster, by the records of it: no backup brings that back unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from leeward.cli.errors import FORBIDDEN, ApiError
from leeward.cli.port import CONFIG_MAPS, Cluster
from leeward.cli.session import Session
from leeward.formats.destruction import DestructionRecord
from leeward.formats.wrapped import WrappedKeyset
from leeward.keystore.backups import StoredKey
from leeward.plans.shared.names import ROLE_LABEL
from leeward.plans.shared.shredding import RECORD_KEY, RECORD_ROLE

RECORD_SELECTOR: Final = f"{ROLE_LABEL}={RECORD_ROLE}"


@dataclass(frozen=True, slots=True)
class ShreddedKeys:
    """Ids of what was shredded, each with the ConfigMap that records it, as ``NAMESPACE/NAME``."""

    vaults: Mapping[str, str] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)

    def record_of(self, stored: StoredKey) -> str | None:
        """The record that says that this key was destroyed; None: there is none."""
        found = self.vaults.get(stored.vault_id)
        if found is None and not isinstance(stored, WrappedKeyset):
            found = self.artefacts.get(stored.id)
        return found


def shredded_keys(session: Session, cluster: Cluster) -> ShreddedKeys:
    """Read the records of destruction in all namespaces.

    Versions of a key (shredBelow) are not among them: their keyset is still there, and a backup
    replaces nothing.
    """
    try:
        found = cluster.list(CONFIG_MAPS, None, labels=RECORD_SELECTOR)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        session.err.print(
            "you may not list ConfigMaps in all namespaces, so nobody looked whether keys in the"
            " backup were shredded since it was made: those come back"
        )
        return ShreddedKeys()
    vaults: dict[str, str] = {}
    artefacts: dict[str, str] = {}
    for config_map in found:
        metadata = config_map["metadata"]
        where = f"{metadata['namespace']}/{metadata['name']}"
        try:
            record = DestructionRecord.parse((config_map.get("data") or {}).get(RECORD_KEY, ""))
        except (ValueError, RecursionError):
            session.err.print(f"ConfigMap {where} is no record of destruction that can be read")
            continue
        if record.what == "Vault":
            vaults[record.vault_id] = where
        elif record.what == "Artefact":
            artefacts.update((artefact.key_id, where) for artefact in record.artefacts)
    return ShreddedKeys(vaults, artefacts)
