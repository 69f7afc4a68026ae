"""Rotation of the root key: what moves, what stays, and when the old key goes."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from fakeapi.store import Answer, Place, refusal
from leeward.keystore.rootrotation import UNUSED, RotationProgress
from leeward.plans.shared.faults import FaultError, StaleWriteError
from leeward.plans.shared.model import EnsureKeyset, Manifest
from unit.keystore.keystore_world import (
    CLINIC,
    DELIVER,
    KEYS,
    OPERATOR,
    delivered,
    document,
    encoded,
    ensure,
)
from unit.keystore.rotating_world import ROOT, Rotating


@pytest.fixture
def world() -> Rotating:
    return Rotating()


async def test_every_keyset_moves_and_then_the_old_key_goes(world: Rotating) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a", "b", "c")
    old = world.keyring.current
    assert await rotation.step() == RotationProgress(under_way=False)
    world.request()
    assert await rotation.step() == RotationProgress(under_way=True, moved=3)
    new = world.keyring.current
    assert new != old
    assert [key.id for key in world.keyring.given_up] == [old]
    assert world.wrapped_by() == {new}
    assert await world.unreadable(store, "a", "b", "c") == []
    await world.finish(rotation)
    assert [key.id for key in world.keyring.keys] == [new]
    fresh, _ = world.process()
    assert await world.unreadable(fresh, "a", "b", "c") == []
    assert await rotation.step() == RotationProgress(under_way=False)
    assert world.keyring.current == new


async def test_artefact_keys_stay_as_they_are_and_are_delivered_during_and_after(
    world: Rotating,
) -> None:
    store, rotation = world.process()
    await world.vaults(store, "vault")
    await store.perform(ensure("data"))
    before = world.secret(world.names("artefact-")[0])
    await store.perform(DELIVER)
    material = delivered(world).keys[0].material
    world.request()
    await rotation.step()
    for name in ("lw-during", "lw-after"):
        outcome = await store.perform(dataclasses.replace(DELIVER, name=name))
        assert outcome.code == "Done"
        assert delivered(world, name).keys[0].material == material
        await world.finish(rotation)
    assert world.secret(world.names("artefact-")[0]) == before


async def test_an_old_key_is_kept_for_a_while_for_whoever_has_just_read_it(
    world: Rotating,
) -> None:
    store, rotation = world.process()
    late, _ = world.process()
    await world.vaults(store, "a")
    await world.vaults(late)
    await late.root_keys.current()
    world.request()
    await rotation.step()
    old = world.keyring.given_up[0].id
    world.seconds += UNUSED
    await rotation.step()
    await late.perform(EnsureKeyset(CLINIC, "late", "uid-9", "dd" * 16, KEYS))
    assert old in world.wrapped_by()
    world.seconds += UNUSED - 1
    await rotation.step()
    assert world.wrapped_by() == {world.keyring.current}
    assert world.keyring.given_up
    await world.finish(rotation)
    assert not world.keyring.given_up
    assert await world.unreadable(world.store(), "a", "late") == []


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_jumps_changes_nothing(world: Rotating, hours: int) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a", "b")
    world.request()
    await rotation.step()
    world.now += datetime.timedelta(hours=hours)
    await rotation.step()
    assert world.keyring.given_up, "the time of day says nothing of how long a key was unused"
    assert await world.unreadable(store, "a", "b") == []
    await world.finish(rotation)
    assert not world.keyring.given_up
    assert await world.unreadable(store, "a", "b") == []


async def test_after_the_clock_was_put_back_the_secret_is_looked_at_again(world: Rotating) -> None:
    store, _ = world.process()
    await world.vaults(store, "a")
    world.api.remove("Secret", OPERATOR, ROOT)
    world.now -= datetime.timedelta(hours=1)
    await store.perform(EnsureKeyset(CLINIC, "b", "uid-9", "dd" * 16, KEYS))
    assert world.names(ROOT) == [ROOT]


async def test_one_request_is_one_rotation_and_another_value_is_another_one(
    world: Rotating,
) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a")
    world.request()
    await world.finish(rotation)
    first = world.keyring.current
    _, restarted = world.process()
    await world.finish(restarted)
    assert world.keyring.current == first
    world.request("again")
    await world.finish(restarted)
    assert world.keyring.current != first


async def test_a_request_during_a_rotation_waits_for_its_end(world: Rotating) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a")
    world.request()
    await rotation.step()
    first = world.keyring.current
    world.request("again")
    await rotation.step()
    assert world.keyring.current == first
    await world.finish(rotation)
    await world.finish(rotation)
    assert world.keyring.current != first
    assert len(world.keyring.keys) == 1


def _cut(_: Manifest) -> Manifest:
    return {"keyset.json": "eyJmb3Jt"}


def _flipped(data: Manifest) -> Manifest:
    keyset = document({"data": data}, "keyset.json")
    wrapped = keyset["keys"][0]["history"][0]["wrapped"]
    wrapped["nonce"] = "AAAA" + wrapped["nonce"][4:]
    return {"keyset.json": encoded(keyset)}


@pytest.mark.parametrize("damage", [_cut, _flipped])
async def test_a_damaged_keyset_is_named_and_the_old_key_is_kept_for_it(
    world: Rotating, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a", "b")
    (bad, good) = world.names("keyset-")
    whole = world.secret(bad)["data"]
    world.overwrite(world.secret(bad), damage(whole))
    world.request()
    assert await rotation.step() == RotationProgress(under_way=True, moved=1, stuck=(bad,))
    assert bad in str([vars(record) for record in caplog.records])
    await world.finish(rotation)
    await world.finish(rotation)
    assert world.keyring.given_up
    world.overwrite(world.secret(bad), whole)
    await world.finish(rotation)
    assert not world.keyring.given_up
    assert await world.unreadable(store, "a", "b") == []
    assert good != bad


async def test_a_keyset_that_is_refused_keeps_the_others_from_nothing(world: Rotating) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a", "b", "c")
    names = world.names("keyset-")

    def refuse(method: str, _: Manifest | None, place: Place) -> Answer | None:
        wrong = method == "PUT" and place.name == names[0]
        return refusal(422, "Invalid", "an admission policy says no") if wrong else None

    world.api.refusals.append(refuse)
    world.request()
    progress = await rotation.step()
    assert (progress.moved, progress.stuck) == (2, (names[0],))


async def test_a_keyset_of_a_root_key_that_is_not_here_is_left_alone(world: Rotating) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a", "b")
    (stranger, _) = world.names("keyset-")
    keyset = {**document(world.secret(stranger), "keyset.json"), "rootKeyId": "ee" * 16}
    world.overwrite(world.secret(stranger), {"keyset.json": encoded(keyset)})
    before = world.secret(stranger)
    world.request()
    await world.finish(rotation)
    assert world.secret(stranger) == before
    assert not world.keyring.given_up


async def test_a_lost_or_damaged_root_key_is_not_rotated(world: Rotating) -> None:
    store, _ = world.process()
    await world.vaults(store, "a")
    world.request()
    world.overwrite(world.secret(ROOT), {"root-key.json": "AAAA"})
    _, rotation = world.process()
    assert await rotation.step() == RotationProgress(under_way=False)
    assert world.secret(ROOT)["data"] == {"root-key.json": "AAAA"}
    world.api.remove("Secret", OPERATOR, ROOT)
    assert await rotation.step() == RotationProgress(under_way=False)
    assert world.names(ROOT) == []


async def test_a_root_key_that_was_put_in_the_place_of_ours_is_rotated_and_ours_is_not_lost(
    world: Rotating,
) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a")
    ours = world.secret(ROOT)
    stranger = Rotating()
    for _ in range(1000):
        stranger.random(1)  # else it draws what ours draws
    await stranger.store().ensure_root_key()
    world.overwrite(ours, stranger.secret(ROOT)["data"])
    world.request()
    await world.finish(rotation)
    assert await world.unreadable(store, "a") == ["a"]
    world.api.remove("Secret", OPERATOR, ROOT)
    world.now += datetime.timedelta(seconds=61)
    assert await world.unreadable(store, "a") == []
    assert world.keyring.current == world.wrapped_by().pop()


async def test_two_leaders_at_once_make_one_new_key(world: Rotating) -> None:
    store, first = world.process()
    _, second = world.process()
    await world.vaults(store, "a", "b")
    old = world.keyring.current
    world.request()
    busy = False

    def other_first(method: str, _: Manifest | None, place: Place) -> Answer | None:
        """The other leader does its whole round before this request arrives."""
        nonlocal busy
        if busy or method != "PUT":
            return None
        busy = True
        drive(second.step())
        return None

    world.api.refusals.append(other_first)
    with pytest.raises(StaleWriteError):
        await first.step()
    new = world.keyring.current
    assert {key.id for key in world.keyring.keys} == {old, new}
    await world.finish(first)
    await world.finish(second)
    assert [key.id for key in world.keyring.keys] == [new]
    assert await world.unreadable(world.store(), "a", "b") == []


def drive(work: Any) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        work.send(None)


async def test_a_rotation_whose_request_meets_a_fault_goes_on(world: Rotating) -> None:
    store, rotation = world.process()
    await world.vaults(store, "a")
    world.request()
    broken = [refusal(500, "InternalError", "not now")] * 3

    def refuse(method: str, _: Manifest | None, place: Place) -> Answer | None:
        return broken.pop() if broken and method == "PUT" else None

    world.api.refusals.append(refuse)
    for _ in range(3):
        with pytest.raises(FaultError):
            await rotation.step()
    await world.finish(rotation)
    assert len(world.keyring.keys) == 1
