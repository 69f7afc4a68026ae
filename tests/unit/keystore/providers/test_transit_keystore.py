"""Vaults on a real OpenBao: what it is asked, and that nothing is lost whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fakeapi.store import Answer, Place
from leeward.formats.provider import TransitLogin
from leeward.formats.wrapped import TransitWrapped, WrappedKeyset
from leeward.keystore.providers.transit.surroundings import Limits
from leeward.keystore.records import KEYSET_ROLE, keyset_name, read_document
from leeward.keystore.rootrotation import RootKeyRotation
from leeward.keystore.store import EmbeddedKeyStore
from leeward.plans.shared.faults import StaleWriteError
from leeward.plans.shared.model import (
    Manifest,
    NewKey,
    ProviderFault,
    RetireVersion,
    RewrapArtefactKeys,
    RotateVaultKey,
    TendResult,
)
from openbao.certificates import Authority
from openbao.proxy import Proxy
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    ENSURE,
    KEYS,
    OPERATOR,
    delivered,
    ensure,
)
from unit.keystore.providers.bao_world import BaoWorld
from unit.keystore.providers.transit_keystore import TEND, TransitKeyWorld, fault_of, look

PLACE = (CLINIC, "vault", "data")
SHORT = Limits(request=0.3, deadline=0.4, cool_down=0.0)
# Six attempts, each with more real time than a busy machine takes; pauses are of the test's clock.
CUT = Limits(request=60.0, deadline=1280.0, backoff=32.0, longest_backoff=512.0, cool_down=0.0)


@pytest.fixture
async def world(bao: BaoWorld) -> AsyncIterator[TransitKeyWorld]:
    made = TransitKeyWorld(bao)
    yield made
    await made.close()


def keyset(world: TransitKeyWorld) -> WrappedKeyset:
    return read_document(world.secret(keyset_name(CLINIC, "vault")), WrappedKeyset, KEYSET_ROLE)


def wrapped_by(world: TransitKeyWorld) -> set[int]:
    """Versions of the Transit key that wrap something."""
    versions = [version.wrapped for key in keyset(world).keys for version in key.history]
    wrapped = [version for version in versions if version is not None]
    assert all(isinstance(version, TransitWrapped) for version in wrapped)
    return {version.key_version for version in wrapped if isinstance(version, TransitWrapped)}


async def material(world: TransitKeyWorld, store: EmbeddedKeyStore) -> str:
    outcome = await store.perform(DELIVER)
    assert outcome.code == "Done", outcome
    found: str = delivered(world).keys[0].material.get_secret_value()
    world.api.remove("Secret", CLINIC, "lw-abc")
    return found


async def reason_of(store: EmbeddedKeyStore) -> str:
    """Why the keyset does not open in this process."""
    info = await look(store)
    assert not info.readable
    assert isinstance(info.fault, ProviderFault)
    assert info.fault.remedy
    return info.fault.reason


async def test_each_version_is_asked_for_once(world: TransitKeyWorld) -> None:
    store = await world.ready()
    assert (world.asked("wrap"), world.asked("unwrap")) == (len(KEYS), len(KEYS))
    for number in range(5):
        await store.perform(ensure("data", f"{number:032x}"))
        await look(store)
    assert (world.asked("wrap"), world.asked("unwrap")) == (len(KEYS), len(KEYS))
    again = world.store()
    await look(again)
    await look(again)
    assert world.asked("unwrap") == 2 * len(KEYS)


async def test_the_keyset_says_what_wraps_it_and_no_secret(world: TransitKeyWorld) -> None:
    store = await world.ready()
    assert keyset(world).transit == world.settings
    assert (await look(store)).transit == world.settings
    text = str(keyset(world).canonical())
    token = world.bao.world.values
    assert not any(value in text for value in token.values())


async def test_a_destroyed_version_does_not_cost_the_others(world: TransitKeyWorld) -> None:
    store = await world.ready()
    await store.perform(RotateVaultKey(*PLACE, 1))
    await store.perform(RewrapArtefactKeys(*PLACE, 2))
    for state in ("Disabled", "Destroyed"):
        await store.perform(RetireVersion(*PLACE, 1, state))
    before = world.asked("unwrap")
    assert (await look(store)).readable
    assert world.asked("unwrap") == before


# --- whose credentials and authorities ------------------------------------------------------------


@pytest.mark.parametrize("meant_for", ["", "clinic/other", "other/vault", "clinic/vault2"])
async def test_a_secret_that_is_meant_for_another_vault_is_not_used(
    world: TransitKeyWorld, meant_for: str
) -> None:
    world.put_token(world.bao.token(), meant_for)
    fault = await fault_of(world.store(), world.ensure)
    assert fault.reason == "ProviderLoginFailed"
    assert "leeward.dev/for: clinic/vault" in fault.remedy
    assert world.names("keyset-") == []


async def test_a_secret_may_be_meant_for_several_vaults(world: TransitKeyWorld) -> None:
    world.put_token(world.bao.token(), "clinic/other, clinic/vault")
    assert (await world.ready()).root_keys


async def test_an_expired_token_is_told_and_a_new_one_is_taken(world: TransitKeyWorld) -> None:
    await world.ready()
    token = world.bao.token(ttl="1s", explicit_max_ttl="1s")
    world.put_token(token)
    world.bao.wait_for_expiry(token)
    again = world.store()
    assert await reason_of(again) == "ProviderLoginFailed"
    world.put_token(world.bao.token())
    world.time.now += 61
    assert (await look(again)).readable


async def test_authorities_that_are_not_there_are_asked_for(world: TransitKeyWorld) -> None:
    world.api.remove("ConfigMap", CLINIC, "bao-ca")
    store = world.store()
    fault = await fault_of(store, world.ensure)
    assert fault.reason == "ProviderCertificate"
    assert "kubectl -n clinic create configmap bao-ca --from-file=ca.crt=FILE" in fault.remedy
    assert ("transit", "ProviderCertificate") in world.figures.failed
    world.put_authority(world.bao.server.ca_pem)
    assert (await store.perform(world.ensure)).result.readable


async def test_a_wrong_authority_is_told_and_corrected(world: TransitKeyWorld) -> None:
    world.put_authority(Authority("another").pem)
    store = world.store()
    assert (await fault_of(store, world.ensure)).reason == "ProviderCertificate"
    world.put_authority(world.bao.server.ca_pem)
    world.time.now += 61
    assert (await store.perform(world.ensure)).result.readable


async def test_a_server_that_nobody_allowed_is_not_talked_to(world: TransitKeyWorld) -> None:
    settings = world.settings.model_copy(update={"address": "https://evil.example"})
    fault = await fault_of(world.store(), replace(ENSURE, transit=settings))
    assert fault.reason == "ProviderNotAllowed"
    assert "transitAddresses" in fault.remedy
    assert world.asked("check") == world.asked("wrap") == 0


# --- the server is away ---------------------------------------------------------------------------


async def test_a_sealed_server_leaves_what_is_open_in_use(
    world: TransitKeyWorld, bao: BaoWorld
) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    before = await material(world, store)
    bao.server.seal()
    try:
        assert (await fault_of(store, TEND)).reason == "ProviderSealed"
        assert (await look(store)).readable
        await store.perform(ensure("data", "cc" * 16))
        assert await material(world, store) == before
        rotated = await store.perform(RotateVaultKey(*PLACE, 1))
        assert isinstance(rotated.result, ProviderFault)
        again = world.store()
        assert await reason_of(again) == "ProviderSealed"
        outcome = await again.perform(ensure("data", "dd" * 16))
        assert isinstance(outcome.result, ProviderFault)
    finally:
        bao.server.unseal()
    assert (await look(again)).readable
    assert await material(world, again) == before
    assert (await again.perform(RotateVaultKey(*PLACE, 1))).code == "Done"


async def test_a_policy_that_lacks_something_is_told(world: TransitKeyWorld, bao: BaoWorld) -> None:
    store = await world.ready()
    bao.allow(f'path "{bao.mount}/keys/leeward" {{ capabilities = ["read"] }}')
    again = world.store()
    assert await reason_of(again) == "ProviderForbidden"
    more = replace(world.ensure, keys=(*KEYS, NewKey("more", "AES256_GCM")))
    fault = await fault_of(store, more)
    assert fault.reason == "ProviderForbidden"
    assert f'path "{bao.mount}/encrypt/leeward" {{ capabilities = ["update"] }}' in fault.remedy
    assert [key.name for key in keyset(world).keys] == [key.name for key in KEYS]


async def test_a_key_that_is_gone_is_told(world: TransitKeyWorld, bao: BaoWorld) -> None:
    store = await world.ready()
    bao.configure(deletion_allowed=True)
    bao.server.call("DELETE", f"{bao.mount}/keys/leeward")
    assert await reason_of(world.store()) == "ProviderKeyMissing"
    assert (await fault_of(store, TEND)).reason == "ProviderKeyMissing"
    assert (await look(store)).readable


@pytest.mark.parametrize("connections", range(1, 12))
async def test_a_network_cut_at_any_point_of_a_rotation_loses_nothing(
    bao: BaoWorld, connections: int
) -> None:
    """Answers are cut one after the other; between two of them it goes on by what is stored."""
    async with Proxy(bao.server.port) as proxy:
        world = TransitKeyWorld(bao, proxy.address, CUT)
        try:
            store = await world.ready()
            for number in range(3):
                await store.perform(ensure("data", f"{number + 1:032x}"))
            first = ensure("data")
            await store.perform(first)
            before = await material(world, store)
            process = world.store()
            proxy.cuts = connections
            for _ in range(60):
                if not proxy.cuts:
                    process = world.store()
                outcome = await process.perform(RotateVaultKey(*PLACE, 1))
                if outcome.code == "Done":
                    break
                assert isinstance(outcome.result, ProviderFault)
                assert outcome.result.reason == "ProviderUnreachable"
            moved = await process.perform(RewrapArtefactKeys(*PLACE, 2))
            assert moved.code == "Done"
            assert (moved.result.left, moved.result.stuck) == (0, ())
            again = world.store()
            assert await material(world, again) == before
            assert [v.version for v in (await look(again)).history["data"]] == [1, 2]
        finally:
            await world.close()


@pytest.mark.parametrize("cuts", range(1, 6))
async def test_artefact_keys_are_moved_on_after_a_cut(bao: BaoWorld, cuts: int) -> None:
    """By a process that has no vault key open yet, so that it asks in the middle of the work."""
    async with Proxy(bao.server.port) as proxy:
        world = TransitKeyWorld(bao, proxy.address, CUT)
        try:
            store = await world.ready()
            for number in range(20):
                await store.perform(ensure("data", f"{number + 1:032x}"))
            await store.perform(ensure("data"))
            before = await material(world, store)
            await store.perform(RotateVaultKey(*PLACE, 1))
            again = world.store()
            proxy.cuts = cuts
            outcome = await again.perform(RewrapArtefactKeys(*PLACE, 2))
            while outcome.code != "Done":
                assert isinstance(outcome.result, ProviderFault)
                assert outcome.result.reason == "ProviderUnreachable"
                outcome = await again.perform(RewrapArtefactKeys(*PLACE, 2))
            assert (outcome.result.left, outcome.result.stuck) == (0, ())
            assert await material(world, world.store()) == before
        finally:
            await world.close()


async def test_a_server_that_does_not_answer_holds_nobody_up_for_long(bao: BaoWorld) -> None:
    async with Proxy(bao.server.port) as proxy:
        world = TransitKeyWorld(bao, proxy.address)
        try:
            await world.ready()
            proxy.held.clear()
            world.limits = SHORT
            async with asyncio.timeout(20):
                assert await reason_of(world.store()) == "ProviderUnreachable"
            world.limits = CUT
            proxy.held.set()
            assert (await look(world.store())).readable
        finally:
            await world.close()


# --- a newer version of the Transit key -----------------------------------------------------------


async def test_keys_are_wrapped_by_a_newer_version_of_the_transit_key(
    world: TransitKeyWorld, bao: BaoWorld
) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    before = await material(world, store)
    assert isinstance((await store.perform(TEND)).result, TendResult)
    assert wrapped_by(world) == {1}
    bao.rotate()
    world.time.now += 61
    done = (await store.perform(TEND)).result
    assert (done.left, done.warnings, done.info.readable) == (0, (), True)
    assert wrapped_by(world) == {2}
    bao.configure(min_decryption_version=2)
    again = world.store()
    assert await material(world, again) == before
    puts = [call for call in world.api.calls if call[0] == "PUT"]
    await again.perform(TEND)
    assert [call for call in world.api.calls if call[0] == "PUT"] == puts


async def test_rewrapping_that_breaks_off_changes_nothing_and_is_done_again(bao: BaoWorld) -> None:
    async with Proxy(bao.server.port) as proxy:
        world = TransitKeyWorld(bao, proxy.address, CUT)
        try:
            store = await world.ready()
            good = keyset(world)
            bao.rotate()
            world.time.now += 61
            proxy.cuts = 1000
            assert (await fault_of(store, TEND)).reason == "ProviderUnreachable"
            assert keyset(world) == good
            proxy.cuts = 0
            await store.perform(TEND)
            assert wrapped_by(world) == {2}
            assert (await look(world.store())).readable
        finally:
            await world.close()


async def test_of_two_that_rewrap_at_once_the_later_one_is_refused(
    world: TransitKeyWorld, bao: BaoWorld
) -> None:
    store = await world.ready()
    bao.rotate()
    world.time.now += 61

    def touch(method: str, body: Manifest | None, place: Place) -> Answer | None:
        if method == "PUT":
            world.api.refusals.clear()
            secret = world.secret(keyset_name(CLINIC, "vault"))
            secret["metadata"]["labels"]["touched"] = "yes"
            world.api.edit(secret)
        return None

    world.api.refusals.append(touch)
    with pytest.raises(StaleWriteError):
        await store.perform(TEND)
    assert (await look(world.store())).readable


# --- which key ------------------------------------------------------------------------------------


async def test_settings_that_change_are_recorded_with_the_keyset(world: TransitKeyWorld) -> None:
    store = await world.ready()
    role = TransitLogin(method="kubernetes", mount="kubernetes", role="other")
    changed = world.settings.model_copy(update={"login": role})
    outcome = await store.perform(replace(world.ensure, transit=changed))
    assert outcome.result.transit == changed
    assert keyset(world).transit == changed
    assert await reason_of(world.store()) == "ProviderLoginFailed"


async def test_a_keyset_is_not_taken_over_with_another_key(world: TransitKeyWorld) -> None:
    store = await world.ready()
    await store.ensure_root_key()
    settings = world.settings.model_copy(update={"key": "other"})
    for transit in (None, settings):
        asked = replace(world.ensure, uid="uid-9", adopt="aa" * 16, transit=transit)
        fault = await fault_of(store, asked)
        assert fault.reason == "ProviderKeyReplaced"
        assert f"{world.bao.mount}/keys/leeward" in str(fault)
    assert keyset(world).owner_uid == "uid-1"


async def test_vaults_on_transit_do_not_hang_on_the_root_key(world: TransitKeyWorld) -> None:
    store = await world.ready()
    await store.perform(ensure("data"))
    assert await world.store().ensure_root_key() == "Made"
    before = keyset(world)
    secret = world.secret("leeward-root-key")
    secret["metadata"]["annotations"] = {"leeward.dev/rotate": "now"}
    world.api.edit(secret)
    rotation = RootKeyRotation(
        world.client(),
        OPERATOR,
        store.root_keys,
        random=world.random,
        monotonic=lambda: world.time.now,
        created_at=lambda: "2027-03-01T12:00:00Z",
    )
    progress = await rotation.step()
    assert (progress.moved, progress.left, progress.stuck) == (0, 0, ())
    assert keyset(world) == before
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    assert (await look(world.store())).readable


async def test_the_root_key_is_missed_where_something_hangs_on_it(world: TransitKeyWorld) -> None:
    store = await world.ready()
    await store.ensure_root_key()
    other = replace(ENSURE, vault="other", uid="uid-8", vault_id="bb" * 16)
    assert (await store.perform(other)).result.readable
    world.api.remove("Secret", OPERATOR, "leeward-root-key")
    assert await world.store().ensure_root_key() == "Lost"
