"""KeyVault: a keyset is made once and never anew."""

from dataclasses import replace

import pytest

from leeward.plans.shared.model import EnsureKeyset, KeyFault, Outcome
from unit.plans.clinic import NAMESPACE, VAULT, resource, vault_spec
from unit.plans.simulator import Engine, ready
from unit.plans.world import NOW, World, stamp

PLACE = (NAMESPACE, "vault")


def made() -> tuple[World, Engine]:
    world = World()
    world.add(resource(VAULT, vault_spec()))
    engine = Engine(world)
    engine.settle(VAULT)
    return world, engine


def test_new_vault_is_ready_without_looking_first() -> None:
    world = World()
    world.add(resource(VAULT, vault_spec()))
    plan = Engine(world).reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status)[:2] == ("True", "KeysReady")
    assert plan.status["keyCount"] == 4
    assert plan.status["provider"] == "embedded"
    assert plan.status["oldestKeyAt"] == stamp(NOW)
    assert [type(action) for action in world.done] == [EnsureKeyset]
    assert plan.requeue_after is None


def test_ready_vault_does_nothing() -> None:
    world, engine = made()
    world.done.clear()
    before = world.objects[VAULT]
    engine.settle(VAULT)
    assert world.done == []
    assert world.objects[VAULT] == before


def test_key_added_to_the_spec_is_added_to_the_keyset() -> None:
    world, engine = made()
    old = world.keysets[PLACE]
    keys = [*vault_spec()["keys"], {"name": "more", "algorithm": "AES256_GCM"}]
    world.change(VAULT, spec={"keys": keys})
    status = engine.settle(VAULT)
    assert status["keyCount"] == 5
    assert world.keysets[PLACE].vault_id == old.vault_id
    assert world.keysets[PLACE].versions.items() >= old.versions.items()


def test_vault_made_again_waits_for_adoption() -> None:
    world, engine = made()
    kept = world.keysets[PLACE].vault_id
    world.remove(VAULT)
    world.add(resource(VAULT, vault_spec()))
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("False", "KeysetRetained")
    assert f"leeward.dev/adopt={kept}" in ready(status)[2]
    assert "not its id" not in ready(status)[2]
    world.annotate(VAULT, adopt="00" * 16)
    assert "not its id" in ready(engine.settle(VAULT))[2]
    assert ready(engine.settle(VAULT))[1] == "KeysetRetained"
    world.annotate(VAULT, adopt=kept)
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("True", "KeysReady")
    assert status["vaultId"] == kept


def test_adopted_keyset_with_another_algorithm() -> None:
    world, engine = made()
    kept = world.keysets[PLACE].vault_id
    world.remove(VAULT)
    keys = [{"name": "data", "algorithm": "AES256_SIV"}]
    world.add(resource(VAULT, {"keys": keys}))
    world.annotate(VAULT, adopt=kept)
    status = engine.settle(VAULT)
    assert ready(status)[1] == "KeyAlgorithmConflict"
    assert "AES256_GCM" in ready(status)[2]


def test_lost_keyset_is_not_made_anew() -> None:
    world, engine = made()
    world.keysets.clear()
    world.done.clear()
    status = engine.settle(VAULT)
    assert ready(status)[1] == "KeysetLost"
    assert world.done == []
    assert world.keysets == {}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("RootKeyLost", "RootKeyLost"),
        ("RootKeyReplaced", "KeysetUnreadable"),
        ("Damaged", "KeysetUnreadable"),
    ],
)
def test_keyset_that_does_not_open(fault: KeyFault, reason: str) -> None:
    world, engine = made()
    world.keysets[PLACE] = replace(world.keysets[PLACE], readable=False, fault=fault)
    world.done.clear()
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("False", reason)
    assert "backup" in ready(status)[2]
    assert world.done == []
    world.keysets[PLACE] = replace(world.keysets[PLACE], readable=True, fault=None)
    assert ready(engine.settle(VAULT))[0] == "True"


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome("Unreadable", "", "RootKeyLost"), "RootKeyLost"),
        (Outcome("Invalid", "exceeded quota"), "KeysetRefused"),
    ],
)
def test_keyset_that_cannot_be_made(outcome: Outcome, reason: str) -> None:
    world = World()
    world.add(resource(VAULT, vault_spec()))
    world.refusals.append(lambda _: outcome)
    plan = Engine(world).reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status)[1] == reason
    assert plan.requeue_after == 15.0
    assert "vaultId" not in plan.status


def test_condition_keeps_its_transition_time() -> None:
    world, engine = made()
    world.pass_time(100)
    world.annotate(VAULT, other="x")
    (condition,) = engine.settle(VAULT)["conditions"]
    assert condition["lastTransitionTime"] == stamp(NOW)
    world.keysets.clear()
    (condition,) = engine.settle(VAULT)["conditions"]
    assert condition["lastTransitionTime"] == stamp(world.now)


def test_unknown_field_is_invalid() -> None:
    world = World()
    world.add(resource(VAULT, {**vault_spec(), "later": 1}))
    status = Engine(world).settle(VAULT)
    assert ready(status)[1] == "InvalidSpec"
    assert "spec.later" in ready(status)[2]
