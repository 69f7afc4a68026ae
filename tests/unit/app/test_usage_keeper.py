"""The loop that counts artefact keys: when it counts, and which vaults are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fakeapi import virtualtime
from leeward.app.usage import LOOK, RECOUNT, UsageKeeper
from leeward.keystore.usage import UsageBook
from leeward.plans.shared.faults import TransientError
from leeward.plans.shared.model import KeyUsage, KeyUsageOf, Manifest

NEED = KeyUsageOf("ns", "vault", "aa" * 16)


def secret(number: int, version: int = 1) -> Manifest:
    return {
        "metadata": {
            "name": f"artefact-{number:032x}",
            "namespace": "leeward-system",
            "labels": {
                "leeward.dev/role": "artefact-key",
                "leeward.dev/wrapped": "true",
                "leeward.dev/vault-id": NEED.vault_id,
                "leeward.dev/vault-key": "data",
                "leeward.dev/vault-key-version": str(version),
                "leeward.dev/namespace": "ns",
            },
            "annotations": {"leeward.dev/owner": "Dataset/people/uid-1"},
        }
    }


class Bench:
    """A book, an API server that may be away, and what was woken when."""

    def __init__(self, failures: int = 0) -> None:
        self.book = UsageBook()
        self.there = [secret(1)]
        self.counted: list[float] = []
        self.woken: list[tuple[float, str]] = []
        self._failures = failures

    def keeper(self) -> UsageKeeper:
        return UsageKeeper(self.book, self.count, self.wake)

    async def count(self) -> None:
        self.counted.append(asyncio.get_running_loop().time())
        if self._failures:
            self._failures -= 1
            raise TransientError("not now")
        await self.book.load(self.pages)

    async def pages(self) -> AsyncIterator[list[Manifest]]:
        yield self.there

    def wake(self, namespace: str, name: str) -> None:
        self.woken.append((asyncio.get_running_loop().time(), f"{namespace}/{name}"))
        self.look()

    def look(self) -> KeyUsage | None:
        return self.book.usage(NEED)

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.keeper().run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait({task})


def test_all_is_counted_at_the_start_and_every_ten_minutes() -> None:
    bench = Bench()

    async def main() -> None:
        assert bench.look() is None
        await bench.run(RECOUNT + LOOK)

    virtualtime.run(main())
    assert len(bench.counted) == 2
    assert [who for _, who in bench.woken] == ["ns/vault"]


def test_a_vault_is_looked_at_once_for_all_that_changed_in_a_few_seconds() -> None:
    bench = Bench()

    async def main() -> None:
        bench.look()
        running = asyncio.create_task(bench.run(60))
        await asyncio.sleep(1)
        for number in range(2, 50):
            bench.book.saw(secret(number))
        await running

    virtualtime.run(main())
    assert len(bench.woken) == 2
    found = bench.look()
    assert found is not None
    assert found.of("data", 1).artefact_keys == 49


def test_what_cannot_be_counted_now_is_counted_later_and_nothing_is_told_before() -> None:
    bench = Bench(failures=2)

    async def main() -> None:
        bench.look()
        await bench.run(20)
        assert bench.look() is None
        assert bench.woken == []
        await bench.run(70)
        assert bench.look() is not None

    virtualtime.run(main())
    assert len(bench.counted) == 3
