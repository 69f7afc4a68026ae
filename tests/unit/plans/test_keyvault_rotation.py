"""When vault keys are rotated, and when their old versions are retired."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from leeward.api.keyvault import KeyVaultSpec
from leeward.plans.keyvault.rotation import steps
from leeward.plans.shared.model import (
    KeysetInfo,
    KeyUsage,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    VersionInfo,
    VersionState,
    VersionUsage,
)
from leeward.plans.shared.names import Owner
from unit.plans.clinic import NAMESPACE, VAULT, resource, vault_spec
from unit.plans.simulator import Engine, ready
from unit.plans.world import NOW, World, stamp

PLACE = (NAMESPACE, "vault", "data")
DAY = datetime.timedelta(days=1)


def due(
    versions: list[tuple[int, VersionState, float, bool]], now: float = 0, **key: Any
) -> list[tuple[object, float]]:
    """Steps and the days from now to them, of a key with versions of so many days of age."""
    spec = KeyVaultSpec.model_validate(
        {"keys": [{"name": "data", "algorithm": "AES256_GCM", **key}]}
    )
    history = tuple(
        VersionInfo(number, state, stamp(NOW - age * DAY), drained)
        for number, state, age, drained in versions
    )
    info = KeysetInfo("aa" * 16, "uid", {}, history={"data": history})
    moment = NOW + now * DAY
    owner = Owner.of(World().add(resource(VAULT, {})))
    return [(found.step, (found.at - moment) / DAY) for found in steps(owner, spec, info, moment)]


def test_without_a_schedule_nothing_is_due() -> None:
    assert due([(1, "Primary", 5000, False)]) == []


def test_a_key_is_rotated_at_its_age() -> None:
    primary: list[tuple[int, VersionState, float, bool]] = [(1, "Primary", 80, False)]
    assert due(primary, rotation={"every": "90d"}) == [(RotateVaultKey(*PLACE, 1), 10)]
    assert due(primary, now=11, rotation={"every": "90d"}) == [(RotateVaultKey(*PLACE, 1), -1)]


@pytest.mark.parametrize(("certificate", "expected"), [("PEM", [-0.5]), (None, [])])
def test_an_authority_is_replaced_in_time_and_what_is_none_is_not(
    certificate: str | None, expected: list[float]
) -> None:
    authority = {"trustDomain": "clinic.example", "lifetime": "30d"}
    asked = {"name": "data", "algorithm": "ED25519", "authority": authority}
    spec = KeyVaultSpec.model_validate({"keys": [asked]})
    made = stamp(NOW - 20.5 * DAY)
    history = (VersionInfo(1, "Primary", made, fixed=True, certificate=certificate),)
    info = KeysetInfo("aa" * 16, "uid", {}, history={"data": history})
    found = steps(Owner.of(World().add(resource(VAULT, {}))), spec, info, NOW)
    assert [(step.at - NOW) / DAY for step in found] == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2027-03-01T11:59:59Z", []),
        ("2027-03-01T12:00:00Z", []),
        ("2027-03-01t13:00:01+01:00", [1 / 86400]),
        ("2027-03-01T12:00:00.25Z", [1 / 86400]),
        ("2027-03-02T12:00:00Z", [1]),
    ],
)
def test_a_key_is_rotated_once_for_each_request(asked: str, expected: list[float]) -> None:
    found = due([(3, "Primary", 0, False)], rotation={"renewedAfter": asked})
    assert [at for _, at in found] == expected


def test_artefact_keys_are_moved_before_anything_else() -> None:
    versions: list[tuple[int, VersionState, float, bool]] = [
        (1, "Enabled", 900, False),
        (2, "Primary", 900, False),
    ]
    rotation = {"every": "1d", "retireAfter": "1d", "destroyAfter": "1d"}
    assert due(versions, rotation=rotation) == [(RewrapArtefactKeys(*PLACE, 2), 0)]


def test_a_version_is_disabled_and_then_destroyed_at_its_age() -> None:
    rotation = {"retireAfter": "180d", "destroyAfter": "730d"}
    enabled: list[tuple[int, VersionState, float, bool]] = [
        (1, "Enabled", 100, True),
        (2, "Primary", 0, False),
    ]
    assert due(enabled, rotation=rotation) == [(RetireVersion(*PLACE, 1, "Disabled"), 80)]
    disabled: list[tuple[int, VersionState, float, bool]] = [
        (1, "Disabled", 700, True),
        (2, "Primary", 0, False),
    ]
    assert due(disabled, rotation=rotation) == [(RetireVersion(*PLACE, 1, "Destroyed"), 30)]
    destroyed: list[tuple[int, VersionState, float, bool]] = [
        (1, "Destroyed", 900, True),
        (2, "Primary", 0, False),
    ]
    assert due(destroyed, rotation=rotation) == []


def test_without_ages_old_versions_stay_enabled() -> None:
    assert due([(1, "Enabled", 9000, True), (2, "Primary", 0, False)]) == []


def test_versions_below_the_minimum_are_disabled_at_once() -> None:
    versions: list[tuple[int, VersionState, float, bool]] = [
        (1, "Enabled", 2, True),
        (2, "Enabled", 1, True),
        (3, "Primary", 0, False),
    ]
    assert due(versions, minimumVersion=2) == [(RetireVersion(*PLACE, 1, "Disabled"), -2)]


@pytest.mark.parametrize("jump", [-1 / 24, 1 / 24])
def test_a_clock_that_jumps_an_hour_makes_no_more_than_one_version(jump: float) -> None:
    fresh: list[tuple[int, VersionState, float, bool]] = [(2, "Primary", 0, False)]
    assert all(at > 0 for _, at in due(fresh, now=jump, rotation={"every": "2h"}))


def test_a_keyset_that_is_older_than_what_it_wrapped_is_not_rotated() -> None:
    world = World()
    first = vault_spec()["keys"][0]
    world.add(resource(VAULT, vault_spec()))
    engine = Engine(world)
    engine.settle(VAULT)
    vault_id = world.keysets[NAMESPACE, "vault"].vault_id
    world.usage[vault_id] = KeyUsage({(first["name"], 3): VersionUsage(7, (), 1)})
    status, reason, message = ready(engine.settle(VAULT), "RotationComplete")
    assert (status, reason) == ("False", "KeysetOutdated")
    assert "7 artefact keys are wrapped by version 3" in message
    assert f"leeward.dev/vault-id={vault_id},leeward.dev/vault-key={first['name']}" in message
    del world.usage[vault_id]  # nothing new is told
    assert ready(engine.settle(VAULT), "RotationComplete")[1] == "KeysetOutdated"
    world.usage[vault_id] = KeyUsage()
    assert ready(engine.settle(VAULT), "RotationComplete")[:2] == ("True", "Complete")


def test_a_minimum_version_that_there_is_not_yet_is_said() -> None:
    world = World()
    first, *others = vault_spec()["keys"]
    world.add(resource(VAULT, {**vault_spec(), "keys": [{**first, "minimumVersion": 2}, *others]}))
    engine = Engine(world)
    status, reason, message = ready(engine.settle(VAULT), "RotationComplete")
    assert (status, reason) == ("False", "MinimumVersionTooHigh")
    assert message.endswith(f"run: leeward keys rotate vault {first['name']} -n {NAMESPACE}")
    info = world.keysets[NAMESPACE, "vault"]
    algorithm, _, made = info.versions[first["name"]]
    history = (
        VersionInfo(1, "Disabled", made, drained=True),
        VersionInfo(2, "Primary", made),
    )
    world.keysets[NAMESPACE, "vault"] = dataclasses.replace(
        info,
        versions={**info.versions, first["name"]: (algorithm, 2, made)},
        history={**info.history, first["name"]: history},
    )
    assert ready(engine.settle(VAULT), "RotationComplete")[:2] == ("True", "Complete")
