"""KeyVault: keys from elsewhere, what is said of them, and the public halves of pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from leeward.api.meta import KeyRef
from leeward.formats.material import fingerprint, public_pem
from leeward.plans.shared.keys import KeyUse, check_key
from leeward.plans.shared.model import (
    Apply,
    EnsureKeyset,
    ObjectRef,
    Observed,
    OriginReason,
    OriginRefusal,
    Outcome,
    RotateVaultKey,
    VersionInfo,
)
from leeward.plans.shared.verdict import Denied
from unit.plans.clinic import NAMESPACE, VAULT, resource
from unit.plans.keyworld import SIGNING_PEM
from unit.plans.simulator import Engine, ready
from unit.plans.world import NOW, World, stamp

PLACE = (NAMESPACE, "vault")
PUBLIC_KEYS = ObjectRef("v1", "ConfigMap", NAMESPACE, "kv-vault-public-keys")
SECRET = {"name": "given", "key": "key"}
PASSPHRASE = {"passphrase": {"secretRef": SECRET}}
IMPORT = {"import": {"secretRef": SECRET}}
DERIVE = {"derive": {"from": "data", "info": "exports"}}
OTHER_PEM = public_pem("ED25519", bytes(range(32))) or ""


def key(name: str, algorithm: str = "AES256_GCM", **fields: Any) -> dict[str, Any]:
    given = {field: value for field, value in fields.items() if value is not None}
    return {"name": name, "algorithm": algorithm, **given}


def vault_of(*keys: dict[str, Any], **fields: Any) -> tuple[World, Engine]:
    world = World()
    world.add(resource(VAULT, {"keys": list(keys), **fields}))
    return world, Engine(world)


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    return next((c for c in status["conditions"] if c["type"] == type_), {})


def refused(reason: OriginReason = "WeakPassphrase") -> OriginRefusal:
    return OriginRefusal(reason, "it is too weak: take another one")


@pytest.mark.parametrize("origin", [PASSPHRASE, IMPORT, DERIVE])
def test_a_key_that_everything_shares_is_named(origin: dict[str, Any]) -> None:
    _, engine = vault_of(key("data"), key("shared", origin=origin))
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("True", "KeysReady")
    shared = condition(status, "SharedKey")
    assert (shared["status"], shared["reason"]) == ("True", "FixedMaterial")
    assert "everything under shared has the same key" in shared["message"]
    assert "shredding one artefact does not help" in shared["message"]


@pytest.mark.parametrize("given", [key("data"), key("signing", "ED25519", origin=IMPORT)])
def test_keys_that_nothing_shares_are_not(given: dict[str, Any]) -> None:
    _, engine = vault_of(given)
    assert condition(engine.settle(VAULT), "SharedKey") == {}


def test_how_a_key_was_made_is_told() -> None:
    world, engine = vault_of(key("data"), key("archive", origin=PASSPHRASE))
    keys = {k["name"]: k for k in engine.settle(VAULT)["keys"]}
    assert keys["archive"]["derivation"] == '{"kdf":"ARGON2ID"}'
    assert "derivation" not in keys["data"]
    info = world.keysets[PLACE]
    (first,) = info.history["archive"]
    second = replace(first, version=2, derivation='{"kdf":"SCRYPT"}')
    world.keysets[PLACE] = replace(
        info,
        versions={**info.versions, "archive": ("AES256_GCM", 2, stamp(NOW))},
        history={
            **info.history,
            "archive": (replace(first, state="Enabled", drained=True), second),
        },
    )
    archive = next(k for k in engine.settle(VAULT)["keys"] if k["name"] == "archive")
    assert archive["derivation"] == '{"kdf":"SCRYPT"}'
    derivations = {v["version"]: v.get("derivation") for v in archive["versions"]}
    assert derivations == {2: None, 1: '{"kdf":"ARGON2ID"}'}


def test_secrets_are_said_to_be_not_needed_once() -> None:
    world = World()
    world.add(resource(VAULT, {"keys": [key("data"), key("archive", origin=PASSPHRASE)]}))
    first = Engine(world).reconcile(VAULT)
    again = Engine(world).reconcile(VAULT)
    assert first is not None
    assert again is not None
    assert [event.reason for event in first.events] == ["KeyTaken"]
    assert "Secret given, which is not needed any more" in first.events[0].message
    assert again.events == ()


def test_a_key_that_cannot_be_had_does_not_hold_up_the_others() -> None:
    world, engine = vault_of(key("data"), key("archive", origin=PASSPHRASE))
    world.refused_keys["archive"] = refused()
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status)[:2] == ("False", "WeakPassphrase")
    assert "key archive: it is too weak: take another one" in ready(plan.status)[2]
    assert [k["name"] for k in plan.status["keys"]] == ["data"]
    assert plan.status["keyCount"] == 1
    assert plan.requeue_after == 15
    assert plan.events == ()
    world.refused_keys.clear()
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("True", "KeysReady")
    assert status["keyCount"] == 2


@pytest.mark.parametrize(("name", "denied"), [("data", None), ("archive", "VaultNotReady")])
def test_workloads_use_the_keys_that_are_there(name: str, denied: str | None) -> None:
    world, engine = vault_of(key("data"), key("archive", origin=PASSPHRASE))
    world.refused_keys["archive"] = refused()
    engine.settle(VAULT)
    ref = KeyRef.model_validate({"vault": {"name": "vault"}, "key": name})
    use = KeyUse(ref, NAMESPACE, ["AES256_GCM"], "to seal", ("MaskingJob", "spec.output"))
    observed = Observed()
    observed.seen[use.vault_ref] = world.objects[VAULT]
    verdict = check_key(use, observed)
    assert (verdict.reason if isinstance(verdict, Denied) else verdict) == denied


def test_a_vault_of_which_no_key_can_be_had() -> None:
    world, engine = vault_of(key("archive", origin=PASSPHRASE))
    world.refused_keys["archive"] = refused("SecretMissing")
    status = engine.settle(VAULT)
    assert ready(status)[:2] == ("False", "SecretMissing")
    assert status["keyCount"] == 0
    assert "oldestKeyAt" not in status


def test_the_key_derivation_function_of_the_profile() -> None:
    for profile, kdf in (("Modern", None), ("Approved", "PBKDF2_SHA256")):
        world, engine = vault_of(key("archive", origin=PASSPHRASE), profile=profile)
        engine.settle(VAULT)
        (ensure,) = [action for action in world.done if isinstance(action, EnsureKeyset)]
        origin = ensure.keys[0].origin.passphrase
        assert origin is not None
        assert origin.kdf == kdf


@pytest.mark.parametrize(("before", "after"), [(None, IMPORT), (IMPORT, None)])
def test_an_adopted_keyset_with_another_origin(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    world, engine = vault_of(key("data", origin=before))
    vault_id = engine.settle(VAULT)["vaultId"]
    world.remove(VAULT)
    keys = [key("data", origin=after)]
    world.add(resource(VAULT, {"keys": keys}))
    world.annotate(VAULT, adopt=vault_id)
    assert ready(engine.settle(VAULT))[1] == "KeyOriginConflict"


def test_a_rotation_takes_the_secret_and_says_why_it_does_not() -> None:
    asked = {"renewedAfter": stamp(NOW)}
    world, engine = vault_of(key("archive", origin=IMPORT))
    engine.settle(VAULT)
    world.now = NOW.replace(hour=13)
    asked = {"renewedAfter": stamp(world.now)}
    world.change(VAULT, spec={"keys": [key("archive", origin=IMPORT, rotation=asked)]})
    unchanged = OriginRefusal("SecretUnchanged", "Secret given still holds it: put the new one")
    rotations: list[RotateVaultKey] = []

    def refuse(action: object) -> Outcome | None:
        if not isinstance(action, RotateVaultKey):
            return None
        rotations.append(action)
        return Outcome("Refused", unchanged.message, unchanged)

    world.refusals.append(refuse)
    plan = engine.reconcile(VAULT)
    assert plan is not None
    assert ready(plan.status)[:2] == ("True", "KeysReady")
    complete = condition(plan.status, "RotationComplete")
    assert (complete["status"], complete["reason"]) == ("False", "SecretUnchanged")
    assert "key archive got no new version: Secret given still holds it" in complete["message"]
    assert plan.requeue_after == 15
    assert rotations[0].origin.import_ is not None


def test_public_halves_are_published_and_follow_rotations() -> None:
    world, engine = vault_of(key("data"), key("signing", "ED25519"))
    status = engine.settle(VAULT)
    published = world.objects[PUBLIC_KEYS]
    assert published["metadata"]["ownerReferences"][0]["name"] == "vault"
    assert [child["name"] for child in status["children"]] == [PUBLIC_KEYS.name]
    assert published["data"].keys() == {"signing.pem", "signing.jwks.json"}
    assert published["data"]["signing.pem"] == SIGNING_PEM
    info = world.keysets[PLACE]
    (first,) = info.history["signing"]
    second = VersionInfo(2, "Primary", stamp(NOW), fixed=True, public_key=OTHER_PEM)
    enabled = replace(first, state="Enabled", drained=True)
    rotated = replace(
        info,
        versions={**info.versions, "signing": ("ED25519", 2, stamp(NOW))},
        history={**info.history, "signing": (enabled, second)},
    )
    world.keysets[PLACE] = rotated
    engine.settle(VAULT)
    data = world.objects[PUBLIC_KEYS]["data"]
    assert data["signing.pem"] == OTHER_PEM + SIGNING_PEM
    jwks = json.loads(data["signing.jwks.json"])["keys"]
    assert [jwk["kid"] for jwk in jwks] == [
        fingerprint(OTHER_PEM).hex(),
        fingerprint(SIGNING_PEM).hex(),
    ]
    disabled = replace(enabled, state="Disabled")
    world.keysets[PLACE] = replace(rotated, history={**info.history, "signing": (disabled, second)})
    engine.settle(VAULT)
    assert world.objects[PUBLIC_KEYS]["data"]["signing.pem"] == OTHER_PEM


def test_public_halves_that_were_changed_are_put_back() -> None:
    world, engine = vault_of(key("signing", "ED25519"))
    engine.settle(VAULT)
    world.change(PUBLIC_KEYS, data={"signing.pem": OTHER_PEM})
    engine.settle(VAULT)
    assert world.objects[PUBLIC_KEYS]["data"]["signing.pem"] == SIGNING_PEM


def test_without_pairs_no_config_map_is_looked_for() -> None:
    world, engine = vault_of(key("data"))
    engine.settle(VAULT)
    assert not any(isinstance(action, Apply) for action in world.done)
    assert PUBLIC_KEYS not in world.objects


def test_of_many_keys_that_cannot_be_had_the_first_are_told_in_full() -> None:
    names = [f"archive-{number}" for number in range(6)]
    world, engine = vault_of(key("data"), *(key(name, origin=PASSPHRASE) for name in names))
    world.refused_keys.update({name: refused() for name in names})
    message = ready(engine.settle(VAULT))[2]
    assert message.count("it is too weak") == 3
    assert "3 more, when these are mended: archive-3, archive-4, archive-5" in message
