"""Keys of long-lived pods: delivered, acknowledged, dropped, and taken away."""

from __future__ import annotations

import copy
import datetime
from typing import Any

import pytest

from leeward.plans.shared.acknowledgements import not_acknowledged, still_holding
from leeward.plans.shared.model import Delete, MarkPod, Outcome, PutKeys
from unit.plans.clinic import SOURCE, VAULT
from unit.plans.simulator import ready
from unit.plans.wards import SECRET, WARD, grant_all, looked, revoke_key, states, ward
from unit.plans.world import CrashError, World


def test_the_key_of_a_dataset_is_delivered_and_acknowledged() -> None:
    world, engine, key_id = ward()
    world.pod("ward-0", loads=False)
    status = looked(engine, world)
    assert states(status) == {
        "Admitted": "True Granted",
        "Ready": "True KeysDelivered",
        "KeysDelivered": "True KeysDelivered",
        "Acknowledged": "False AwaitingConsumers",
    }
    assert (
        world.objects[SECRET]["type"]
        == f"leeward.dev/keys.{world.objects[WARD]['metadata']['uid']}"
    )
    assert [(e.role, e.id) for e in world.objects[SECRET]["entries"]] == [("data", key_id)]
    world.load("ward-0")
    status = looked(engine, world)
    assert states(status)["Acknowledged"] == "True AllAcknowledged"
    assert status["items"] == [
        {"name": "data", "keys": [{"id": key_id, "version": 1, "acknowledged": True}]}
    ]
    assert (status["consumerCount"], status["acknowledgedCount"]) == (1, 1)


def test_a_consumer_that_does_not_acknowledge_is_named() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    world.pod("ward-0")
    world.pod("ward-1", loads=False)
    looked(engine, world)
    since = world.now
    world.pass_time(61)
    status = looked(engine, world)
    state, reason, message = ready(status, "Acknowledged")
    assert (state, reason) == ("False", "ConsumersNotAcknowledged")
    assert "1 of 2 pods" in message
    assert (
        f"ward-1 (does not answer at port 8080 /keys, since {since:%Y-%m-%dT%H:%M:%SZ})" in message
    )
    assert "ward-0" not in message
    assert [c["pod"] for c in status["consumers"]] == ["ward-1", "ward-0"]


def test_pods_that_come_and_go_are_counted_right() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    world.pod("ended", loads=False, phase="Succeeded")
    world.pod("failed", loads=False, phase="Failed")
    unscheduled = world.pod("unscheduled", loads=False, phase="Pending")
    del world.objects[unscheduled]["spec"]["nodeName"]
    other = world.pod("other", loads=False)
    world.objects[other]["spec"]["volumes"] = []
    lost = world.pod("lost", loads=False)
    long_ago = world.now - datetime.timedelta(minutes=2)
    world.objects[lost]["metadata"]["deletionTimestamp"] = long_ago.isoformat()
    world.pod("ward-0")
    status = looked(engine, world)
    assert (status["consumerCount"], status["acknowledgedCount"]) == (1, 1)
    starting = world.pod("starting", loads=False, phase="Pending", podIP="")
    assert "starting (has not started" in ready(looked(engine, world), "Acknowledged")[2]
    world.remove(starting)
    assert states(looked(engine, world))["Acknowledged"] == "True AllAcknowledged"


def test_a_pod_that_mounts_the_secret_without_the_label_is_named_and_awaited() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    stray = world.pod("nurse-0", loads=False)
    world.objects[stray]["metadata"]["labels"] = {"app": "nurse"}
    status = looked(engine, world)
    said = ready(status, "Acknowledged")
    assert said[:2] == ("False", "AwaitingConsumers")
    assert (status["consumerCount"], status["acknowledgedCount"]) == (1, 0)
    assert "nurse-0: give them the labels of spec.selector (app: ward)" in said[2]
    world.load("nurse-0")
    said = ready(looked(engine, world), "Acknowledged")
    assert said[:2] == ("True", "PodsNotSelected")
    assert "1 pod has loaded every key" in said[2]
    labels = {**world.objects[stray]["metadata"]["labels"], "app": "ward"}
    world.objects[stray]["metadata"]["labels"] = labels
    said = ready(looked(engine, world), "Acknowledged")
    assert said == ("True", "AllAcknowledged", "1 pod has loaded every key in Secret ward-keys")


def test_pods_are_marked_once_and_again_while_they_hang() -> None:
    world, engine, _ = ward()
    world.pod("ward-0", loads=False)
    looked(engine, world)
    looked(engine, world)
    assert sum(isinstance(action, MarkPod) for action in world.done) == 1
    world.pass_time(25)
    looked(engine, world)
    assert sum(isinstance(action, MarkPod) for action in world.done) == 2


