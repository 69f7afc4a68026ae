"""The operator meets a fault at every call of a rotation of the root key, and nothing is lost.

A process that is killed is followed by one that knows nothing. At the end there is one root key,
another one than before, and every vault key that there was opens under it to the same bytes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chaos.trying import tried
from fakeapi import virtualtime
from fakeapi.replica import SYSTEM, Journal
from fakeapi.store import FakeApi
from fakeapi.transport import DirectTransport, Fault, FaultPlan
from leeward.app.rootrotation import RootKeyRotator
from leeward.engine.ratelimit import TokenBucket
from leeward.formats.rootkey import RootKeyring
from leeward.formats.wrapped import KEY_SIZE, Wrapped, WrappedKeyset, unwrap
from leeward.keystore.records import KEYSET_ROLE, ROOT_ROLE, ROOT_SECRET, read_document
from leeward.keystore.rootkey import ROTATE_ANNOTATION
from leeward.keystore.rootrotation import RootKeyRotation
from leeward.keystore.store import EmbeddedKeyStore
from leeward.kube.client import KubeClient
from leeward.plans.shared.model import EnsureKeyset, NewKey

KEYS = (NewKey("data", "AES256_GCM"), NewKey("tokens", "AES256_SIV"))
VAULTS = ("a", "b", "c")
PATIENCE = 3 * 3600.0
Keys = dict[tuple[str, str], bytes]


def draws(start: int) -> Callable[[int], bytes]:
    """Never the same twice, also of two processes that start at different numbers."""
    numbers = itertools.count(start)
    return lambda size: next(numbers).to_bytes(max(size, 16), "big")[-size:]


class Process:
    """One process of the operator, as far as the root key goes."""

    def __init__(self, api: FakeApi, plan: FaultPlan, number: int) -> None:
        self.transport = DirectTransport(api, plan)
        client = KubeClient(self.transport, TokenBucket(1000, 1000), Journal())
        random = draws(number << 64)
        self.store = EmbeddedKeyStore(client, SYSTEM, random, virtualtime.now)
        rotation = RootKeyRotation(
            client,
            SYSTEM,
            self.store.root_keys,
            random=random,
            monotonic=virtualtime.elapsed,
            created_at=virtualtime.stamp,
        )
        self.rotator = RootKeyRotator(rotation.step)

    async def run(self) -> None:
        """Lead, until killed or cancelled."""
        work = asyncio.create_task(self.rotator.run())
        killed = asyncio.create_task(self.transport.killed.wait())
        try:
            await asyncio.wait((work, killed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, killed):
                task.cancel()
            await asyncio.wait((work, killed))

    async def add_vault(self, name: str, number: int) -> None:
        """Somebody creates a KeyVault."""
        await self.store.perform(EnsureKeyset("clinic", name, name, f"{number:032x}", KEYS))


@dataclass
class Rotation:
    """A rotation, from the request to its end.

    Attributes:
        faults: At which calls what happens.
        leaders: Processes that take themselves for the leader.
    """

    faults: dict[int, Fault] = field(default_factory=dict)
    leaders: int = 1
    plan: FaultPlan = field(default_factory=FaultPlan)
    processes: int = 0
    before: Keys = field(default_factory=dict)
    after: Keys = field(default_factory=dict)
    old: str = ""
    keyring: RootKeyring | None = None

    def play(self) -> Rotation:
        """Play it to its end, and for a while after that."""
        virtualtime.run(self._play())
        return self

    async def _play(self) -> None:
        api = FakeApi(virtualtime.stamp)
        first = Process(api, FaultPlan(), 1000)
        await first.store.ensure_root_key()
        for number, name in enumerate(VAULTS):
            await first.add_vault(name, number)
        self.before, self.old = opened(api), keyring_of(api).current
        request(api)
        self.plan = FaultPlan(self.faults)
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(self._keep(api)) for _ in range(self.leaders)]
            await until_rotated(api, self.old)
            await asyncio.sleep(600)
            for keeper in keepers:
                keeper.cancel()
        self.after, self.keyring = opened(api), keyring_of(api)

    async def _keep(self, api: FakeApi) -> None:
        while True:
            self.processes += 1
            await Process(api, self.plan, self.processes).run()
            await asyncio.sleep(1)

    def wrong(self) -> list[str]:
        """What is not as it should be."""
        assert self.keyring is not None
        found = [f"lost: {place}" for place in self.before.keys() - self.after.keys()]
        found += [f"changed: {p}" for p, key in self.after.items() if self.before[p] != key]
        if self.keyring.current == self.old or len(self.keyring.keys) != 1:
            found.append(f"{len(self.keyring.keys)} root keys")
        return found


def keyring_of(api: FakeApi) -> RootKeyring:
    secret = api.one("Secret", SYSTEM, ROOT_SECRET)
    assert secret is not None
    return read_document(secret, RootKeyring, ROOT_ROLE)


async def until_rotated(api: FakeApi, old: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            keyring = keyring_of(api)
            if keyring.current != old and not keyring.given_up:
                return
            await asyncio.sleep(1)


def request(api: FakeApi) -> None:
    secret = api.one("Secret", SYSTEM, ROOT_SECRET)
    assert secret is not None
    secret["metadata"]["annotations"] = {ROTATE_ANNOTATION: "2026-01-01T00:00:00Z"}
    api.edit(secret)


def opened(api: FakeApi) -> Keys:
    """Every vault key that opens under a root key that is there."""
    keyring, keys = keyring_of(api), {}
    for secret in api.find("Secret", SYSTEM):
        if secret["metadata"]["name"].startswith("keyset-"):
            keyset = read_document(secret, WrappedKeyset, KEYSET_ROLE)
            root = keyring.key(keyset.root_key_id)
            for key in keyset.keys if root else ():
                assert root is not None
                aad = keyset.aad(key.name, key.algorithm, 1)
                wrapped = key.version(1).wrapped
                assert isinstance(wrapped, Wrapped)
                keys[keyset.vault, key.name] = unwrap(root.raw(), wrapped, aad, KEY_SIZE)
    return keys


def test_an_undisturbed_rotation_writes_each_secret_once_and_the_root_key_twice() -> None:
    rotation = Rotation().play()
    assert not rotation.wrong()
    assert len(rotation.after) == len(VAULTS) * len(KEYS)
    writes = [call for call in rotation.plan.calls if not call.startswith("GET")]
    assert len(writes) == len(VAULTS) + 2


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
def test_a_fault_at_any_call_loses_nothing(fault: Fault) -> None:
    calls = Rotation().play().plan.calls
    last = max(index for index, call in enumerate(calls) if call.startswith("PUT"))
    wrong = []
    for index in tried(calls[: last + 3], fault):
        rotation = Rotation({index: fault}).play()
        wrong += [f"call {index} ({calls[index]}): {what}" for what in rotation.wrong()]
        if fault in (Fault.KILL_BEFORE, Fault.KILL_AFTER) and rotation.processes != 2:
            wrong.append(f"call {index} ({calls[index]}): {rotation.processes} processes")
    assert not wrong, "\n".join(wrong[:20])


def test_two_leaders_at_once_make_one_new_root_key() -> None:
    rotation = Rotation(leaders=2).play()
    assert not rotation.wrong()


@pytest.mark.parametrize("fault", [Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.UNANSWERED])
@pytest.mark.parametrize("every", [2, 3, 5, 7])
def test_two_leaders_of_which_one_or_the_other_fails_again_and_again(
    fault: Fault, every: int
) -> None:
    rotation = Rotation({index: fault for index in range(every, 60, every)}, leaders=2).play()
    assert not rotation.wrong()


def test_vaults_that_are_made_during_a_rotation_by_one_who_knows_the_old_key_are_moved() -> None:
    async def main() -> tuple[FakeApi, str]:
        api = FakeApi(virtualtime.stamp)
        leader, former = Process(api, FaultPlan(), 1), Process(api, FaultPlan(), 2)
        await leader.store.ensure_root_key()
        await leader.add_vault("first", 0)
        old = keyring_of(api).current
        request(api)
        running = asyncio.create_task(leader.run())
        for number in range(1, 30):
            await former.add_vault(f"late-{number}", number)
            await asyncio.sleep(3)
        await until_rotated(api, old)
        running.cancel()
        await asyncio.wait({running})
        return api, old

    api, old = virtualtime.run(main())
    assert keyring_of(api).current != old
    assert len(opened(api)) == 30 * len(KEYS)
