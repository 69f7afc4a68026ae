"""Who is given keys: by which grant, how often, and what is said of it."""

from __future__ import annotations

from typing import Any

from leeward.api.meta import KeyRef
from leeward.plans.shared.keys import KeyUse, check_key, check_key_grant, ready_key
from leeward.plans.shared.model import (
    CountDelivery,
    DeliverKeys,
    GrantUseOf,
    Manifest,
    ObjectRef,
    Observed,
    Outcome,
)
from leeward.plans.shared.names import Owner
from leeward.plans.shared.verdict import Unseen
from unit.plans.clinic import JOB, NAMESPACE, VAULT, clinic, job_spec, resource, started, vault_spec
from unit.plans.simulator import ready
from unit.plans.world import World

SECOND = ObjectRef(JOB.api_version, JOB.kind, NAMESPACE, "second")


def grants_of(world: World, key: str, *grants: Manifest) -> None:
    changed = vault_spec()
    for entry in changed["keys"]:
        if entry["name"] == key:
            entry["grants"] = list(grants)
    world.change(VAULT, spec=changed)


def grant(name: str, **fields: Any) -> Manifest:
    return {"name": name, "kinds": ["MaskingJob"], "operations": ["Seal", "Open"], **fields}


def second(world: World) -> None:
    output = {**job_spec()["output"], "dataset": "second-out"}
    world.add(resource(SECOND, job_spec(output=output)))


def test_a_workload_says_which_keys_it_was_given_and_by_which_grants() -> None:
    world, engine = started()
    status, reason, message = ready(world.objects[JOB]["status"], "KeysDelivered")
    assert (status, reason) == ("True", "KeysDelivered")
    assert "key data of KeyVault clinic/vault (Seal by grant work)" in message
    assert "key tokens of KeyVault clinic/vault (Mask by grant work)" in message
    assert not any(key_id in message for key_id in world.keys)
    world.fail(exitCode=1)
    after = ready(engine.settle(JOB), "KeysDelivered")
    assert after[:2] == ("False", "KeysRemoved")


def test_a_grant_is_used_up_by_as_many_workloads_as_it_is_for() -> None:
    world, engine = clinic()
    grants_of(world, "data", grant("once", maxDeliveries=1))
    engine.settle(JOB)
    assert world.given == {("data", "once"): [world.objects[JOB]["metadata"]["uid"]]}
    second(world)
    _, reason, message = ready(engine.settle(SECOND), "Admitted")
    assert reason == "KeyNotGranted"
    assert "grant once 1" in message
    assert "maxDeliveries" in message
    grants_of(world, "data", grant("once", maxDeliveries=2))
    engine.settle(SECOND)
    assert ready(world.objects[SECOND]["status"], "Admitted")[0] == "True"


def test_it_is_counted_before_the_keys_are_delivered() -> None:
    world, engine = clinic()
    grants_of(world, "data", grant("once", maxDeliveries=1))
    engine.settle(JOB)
    kinds = [type(action) for action in world.done]
    assert kinds.index(CountDelivery) < kinds.index(DeliverKeys)


def test_whoever_comes_too_late_for_the_last_one_is_given_no_key() -> None:
    world, engine = clinic()
    grants_of(world, "data", grant("once", maxDeliveries=1))
    world.refusals.append(
        lambda action: Outcome("Conflict") if isinstance(action, CountDelivery) else None
    )
    status = engine.settle(JOB)
    assert ready(status, "Admitted")[1] == "KeyNotGranted"
    assert world.of_kind("Secret") == []


def test_a_grant_without_limit_is_used_first_and_one_that_counted_it_second() -> None:
    world, engine = clinic()
    grants_of(world, "data", grant("few", maxDeliveries=1), grant("any"))
    engine.settle(JOB)
    assert world.given == {}
    world, engine = clinic()
    uid = world.objects[JOB]["metadata"]["uid"]
    world.given = {("data", "full"): ["x"], ("data", "had"): [uid]}
    limited = [grant(name, maxDeliveries=1) for name in ("full", "free", "had")]
    grants_of(world, "data", *limited)
    engine.settle(JOB)
    assert world.given == {("data", "full"): ["x"], ("data", "had"): [uid]}
    assert "by grant had" in ready(world.objects[JOB]["status"], "KeysDelivered")[2]


def test_one_grant_for_several_operations_is_used_once() -> None:
    world, engine = clinic()
    for entry in (spec := vault_spec())["keys"]:
        entry["grants"] = [{**entry["grants"][0], "maxDeliveries": 5}]
    world.change(VAULT, spec=spec)
    engine.settle(JOB)
    uid = world.objects[JOB]["metadata"]["uid"]
    assert world.given == {("data", "work"): [uid], ("tokens", "work"): [uid]}