def test_where_pods_may_not_be_marked_keys_are_delivered_all_the_same() -> None:
    world, engine, _ = ward()
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, MarkPod) else None
    )
    for number in range(9):
        world.pod(f"ward-{number}", loads=False)
    looked(engine, world)
    for number in range(9):
        world.load(f"ward-{number}")
    assert states(looked(engine, world))["Acknowledged"] == "True AllAcknowledged"


def test_a_secret_that_was_deleted_comes_back() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    world.remove(SECRET)
    world.pass_time(3601)
    looked(engine, world)
    assert SECRET in world.objects


@pytest.mark.parametrize("over", [True, False])
def test_an_operator_that_is_killed_after_any_effect_is_followed_by_one_that_goes_on(
    over: bool,
) -> None:
    for after in range(30):
        world, engine, key_id = ward()
        world.pod("ward-0", loads=False)
        world.crash_after = after
        try:
            looked(engine, world)
        except CrashError:
            looked(engine, world)
        world.crash_after = None
        world.load("ward-0")
        if over:
            status = looked(engine, world)
            assert states(status)["Acknowledged"] == "True AllAcknowledged"
            assert set(world.written) == {(key_id,)}
        else:
            revoke_key(world)
            world.crash_after = after
            try:
                looked(engine, world)
            except CrashError:
                looked(engine, world)
            assert SECRET not in world.objects
            assert not world.of_kind("Pod")


def test_what_is_granted_no_more_is_taken_away_and_comes_back_when_it_is_granted_again() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    world.pod("ward-0")
    world.pod("helper")
    looked(engine, world)
    revoke_key(world)
    plan = engine.reconcile(WARD)
    assert plan is not None
    assert [event.reason for event in plan.events] == ["PodsDeleted"]
    assert SECRET not in world.objects
    assert not world.of_kind("Pod")
    assert all(d.grace == 2 for d in world.done if isinstance(d, Delete))
    status = world.objects[WARD]["status"]
    assert states(status)["Admitted"] == "False KeyNotGranted"
    assert states(status)["KeysDelivered"] == "False KeysRemoved"
    assert "Acknowledged" not in states(status)
    assert (status["consumerCount"], status["acknowledgedCount"]) == (0, 0)
    grant_all(world)
    world.pod("ward-0", loads=False)
    looked(engine, world)
    world.load()
    assert states(looked(engine, world))["Acknowledged"] == "True AllAcknowledged"


def test_pods_of_other_labels_that_mount_the_secret_go_too() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    stray = world.pod("stray")
    world.objects[stray]["metadata"]["labels"] = {}
    revoke_key(world)
    looked(engine, world)
    assert stray not in world.objects


def test_a_pod_that_came_after_the_secret_had_gone_is_left_to_wait() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    revoke_key(world)
    engine.reconcile(WARD)
    waits = {"name": "ward", "state": {"waiting": {"reason": "ContainerCreating"}}}
    later = world.pod("later", loads=False, phase="Pending", containerStatuses=[waits])
    cached = world.pod("cached", loads=False)
    engine.reconcile(WARD)
    assert later in world.objects
    assert cached not in world.objects
    optional = world.pod("optional", loads=False)
    engine.reconcile(WARD)
    assert optional in world.objects


def test_a_grant_that_ends_takes_the_keys_away_in_time() -> None:
    world, engine, _ = ward()
    end = world.now + datetime.timedelta(seconds=100)
    grant_all(world, notAfter=f"{end:%Y-%m-%dT%H:%M:%SZ}")
    for _ in range(4):
        plan = engine.reconcile(WARD)
    assert plan is not None
    assert plan.requeue_after is not None
    assert 100 < plan.requeue_after < 101
    world.pass_time(plan.requeue_after)
    assert states(looked(engine, world))["Admitted"] == "False KeyNotGranted"
    assert SECRET not in world.objects


