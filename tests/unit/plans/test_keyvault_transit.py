"""KeyVaults whose keys a Transit key wraps: what their conditions say, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leeward.formats.provider import CaReference, TransitLogin, TransitSettings
from leeward.plans.keyvault.provider import LOOK
from leeward.plans.shared.model import (
    Action,
    EnsureArtefactKey,
    EnsureKeyset,
    Outcome,
    ProviderFault,
    RotateVaultKey,
    TendKeyset,
    TendResult,
)
from unit.plans.clinic import JOB, NAMESPACE, VAULT, clinic, resource, vault_spec
from unit.plans.simulator import Engine, ready
from unit.plans.world import World

PLACE = (NAMESPACE, "vault")
SEALED = ProviderFault("ProviderSealed", "the server is sealed", "Unseal it.")
ROLE = {"kubernetes": {"role": "leeward"}}


def spec(**transit: Any) -> dict[str, Any]:
    settings = {"address": "https://bao:8200/", "key": "leeward", "auth": ROLE, **transit}
    return {**vault_spec(), "provider": {"transit": settings}}


def refused(kind: type[Action], fault: ProviderFault = SEALED) -> Any:
    def refuse(action: Action) -> Outcome | None:
        return Outcome("Unreadable", "", fault) if isinstance(action, kind) else None

    return refuse


def made() -> tuple[World, Engine]:
    world = World()
    world.add(resource(VAULT, spec()))
    engine = Engine(world)
    engine.settle(VAULT)
    return world, engine


def available(status: dict[str, Any]) -> tuple[str, str, str]:
    return ready(status, "ProviderAvailable")


def test_a_new_vault_is_wrapped_by_the_key_that_it_names() -> None:
    world, engine = made()
    settings = world.keysets[PLACE].transit
    login = TransitLogin(method="kubernetes", mount="kubernetes", role="leeward")
    assert settings == TransitSettings(
        address="https://bao:8200", mount="transit", key="leeward", login=login
    )
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert plan.status["provider"] == "transit"
    assert ready(plan.status)[:2] == ("True", "KeysReady")
    assert available(plan.status)[:2] == ("True", "Available")
    assert plan.requeue_after == LOOK


def test_the_three_ways_to_log_in_are_recorded_without_their_secrets() -> None:
    ref = {"name": "bao", "key": "value"}
    for auth, login in (
        ({"token": {"secretRef": ref}}, {"method": "token"}),
        (
            {"appRole": {"mount": "roles", "roleId": "id", "secretRef": ref}},
            {"method": "appRole", "mount": "roles", "role": "id"},
        ),
    ):
        world = World()
        bundle = {"configMap": "bao-ca"}
        world.add(resource(VAULT, spec(auth=auth, namespace="team", caBundle=bundle)))
        Engine(world).settle(VAULT)
        settings = world.keysets[PLACE].transit
        assert settings is not None
        assert settings.login == TransitLogin(**login, secret="bao", secret_key="value")  # type: ignore[arg-type]
        assert settings.ca == CaReference(config_map="bao-ca", key="ca.crt")
        assert settings.namespace == "team"


def test_a_vault_without_its_provider_waits_and_goes_on_by_itself() -> None:
    world = World()
    world.add(resource(VAULT, spec()))
    world.refusals.append(refused(EnsureKeyset))
    engine = Engine(world)
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status) == ("False", "ProviderSealed", "the server is sealed. Unseal it.")
    assert available(plan.status)[:2] == ("False", "ProviderSealed")
    assert plan.status["provider"] == "transit"
    assert plan.requeue_after == 15
    world.refusals.clear()
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("True", "KeysReady")
    assert available(status)[0] == "True"


def test_a_vault_whose_keys_are_held_stays_ready_while_the_server_is_away() -> None:
    world, engine = made()
    world.refusals.append(refused(TendKeyset))
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status)[:2] == ("True", "KeysReady")
    status, reason, message = available(plan.status)
    assert (status, reason) == ("False", "ProviderSealed")
    assert message.endswith("Unseal it. Keys that the operator holds in memory stay in use.")
    assert plan.requeue_after == 15
    world.refusals.clear()
    assert available(engine.settle(VAULT))[:2] == ("True", "Available")


def test_a_vault_that_does_not_open_any_more_is_not_ready() -> None:
    world, engine = made()
    held = world.keysets[PLACE]
    world.keysets[PLACE] = replace(held, readable=False, fault=SEALED)
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("False", "ProviderSealed")
    assert available(status)[:2] == ("False", "ProviderSealed")
    world.keysets[PLACE] = held
    assert ready(engine.settle(VAULT))[:2] == ("True", "KeysReady")


def test_settings_that_are_put_right_are_used_although_the_keyset_names_the_wrong_ones() -> None:
    world, engine = made()
    world.keysets[PLACE] = replace(world.keysets[PLACE], readable=False, fault=SEALED)
    world.change(VAULT, spec=spec(auth={"kubernetes": {"role": "other"}}))
    world.done.clear()
    engine.reconcile(VAULT)
    (asked,) = [action for action in world.done if isinstance(action, EnsureKeyset)]
    assert asked.transit is not None
    assert asked.transit.login.role == "other"


def test_another_address_is_recorded() -> None:
    world, engine = made()
    world.change(VAULT, spec=spec(address="https://other:8200"))
    engine.settle(VAULT)
    settings = world.keysets[PLACE].transit
    assert settings is not None
    assert settings.address == "https://other:8200"


def test_what_ought_to_be_different_is_said() -> None:
    world, engine = made()
    world.warnings = ("The key may be exported.",)
    assert available(engine.settle(VAULT))[2].endswith(". The key may be exported")


def test_keys_that_are_still_to_be_rewrapped_are_counted() -> None:
    world, engine = made()

    def partly(action: Action) -> Outcome | None:
        if not isinstance(action, TendKeyset):
            return None
        return Outcome("Done", result=TendResult(world.keysets[PLACE], 3))

    world.refusals.append(partly)
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert available(plan.status)[:2] == ("True", "Rewrapping")
    assert available(plan.status)[2].startswith("3 vault keys")
    assert plan.requeue_after is not None
    assert plan.requeue_after < 1


def test_a_rotation_that_its_provider_does_not_do_says_so_and_is_tried_again() -> None:
    world, engine = made()
    world.refusals.append(refused(RotateVaultKey))
    keys = [dict(key) for key in vault_spec()["keys"]]
    keys[0]["rotation"] = {"renewedAfter": "2027-03-01T13:00:00Z"}
    world.change(VAULT, spec={**spec(), "keys": keys})
    world.pass_time(7200)
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status, "RotationComplete")[:2] == ("False", "ProviderSealed")
    assert plan.requeue_after == 15


def test_a_job_that_needs_a_key_waits_with_the_reason_and_goes_on() -> None:
    world, engine = clinic()
    world.refusals.append(refused(EnsureArtefactKey))
    status = engine.settle(JOB)
    assert ready(status, "Admitted") == (
        "False",
        "ProviderSealed",
        "the server is sealed. Unseal it.",
    )
    world.refusals.clear()
    assert ready(engine.settle(JOB), "Admitted")[0] == "True"
