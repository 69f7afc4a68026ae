"""Shredding a vault, versions of a key, or the key of one Dataset: what it waits for, its end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from leeward.plans.shared.model import Manifest, ObjectRef, VersionInfo
from leeward.plans.shared.names import FINALIZER
from unit.plans.clinic import JOB, NAMESPACE, SOURCE, VAULT, clinic, sealed_source, vault_spec
from unit.plans.simulator import Engine, ready
from unit.plans.world import NOW, CrashError, World, stamp

PLACE = (NAMESPACE, "vault")


def record(world: World) -> Manifest:
    (found,) = [
        m for m in world.of_kind("ConfigMap") if m["metadata"]["name"].startswith("destroyed-")
    ]
    assert found["immutable"]
    assert "ownerReferences" not in found["metadata"]
    parsed: Manifest = json.loads(found["data"]["record.json"])
    return parsed


def uid(world: World, ref: ObjectRef) -> str:
    found: str = world.objects[ref]["metadata"]["uid"]
    return found


def finish(world: World, engine: Engine, ref: ObjectRef) -> None:
    for _ in range(10):
        if ref not in world.objects:
            return
        engine.reconcile(ref)
    raise AssertionError(world.objects[ref])


# --- a vault --------------------------------------------------------------------------------------


def shredding_vault() -> tuple[World, Engine]:
    world, engine = clinic()
    key_id = sealed_source(world)
    assert world.keys[key_id].published
    world.change(VAULT, spec=vault_spec(deletionPolicy="Shred"))
    engine.settle(VAULT)
    assert world.objects[VAULT]["metadata"]["finalizers"] == [FINALIZER]
    return world, engine


def test_only_a_vault_to_be_shredded_has_a_finalizer() -> None:
    world, engine = clinic()
    assert not world.objects[VAULT]["metadata"].get("finalizers")
    world.change(VAULT, spec=vault_spec(deletionPolicy="Shred"))
    engine.settle(VAULT)
    assert world.objects[VAULT]["metadata"]["finalizers"] == [FINALIZER]
    world.change(VAULT, spec=vault_spec())
    engine.settle(VAULT)
    assert world.objects[VAULT]["metadata"]["finalizers"] == []


def test_a_vault_waits_for_confirmation_then_for_backups_then_goes_with_its_keys() -> None:
    world, engine = shredding_vault()
    vault_id = world.keysets[PLACE].vault_id
    world.backups[vault_id] = ["one", "two"]
    world.delete(VAULT)
    pending = ready(engine.settle(VAULT), "ShredPending")
    assert pending[:2] == ("True", "AwaitingConfirmation")
    assert f"leeward.dev/confirm-shred={uid(world, VAULT)}" in pending[2]
    assert "deletionPolicy to Retain" in pending[2]
    world.annotate(VAULT, **{"confirm-shred": "somebody-elses-uid"})
    assert ready(engine.settle(VAULT), "ShredPending")[1] == "AwaitingConfirmation"
    world.annotate(VAULT, **{"confirm-shred": uid(world, VAULT), "shred-requested-by": "alice"})
    told = ready(engine.settle(VAULT), "ShredPending")
    assert told[1] == "BackupsKnown"
    assert "one, two" in told[2]
    assert PLACE in world.keysets
    world.backups[vault_id] = []
    finish(world, engine, VAULT)
    assert PLACE not in world.keysets
    assert world.keys == {}
    assert world.shredded_vaults == {}
    made = record(world)
    assert (made["what"], made["vaultId"], made["requestedBy"]) == ("Vault", vault_id, "alice")
    assert [key["name"] for key in made["keys"]] == ["data", "tokens", "pseudonyms", "intake"]
    (artefact,) = made["artefacts"]
    assert (artefact["kind"], artefact["name"]) == ("Dataset", "people")
    assert artefact["digest"] == world.objects[SOURCE]["status"]["digest"]


def test_a_vault_that_waits_gives_no_keys() -> None:
    world, engine = shredding_vault()
    world.delete(VAULT)
    engine.settle(VAULT)
    assert ready(engine.settle(JOB), "Admitted")[1] == "VaultNotReady"


def test_whoever_changes_their_mind_gets_the_vault_gone_and_keeps_the_keys() -> None:
    world, engine = shredding_vault()
    world.delete(VAULT)
    engine.settle(VAULT)
    world.change(VAULT, spec=vault_spec())
    finish(world, engine, VAULT)
    assert PLACE in world.keysets
    assert world.keys


def test_a_keyset_of_another_vault_is_left_alone() -> None:
    world, engine = shredding_vault()
    world.keysets[PLACE] = replace(world.keysets[PLACE], owner_uid="another")
    world.annotate(VAULT, **{"confirm-shred": uid(world, VAULT)})
    world.delete(VAULT)
    finish(world, engine, VAULT)
    assert PLACE in world.keysets


def test_a_vault_for_which_nothing_was_made_goes_at_once() -> None:
    world, engine = shredding_vault()
    del world.keysets[PLACE]
    world.delete(VAULT)
    finish(world, engine, VAULT)


def test_a_record_that_somebody_planted_is_replaced() -> None:
    world, engine = shredding_vault()
    world.annotate(VAULT, **{"confirm-shred": uid(world, VAULT)})
    world.delete(VAULT)
    probe, other = shredding_vault()
    probe.annotate(VAULT, **{"confirm-shred": uid(probe, VAULT)})
    probe.delete(VAULT)
    finish(probe, other, VAULT)
    (real,) = [m for m in probe.of_kind("ConfigMap") if "destroyed" in m["metadata"]["name"]]
    planted = {**real, "data": {"record.json": "{}"}}
    del planted["immutable"]
    world.add(planted)
    finish(world, engine, VAULT)
    assert record(world)["what"] == "Vault"


@pytest.mark.parametrize("crash_after", range(8))
def test_a_crash_at_any_effect_changes_nothing_in_the_end(crash_after: int) -> None:
    world, engine = shredding_vault()
    world.annotate(VAULT, **{"confirm-shred": uid(world, VAULT)})
    world.delete(VAULT)
    world.crash_after = crash_after
    try:
        finish(world, engine, VAULT)
    except CrashError:
        finish(world, Engine(world, seed=2), VAULT)
    assert PLACE not in world.keysets
    assert world.keys == {}
    assert len(record(world)["artefacts"]) == 1


# --- versions of a key ----------------------------------------------------------------------------


def rotated(**key: object) -> tuple[World, Engine]:
    """Key data has versions 1 (nothing depends on it) and 2."""
    world, engine = clinic()
    info = world.keysets[PLACE]
    history = (
        VersionInfo(1, "Enabled", stamp(NOW), drained=True),
        VersionInfo(2, "Primary", stamp(NOW)),
    )
    world.keysets[PLACE] = replace(
        info,
        history={**info.history, "data": history},
        versions={**info.versions, "data": ("AES256_GCM", 2, stamp(NOW))},
    )
    shred(world, **key)
    return world, engine


def shred(world: World, **fields: object) -> None:
    spec = vault_spec()
    spec["keys"][0] |= fields
    world.change(VAULT, spec=spec)


def states(world: World) -> list[str]:
    return [version.state for version in world.keysets[PLACE].history["data"]]


def test_versions_wait_disabled_for_confirmation_and_backups_and_are_then_destroyed() -> None:
    world, engine = rotated(shredBelow=2)
    world.backups[world.keysets[PLACE].vault_id] = ["one"]
    wanted = f"{uid(world, VAULT)}/data/2"
    pending = ready(engine.settle(VAULT), "ShredPending")
    assert pending[:2] == ("True", "AwaitingConfirmation")
    assert f"={wanted}" in pending[2]
    assert states(world) == ["Disabled", "Primary"]
    world.annotate(VAULT, **{"confirm-shred": uid(world, VAULT)})
    assert ready(engine.settle(VAULT), "ShredPending")[1] == "AwaitingConfirmation"
    world.annotate(VAULT, **{"confirm-shred": f"other, {wanted}"})
    assert ready(engine.settle(VAULT), "ShredPending")[1] == "BackupsKnown"
    world.backups.clear()
    status = engine.settle(VAULT)
    assert states(world) == ["Destroyed", "Primary"]
    assert ready(status, "ShredPending")[:2] == ("False", "Shredded")
    assert ready(status)[0] == "True"
    assert record(world)["keys"] == [{"name": "data", "algorithm": "AES256_GCM", "numbers": [1]}]
    before = world.objects[VAULT]
    engine.settle(VAULT)
    assert world.objects[VAULT] == before


def test_the_primary_version_is_not_destroyed() -> None:
    world, engine = rotated(shredBelow=3)
    world.annotate(VAULT, **{"confirm-shred": f"{uid(world, VAULT)}/data/3"})
    pending = ready(engine.settle(VAULT), "ShredPending")
    assert pending[1] == "VersionPrimary"
    assert "leeward keys rotate" in pending[2]
    assert states(world) == ["Disabled", "Primary"]


def test_a_request_that_is_taken_back_is_pending_no_more() -> None:
    world, engine = rotated(shredBelow=2)
    engine.settle(VAULT)
    shred(world)
    assert ready(engine.settle(VAULT), "ShredPending")[:2] == ("False", "NothingPending")


# --- the key of one Dataset -----------------------------------------------------------------------


def shredding_dataset() -> tuple[World, Engine, str]:
    world, engine = clinic()
    key_id = sealed_source(world)
    spec = {**world.objects[SOURCE]["spec"], "deletionPolicy": "Shred"}
    world.change(SOURCE, spec=spec)
    engine.reconcile(SOURCE)
    assert world.objects[SOURCE]["metadata"]["finalizers"] == [FINALIZER]
    return world, engine, key_id


def test_a_dataset_waits_and_then_goes_with_its_key() -> None:
    world, engine, key_id = shredding_dataset()
    world.backups[world.keys[key_id].vault_id] = ["one"]
    world.delete(SOURCE)
    assert ready(engine.settle(SOURCE), "ShredPending")[1] == "AwaitingConfirmation"
    world.annotate(SOURCE, **{"confirm-shred": uid(world, SOURCE)})
    assert ready(engine.settle(SOURCE), "ShredPending")[1] == "BackupsKnown"
    assert key_id in world.keys
    world.backups.clear()
    finish(world, engine, SOURCE)
    assert key_id not in world.keys
    assert key_id in world.forgotten
    made = record(world)
    assert made["what"] == "Artefact"
    assert made["artefacts"][0]["keyId"] == key_id
    assert PLACE in world.keysets


def test_every_key_of_a_dataset_is_destroyed_where_they_are_being_replaced() -> None:
    world, engine, key_id = shredding_dataset()
    newer = replace(world.keys[key_id], id="55" * 16)
    other = replace(world.keys[key_id], id="66" * 16, owner="Dataset/other/uid-9")
    world.keys |= {newer.id: newer, other.id: other}
    world.annotate(SOURCE, **{"confirm-shred": uid(world, SOURCE)})
    world.delete(SOURCE)
    finish(world, engine, SOURCE)
    assert set(world.keys) == {other.id}
    assert {key_id, newer.id} <= world.forgotten
    assert [made["keyId"] for made in record(world)["artefacts"]] == [key_id, newer.id]


def test_a_dataset_under_a_shared_key_is_not_shredded_alone() -> None:
    world, engine, key_id = shredding_dataset()
    spec = vault_spec()
    for key in spec["keys"]:
        key["origin"] = {"import": {"secretRef": {"name": "given", "key": "key"}}}
    world.change(VAULT, spec=spec)
    world.annotate(SOURCE, **{"confirm-shred": uid(world, SOURCE)})
    world.delete(SOURCE)
    pending = ready(engine.settle(SOURCE), "ShredPending")
    assert pending[1] == "SharedKey"
    assert "shred the KeyVault" in pending[2]
    assert key_id in world.keys


def test_a_dataset_whose_key_is_another_ones_takes_nothing_with_it() -> None:
    world, engine, key_id = shredding_dataset()
    world.keys[key_id] = replace(world.keys[key_id], owner="Dataset/other/uid-9")
    world.annotate(SOURCE, **{"confirm-shred": uid(world, SOURCE)})
    world.delete(SOURCE)
    finish(world, engine, SOURCE)
    assert key_id in world.keys


@pytest.mark.parametrize("crash_after", range(11))
def test_a_crash_while_a_dataset_is_shredded_changes_nothing_in_the_end(crash_after: int) -> None:
    world, engine, key_id = shredding_dataset()
    newer = replace(world.keys[key_id], id="55" * 16)
    world.keys[newer.id] = newer
    world.annotate(SOURCE, **{"confirm-shred": uid(world, SOURCE)})
    world.delete(SOURCE)
    world.crash_after = crash_after
    try:
        finish(world, engine, SOURCE)
    except CrashError:
        finish(world, Engine(world, seed=2), SOURCE)
    assert world.keys == {}
    assert record(world)["artefactKeys"] == 2


def test_a_dataset_with_its_key_kept_goes_at_once() -> None:
    world, _ = clinic()
    key_id = sealed_source(world)
    world.delete(SOURCE)
    assert SOURCE not in world.objects
    assert key_id in world.keys
