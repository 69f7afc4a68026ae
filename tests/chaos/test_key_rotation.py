"""A vault key is rotated, retired and destroyed although the operator meets a fault at every call.

However often it is killed, and however many lead at once: there is one new version, every artefact
key is moved to it, and only then is the old one destroyed.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import pytest

from chaos.course import CLAIM, JOB, NAMESPACE, PLAIN, VAULT, Course, End, play, ready, resource
from chaos.test_crash_points import differences
from chaos.trying import tried
from fakeapi import virtualtime
from fakeapi.replica import Replica
from fakeapi.store import FakeApi, Manifest
from fakeapi.transport import Fault, FaultPlan
from fakeapi.world import World
from leeward.keystore.records import VAULT_KEY_LABEL, VERSION_LABEL
from leeward.plans.shared.model import RotateVaultKey

ROTATION = {"renewedAfter": "2026-01-01T00:18:40Z", "retireAfter": "150s", "destroyAfter": "3m"}
"""After the job has published: virtual time begins at 00:16:40."""
FAULTS = [Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.CONFLICT, Fault.UNANSWERED]
DERIVED = {
    "name": "exports",
    "algorithm": "ED25519",
    "origin": {"derive": {"from": "data", "info": "exports"}},
    "rotation": ROTATION,
}


def rotated(key: Manifest) -> Manifest:
    return {**key, "rotation": ROTATION} if key["name"] == "data" else key


ROTATED: Manifest = {
    **VAULT,
    "spec": {"keys": [*map(rotated, VAULT["spec"]["keys"]), DERIVED]},
}


def versions(api: FakeApi, key: str) -> dict[int, str]:
    status = (api.one("KeyVault", NAMESPACE, "vault") or {}).get("status", {})
    states: list[Any] = [state for state in status.get("keys", ()) if state["name"] == key]
    return {v["version"]: v["state"] for state in states for v in state["versions"]}


def wrapping(api: FakeApi) -> set[str]:
    """Versions of the key that wrap an artefact key."""
    labels = [secret["metadata"].get("labels", {}) for secret in api.find("Secret")]
    return {each[VERSION_LABEL] for each in labels if each.get(VAULT_KEY_LABEL) == "data"}


def over(api: FakeApi) -> bool:
    moved = all(versions(api, key) == {1: "Destroyed", 2: "Primary"} for key in ("data", "exports"))
    if not moved or not ready(api, "MaskingJob", "mask", "Published"):
        return False
    assert wrapping(api) == {"2"}
    return True


COURSE = Course("rotation", (ROTATED, CLAIM, PLAIN, JOB), over)


@cache
def undisturbed() -> tuple[End, tuple[str, ...], int]:
    plan = FaultPlan()
    end = play(COURSE, plan)
    puts = [n for n, call in enumerate(plan.calls) if call.startswith("PUT ") and "keyset-" in call]
    return end, tuple(plan.calls), puts[0]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_a_fault_at_any_call_rotates_once_and_loses_nothing(fault: Fault) -> None:
    expected, calls, begin = undisturbed()
    wrong = []
    for index in tried(calls, fault, begin - 2):
        end = play(COURSE, FaultPlan({index: fault}))
        wrong += [f"call {index} ({calls[index]}): {what}" for what in differences(end, expected)]
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize(
    "kind",
    [
        {"algorithm": "AES256_GCM"},
        {"algorithm": "ED25519", "authority": {"trustDomain": "clinic.example"}},
    ],
)
def test_many_versions_that_are_due_at_once_are_destroyed_step_by_step(kind: Manifest) -> None:
    """As after a long time without an operator, or where destroyAfter is set for the first time."""
    key = {"name": "data", **kind}
    spec = {"keys": [{**key, "rotation": {"retireAfter": "1s", "destroyAfter": "2s"}}]}

    async def main() -> None:
        world = World(FakeApi(virtualtime.stamp))
        world.api.add(resource("KeyVault", "vault", {"keys": [key]}))
        replica = Replica(world, FaultPlan())
        process = asyncio.create_task(replica.run())
        await asyncio.sleep(60)
        for primary in range(1, 40):
            rotate = RotateVaultKey(NAMESPACE, "vault", "data", primary)
            assert (await replica.keys.perform(rotate)).code == "Done"
        vault = world.api.one("KeyVault", NAMESPACE, "vault")
        assert vault is not None
        world.api.edit({**vault, "spec": spec})
        await asyncio.sleep(60)
        states = versions(world.api, "data")
        assert {state for state in states.values() if state != "Destroyed"} == {"Primary"}
        assert {outcome for _, outcome in replica.journal.reconciles} == {"ok"}
        process.cancel()
        await asyncio.wait({process})

    virtualtime.run(main())


def test_two_leaders_at_once_rotate_once() -> None:
    expected, _, _ = undisturbed()
    assert not differences(play(COURSE, FaultPlan(), replicas=2), expected)


def test_two_leaders_of_which_one_is_killed_again_and_again() -> None:
    expected, calls, begin = undisturbed()
    plan = FaultPlan({index: Fault.KILL_AFTER for index in range(begin, 2 * len(calls), 5)})
    assert not differences(play(COURSE, plan, replicas=2), expected)
