"""keys restore where keys of the backup were shredded since: the records of that are heeded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest

from fakeapi.store import Answer, Manifest, Place, refusal
from leeward.formats.destruction import DestroyedArtefact, DestructionRecord, ids_digest
from leeward.plans.shared.names import Owner
from leeward.plans.shared.shredding import record_map
from unit.cli.backup_world import KEY_ID, Cluster, populate
from unit.keystore.keystore_world import CLINIC, OPERATOR


@pytest.fixture
def here(tmp_path: Path) -> Cluster:
    cluster = Cluster(tmp_path)
    asyncio.run(populate(cluster))
    return cluster


def recorded(
    here: Cluster, what: Literal["Vault", "Versions", "Artefact"], vault_id: str, *key_ids: str
) -> None:
    """The operator's record of a destruction, as it stays when the keys are gone."""
    owner = Owner("KeyVault", CLINIC, f"gone-{what.lower()}", "uid-gone", 1, {}, deleting=True)
    artefacts = [
        DestroyedArtefact(kind="Dataset", namespace=CLINIC, name="gone", key_id=id_)
        for id_ in key_ids
    ]
    record = DestructionRecord(
        what=what,
        kind=owner.kind,
        namespace=CLINIC,
        name=owner.name,
        uid=owner.uid,
        vault_id=vault_id,
        keys=[],
        artefact_keys_digest=ids_digest(key_ids),
        artefacts=artefacts,
        destroyed_at="2026-11-01T00:00:00Z",
    )
    here.world.api.add(record_map(owner, what, record))


def test_what_was_shredded_since_is_not_brought_back(here: Cluster) -> None:
    here.backup()
    lost = here.keys()
    for name in lost:
        here.world.api.remove("Secret", OPERATOR, name)
    recorded(here, "Vault", f"{2:032x}", "cc" * 16)
    result = here.ok("keys", "restore", here.file)
    assert "2 restored" in result.stdout
    assert "2 keys in the backup were shredded since and not restored" in result.stderr
    (record,) = here.world.api.find("ConfigMap", CLINIC)
    assert f"{CLINIC}/{record['metadata']['name']}" in result.stderr
    assert len(here.keys()) == 2
    here.world.api.remove("Secret", OPERATOR, f"artefact-{KEY_ID}")
    recorded(here, "Artefact", f"{1:032x}", KEY_ID)
    here.ok("keys", "restore", here.file)
    (left,) = here.keys()
    assert left.startswith("keyset-"), "of the other vault nothing came back"


def test_versions_that_were_shredded_keep_no_keyset_from_coming_back(here: Cluster) -> None:
    here.backup()
    keys = here.keys()
    for name in keys:
        here.world.api.remove("Secret", OPERATOR, name)
    recorded(here, "Versions", f"{1:032x}")
    here.ok("keys", "restore", here.file)
    assert here.keys() == keys


def test_who_may_not_see_the_records_of_destruction_is_told(here: Cluster) -> None:
    here.backup()
    here.world.api.remove("Secret", OPERATOR, f"artefact-{KEY_ID}")

    def forbidden(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "GET" and place.plural == "configmaps" and not place.namespace:
            return refusal(403, "Forbidden", "no")
        return None

    here.world.api.refusals.append(forbidden)
    result = here.ok("keys", "restore", here.file)
    assert "1 restored" in result.stdout
    assert "you may not list ConfigMaps" in result.stderr
