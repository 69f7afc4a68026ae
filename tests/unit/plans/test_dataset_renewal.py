"""Whether the key of a Dataset can be replaced: under a shared key only by one that is another."""

from __future__ import annotations

import copy
import datetime
import json
from dataclasses import replace

import pytest

from leeward.plans.shared.model import Manifest, ObjectRef, Observed
from leeward.plans.shared.names import ref_of
from unit.plans.clinic import FILE_ID, VAULT, config_ref
from unit.plans.datasets import DATA, found, shared
from unit.plans.simulator import PLANNERS, Engine, ready
from unit.plans.world import World, stamp


def in_use() -> tuple[World, Engine, str]:
    """A Dataset whose file is sealed with a copy of an imported key; the id of that copy."""
    world, engine = shared()
    key_id: str = engine.settle(DATA)["keyId"]
    world.succeed(found(fileId=FILE_ID, keyIds=[key_id]))
    assert ready(engine.settle(DATA))[1] == "Inspected"
    world.keys[key_id] = replace(world.keys[key_id], created_at=stamp(world.now))
    world.pass_time(60)
    return world, engine, key_id


def ask(world: World, field: str) -> None:
    spec = copy.deepcopy(world.objects[DATA]["spec"])
    world.change(DATA, spec={**spec, "rotation": {field: stamp(world.now)}})
    world.pass_time(1)


def rotated(world: World, seconds_ago: float) -> None:
    """The vault key has a version of that age, of other material."""
    status: Manifest = copy.deepcopy(world.objects[VAULT]["status"])
    made = stamp(world.now - datetime.timedelta(seconds=seconds_ago))
    for key in status["keys"]:
        key["rotatedAt"] = made
    world.change(VAULT, status=status)


REPORT = {"path": "masked/r.report.lwe1", "digest": f"sha256:{'31' * 32}", "bytes": 7}


def test_the_report_beside_the_file_gets_its_key() -> None:
    world, engine, _ = in_use()
    status = world.objects[DATA]["status"]
    world.change(DATA, status={**status, "report": {**REPORT, "sourceId": "4d" * 16}})
    rotated(world, seconds_ago=30)
    ask(world, "renewedAfter")
    record = engine.settle(DATA)["replacement"]
    told = json.loads(world.objects[config_ref(record["job"])]["data"]["job.json"])
    assert told["report"]["path"] == "/data/output/masked/r.report.lwe1"
    assert told["report"]["digest"] == REPORT["digest"]


@pytest.mark.parametrize("field", ["renewedAfter", "reencryptedAfter"])
def test_a_copy_of_a_shared_key_is_not_replaced_by_another_copy(field: str) -> None:
    world, engine, key_id = in_use()
    rotated(world, seconds_ago=3600)
    ask(world, field)
    status = engine.settle(DATA)
    held, reason, message = ready(status, "RotationComplete")
    assert (held, reason) == ("False", "SharedKey")
    assert "leeward keys rotate vault data -n clinic" in message
    assert ready(status)[1] == "Inspected"
    assert "replacement" not in status
    assert set(world.keys) == {key_id}
    world.change(DATA, spec={**world.objects[DATA]["spec"], "rotation": None})
    assert ready(engine.settle(DATA), "RotationComplete")[1] == "UpToDate"


def test_it_is_replaced_once_the_vault_key_was_rotated_to_another_secret() -> None:
    world, engine, key_id = in_use()
    rotated(world, seconds_ago=3600)
    ask(world, "renewedAfter")
    engine.settle(DATA)
    rotated(world, seconds_ago=30)
    replacement = engine.settle(DATA, times=1)["replacement"]
    assert replacement["previousKeyId"] == key_id
    assert replacement["keyId"] in world.keys


def renewing() -> tuple[World, Engine]:
    """The Job runs that writes a new key into the header."""
    world, engine, _ = in_use()
    rotated(world, seconds_ago=30)
    ask(world, "renewedAfter")
    assert "jobUid" in engine.settle(DATA)["replacement"]
    return world, engine


def test_only_the_job_and_its_policy_are_looked_at_while_the_header_is_rewritten() -> None:
    world, engine = renewing()
    observed = Observed()
    while needs := PLANNERS["Dataset"].plan(world.look(DATA), observed, engine.context()).needs:
        observed.seen.update({need: world.look(need) for need in needs})
    kinds = {
        need.kind if isinstance(need, ObjectRef) else type(need).__name__ for need in observed.seen
    }
    assert kinds == {"Job", "PodsOf", "NetworkPolicy"}


def test_a_policy_that_was_removed_comes_back_while_the_header_is_rewritten() -> None:
    world, engine = renewing()
    policy = ref_of(world.only("NetworkPolicy"))
    world.remove(policy)
    engine.settle(DATA)
    assert policy in world.objects


def test_another_spec_is_looked_at_as_a_whole_while_the_header_is_rewritten() -> None:
    world, engine = renewing()
    spec = {**world.objects[DATA]["spec"], "sealedWith": {"vault": {"name": "no"}, "key": "data"}}
    world.change(DATA, spec=spec)
    assert ready(engine.settle(DATA))[1] == "VaultMissing"