def waiting_pod(world: World) -> None:
    job = world.only("Job")
    world.start_pod(job, waiting={"reason": "CreateContainerConfigError"})


def test_a_pod_that_has_not_started_gets_no_keys_again_after_its_grant_ended() -> None:
    world, engine = started()
    waiting_pod(world)
    grants_of(world, "data", grant("work", notAfter="2027-03-01T11:59:59Z"))
    world.done.clear()
    status = engine.settle(JOB)
    assert ready(status, "Running")[1] == "KeyNotGranted"
    assert ready(status, "KeysDelivered")[:2] == ("False", "KeysRemoved")
    assert world.of_kind("Secret") == []
    assert not [action for action in world.done if isinstance(action, DeliverKeys)]
    grants_of(world, "data", grant("work"))
    status = engine.settle(JOB)
    assert ready(status, "KeysDelivered")[0] == "True"
    (secret,) = world.of_kind("Secret")
    assert secret["metadata"]["name"] in [child["name"] for child in status["children"]]


def test_a_pod_that_runs_keeps_its_keys_when_its_grant_ends() -> None:
    world, engine = started()
    world.start_pod()
    grants_of(world, "data", grant("work", notAfter="2027-03-01T11:59:59Z"))
    status = engine.settle(JOB)
    assert ready(status, "Running")[0] == "True"
    assert len(world.of_kind("Secret")) == 1


def test_the_secret_holds_the_keys_of_its_uses_and_no_other() -> None:
    world, _ = started()
    (delivery,) = {action for action in world.done if isinstance(action, DeliverKeys)}
    granted = {world.keys[key_id].key for _, key_id in delivery.keys}
    assert granted == {"data", "tokens"}


def crowded(name: str, **last: Any) -> Manifest:
    """A vault with a thousand grants, of which the last ones of the first key fit."""
    spec = vault_spec()
    others = [grant(f"g{n}", names=[f"somebody-{n}"], maxDeliveries=1) for n in range(31)]
    for entry in spec["keys"]:
        operations = entry["grants"][0]["operations"]
        entry["grants"] = [{**other, "operations": operations} for other in others]
        entry["grants"].append({**grant(name, **last), "operations": operations})
    more = [{"name": f"k{n}", "algorithm": "AES256_GCM", "grants": others} for n in range(28)]
    return {"keys": [*spec["keys"], *more]}


def use_of(vault: str, key: str) -> KeyUse:
    ref = KeyRef.model_validate({"vault": {"name": vault}, "key": key})
    return KeyUse(ref, NAMESPACE, ("AES256_GCM", "AES256_SIV"), "", ("", ""))


def test_of_five_thousand_grants_only_those_that_fit_are_looked_at_and_all_are_read_once() -> None:
    world, engine = clinic()
    owner = Owner.of(world.objects[JOB])
    observed = Observed()
    for number in range(5):
        ref = ObjectRef(VAULT.api_version, VAULT.kind, NAMESPACE, f"vault{number}")
        world.add(resource(ref, crowded("fits", maxDeliveries=3)))
        engine.settle(ref)
        observed.seen[ref] = world.look(ref)
    for number in range(5):
        for key, operation in (("data", "Seal"), ("tokens", "Mask")):
            use = use_of(f"vault{number}", key)
            assert check_key(use, observed) is None
            verdict = check_key_grant(use, operation, owner, observed, engine.context())
            assert isinstance(verdict, Unseen)
            assert [need.grant for need in verdict.needs if isinstance(need, GrantUseOf)] == [
                "fits"
            ]
            assert ready_key(use, observed).key is ready_key(use, observed).key
    assert len(observed.read) == 10


def test_an_output_is_sealed_under_a_pair_by_who_may_seal_and_not_open() -> None:
    world, engine = clinic()
    grants_of(world, "intake", grant("seal", operations=["Seal"]))
    sealed_with = {"vault": {"name": "vault"}, "key": "intake"}
    world.change(JOB, spec=job_spec(output={**job_spec()["output"], "sealedWith": sealed_with}))
    engine.settle(JOB)
    assert "Seal by grant seal" in ready(world.objects[JOB]["status"], "KeysDelivered")[2]
    (delivery,) = {action for action in world.done if isinstance(action, DeliverKeys)}
    roles = dict(delivery.keys)
    assert world.keys[roles["output"]].algorithm == "HPKE_X25519"
