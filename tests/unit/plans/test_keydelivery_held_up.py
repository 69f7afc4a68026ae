"""KeyDeliveries that are held up: by names that are taken, namespaces, missing authorities."""

from __future__ import annotations

import copy
from contextlib import suppress

from leeward.api.meta import API_VERSION
from leeward.plans.shared.model import ObjectRef, Outcome, PutKeys, RemoveKeys
from unit.plans.clinic import NAMESPACE, VAULT, resource
from unit.plans.simulator import Engine, ready
from unit.plans.wards import (
    SECRET,
    WARD,
    WardWorld,
    delivery_spec,
    grant_all,
    looked,
    revoke_key,
    states,
    ward,
)
from unit.plans.world import CrashError


def waits(engine: Engine, world: WardWorld, reason: str) -> list[float]:
    """Seconds to the next try after each of three that end so, 200 s apart."""
    found: list[float] = []
    while len(found) < 3:
        plan = engine.reconcile(WARD)
        assert plan is not None
        assert plan.requeue_after is not None
        if ready(plan.status)[1] == reason and plan.requeue_after > 1:
            found.append(plan.requeue_after)
            world.pass_time(200)
    return found


def test_a_namespace_that_is_enabled_is_seen_soon_whatever_was_wrong_before() -> None:
    world, engine, _ = ward()
    revoke_key(world)
    looked(engine, world)
    world.pass_time(480)
    grant_all(world)
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, PutKeys) else None
    )
    assert waits(engine, world, "NamespaceNotEnabled") == [15.0, 15.0, 15.0]
    world.refusals.clear()
    assert ready(looked(engine, world))[:2] == ("True", "KeysDelivered")


def test_how_long_to_wait_goes_by_the_reason_not_by_what_was_wrong_before() -> None:
    world, engine, _ = ward()
    revoke_key(world)
    looked(engine, world)
    world.pass_time(200)
    theirs = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
    world.add({**theirs, "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}})
    grant_all(world)
    assert waits(engine, world, "NameTaken") == [15.0, 300.0, 300.0]


def test_a_secret_of_somebody_else_is_not_touched() -> None:
    world, engine, _ = ward()
    theirs = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}}
    world.add({**theirs, "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}})
    status = looked(engine, world)
    assert ready(status)[:2] == ("False", "NameTaken")
    assert "secret" not in status
    revoke_key(world)
    status = looked(engine, world)
    assert (status["consumerCount"], status["acknowledgedCount"]) == (0, 0)
    assert world.objects[SECRET]["data"] == {"a": "Yg=="}


def test_pods_that_mount_a_secret_of_somebody_else_are_left_alone() -> None:
    for crash in range(8):
        world, engine, _ = ward()
        theirs = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "Yg=="}}
        world.add({**theirs, "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}})
        pod = world.pod("theirs", loads=False)
        world.crash_after = crash
        with suppress(CrashError):
            looked(engine, world)
        world.crash_after = None
        revoke_key(world)
        looked(engine, world)
        assert pod in world.objects
        assert SECRET in world.objects


def test_the_first_of_two_keeps_the_name_of_the_secret_whatever_it_is_granted() -> None:
    world, engine, _ = ward()
    looked(engine, world)
    second = ObjectRef(API_VERSION, "KeyDelivery", NAMESPACE, "second")
    world.pass_time(1)
    world.add(resource(second, delivery_spec()))
    said = ready(engine.settle(second))
    assert said[:2] == ("False", "NameTaken")
    assert "KeyDelivery ward, which has the same spec.secretName" in said[2]
    revoke_key(world)
    looked(engine, world)
    assert SECRET not in world.objects
    grant_all(world)
    assert ready(engine.settle(second))[1] == "NameTaken"
    looked(engine, world)
    assert world.objects[SECRET]["type"].endswith(world.objects[WARD]["metadata"]["uid"])
    world.remove(WARD)
    world.remove(SECRET)
    assert ready(engine.settle(second, times=8))[:2] == ("True", "KeysDelivered")


def test_who_has_the_secret_is_named_where_it_came_later() -> None:
    world, engine, _ = ward()
    first = world.objects.pop(WARD)
    world.pass_time(1)
    second = ObjectRef(API_VERSION, "KeyDelivery", NAMESPACE, "second")
    world.add(resource(second, delivery_spec()))
    engine.settle(second, times=8)
    world.objects[WARD] = first
    said = ready(looked(engine, world))
    assert said[:2] == ("False", "NameTaken")
    assert "KeyDelivery second, which" in said[2]
    assert ready(engine.settle(second))[:2] == ("True", "KeysDelivered")


def test_a_certificate_from_a_key_without_authority_says_so_first() -> None:
    named = {"vault": {"name": "vault"}, "key": "mesh"}
    world, engine, _ = ward(items=[{"name": "tls", "certificate": named}])
    spec = copy.deepcopy(world.objects[VAULT]["spec"])
    spec["keys"].append({"name": "mesh", "algorithm": "ECDSA_P256"})
    world.change(VAULT, spec=spec)
    said = ready(looked(engine, world))
    assert said[:2] == ("False", "AuthorityMissing")
    assert "authority.trustDomain there, with a grant for operation Issue" in said[2]
    spec["keys"][-1]["authority"] = {"trustDomain": "clinic.example"}
    world.change(VAULT, spec=spec)
    assert ready(looked(engine, world))[1] == "KeyNotGranted"


def test_what_cannot_be_removed_is_said_to_be_there_still() -> None:
    world, engine, _ = ward()
    world.pod()
    looked(engine, world)
    world.refusals.append(
        lambda action: Outcome("Forbidden") if isinstance(action, RemoveKeys) else None
    )
    revoke_key(world)
    status = looked(engine, world)
    assert ready(status)[:2] == ("False", "NamespaceNotEnabled")
    assert ready(status, "KeysDelivered")[:2] == ("True", "KeysNotRemoved")
    assert "kubectl delete secret ward-keys -n clinic" in ready(status, "KeysDelivered")[2]
    assert not world.of_kind("Pod")
    world.refusals.clear()
    assert states(looked(engine, world))["KeysDelivered"] == "False KeysRemoved"


def test_where_nothing_is_delivered_no_pods_are_counted() -> None:
    world, engine, _ = ward()
    revoke_key(world)
    status = looked(engine, world)
    assert (status["consumerCount"], status["acknowledgedCount"]) == (0, 0)