def test_a_grant_that_ends_takes_the_keys_away_in_time_where_the_other_is_used_up() -> None:
    world, engine, _ = ward()
    end = world.now + datetime.timedelta(seconds=100)
    grant_all(world, notAfter=f"{end:%Y-%m-%dT%H:%M:%SZ}")
    spec = copy.deepcopy(world.objects[VAULT]["spec"])
    (key,) = (key for key in spec["keys"] if key["name"] == "intake")
    key["grants"].append({**key["grants"][0], "name": "once", "maxDeliveries": 1})
    del key["grants"][1]["notAfter"]
    world.change(VAULT, spec=spec)
    world.given["intake", "once"] = ["somebody"]
    for _ in range(4):
        plan = engine.reconcile(WARD)
    assert plan is not None
    assert plan.requeue_after is not None
    assert 100 < plan.requeue_after < 101
    world.pass_time(plan.requeue_after)
    assert states(looked(engine, world))["Admitted"] == "False KeyNotGranted"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_an_hour_and_back_loses_nothing(hours: int) -> None:
    world, engine, _ = ward()
    world.pod("ward-0", loads=False)
    looked(engine, world)
    world.load()
    looked(engine, world)
    before = copy.deepcopy(world.objects[WARD]["status"]["items"])
    for jump in (hours, -hours):
        world.pass_time(jump * 3600)
        status = looked(engine, world)
        assert states(status)["Acknowledged"] == "True AllAcknowledged"
        assert status["items"] == before
    assert SECRET in world.objects


def without_dataset_grant(world: World) -> str:
    spec = copy.deepcopy(world.objects[SOURCE]["spec"])
    world.change(SOURCE, spec={**spec, "grants": []})
    return "NotGranted"


def without_dataset(world: World) -> str:
    world.remove(SOURCE)
    return "SourceMissing"


def with_a_dataset_that_goes(world: World) -> str:
    metadata = {**world.objects[SOURCE]["metadata"], "deletionTimestamp": "2027-03-01T12:00:00Z"}
    world.change(SOURCE, metadata=metadata)
    return "SourceMissing"


def with_a_vault_that_goes(world: World) -> str:
    metadata = {**world.objects[VAULT]["metadata"], "deletionTimestamp": "2027-03-01T12:00:00Z"}
    world.change(VAULT, metadata=metadata)
    return "VaultMissing"


def without_vault(world: World) -> str:
    for ref in list(world.objects):
        if ref.kind == "KeyVault":
            world.remove(ref)
    return "VaultMissing"


@pytest.mark.parametrize(
    "take",
    [
        without_dataset_grant,
        without_dataset,
        without_vault,
        with_a_dataset_that_goes,
        with_a_vault_that_goes,
    ],
)
def test_keys_are_taken_away_when(take: Any) -> None:
    world, engine, _ = ward()
    looked(engine, world)
    world.pod("ward-0")
    looked(engine, world)
    reason = take(world)
    status = looked(engine, world)
    assert states(status)["Admitted"] == f"False {reason}"
    assert SECRET not in world.objects
    assert not world.of_kind("Pod")


def test_a_vault_that_is_not_ready_for_a_while_takes_nothing_away() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    pod = world.pod("ward-0")
    looked(engine, world)
    for ref in list(world.objects):
        if ref.kind == "KeyVault":
            status = copy.deepcopy(world.objects[ref]["status"])
            status["conditions"][0] |= {"status": "False", "reason": "RootKeyLost"}
            world.change(ref, status=status)
    status = looked(engine, world)
    assert states(status)["Ready"] == "False VaultNotReady"
    assert states(status)["Admitted"] == "True Granted"
    assert SECRET in world.objects
    assert pod in world.objects
    revoke_key(world)
    looked(engine, world)
    assert SECRET not in world.objects


def test_whoever_acts_on_old_knowledge_writes_nothing() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    stale = next(action for action in world.done if isinstance(action, PutKeys))
    newer = world.objects[WARD]["status"]["secret"]["resourceVersion"]
    world.change(SECRET, entries=("newer",))
    old = PutKeys(stale.namespace, stale.name, stale.type, stale.owner, stale.entries, {}, newer)
    assert world.perform(old).result == "Changed"
    world.pass_time(3601)
    looked(engine, world)
    assert world.objects[SECRET]["entries"] == stale.entries


def test_others_are_told_who_has_a_key_by_now() -> None:
    world, engine, key_id = ward()
    world.pod("ward-0", loads=False)

    def said(key: str) -> tuple[int, int]:
        found = world.of_kind("KeyDelivery")
        return len(not_acknowledged(found, SOURCE, key)), len(still_holding(found, SOURCE, key))

    assert said(key_id) == (0, 0)
    engine.reconcile(WARD)
    assert said(key_id) == (1, 1), "it is about to deliver something"
    looked(engine, world)
    assert said(key_id) == (1, 1)
    world.load()
    looked(engine, world)
    assert said(key_id) == (0, 1)
    assert said("ab" * 16) == (1, 0)
    revoke_key(world)
    looked(engine, world)
    assert said(key_id) == (0, 0)
