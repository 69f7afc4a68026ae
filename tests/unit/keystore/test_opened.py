"""Vault keys in memory: opened once, by what is stored, and not too many."""

from __future__ import annotations

import asyncio

import pytest

from leeward.keystore.opened import OpenedKeys, Slot


class Server:
    """Opens keys when it is let."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = 0

    async def open(self, key: bytes) -> bytes:
        self.asked.append(key)
        await self.answers.wait()
        if self.fails:
            self.fails -= 1
            raise ConnectionError
        return key


def slot(number: int) -> Slot:
    return ("aa" * 16, "data", number)


async def test_of_many_at_once_one_asks() -> None:
    opened, server = OpenedKeys(), Server()
    server.answers.clear()
    waiting = [
        asyncio.create_task(opened.get(slot(1), b"digest", lambda: server.open(b"one")))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    server.answers.set()
    assert set(await asyncio.gather(*waiting)) == {b"one"}
    assert server.asked == [b"one"]


async def test_where_the_first_fails_or_is_cancelled_the_next_one_asks() -> None:
    opened, server = OpenedKeys(), Server()
    server.answers.clear()
    first, second, third = (
        asyncio.create_task(opened.get(slot(1), b"digest", lambda: server.open(b"one")))
        for _ in range(3)
    )
    await asyncio.sleep(0)
    first.cancel()
    server.fails = 1
    server.answers.set()
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[1], ConnectionError)
    assert results[2] == b"one"


async def test_what_is_stored_decides() -> None:
    opened, server = OpenedKeys(), Server()
    await opened.get(slot(1), b"digest", lambda: server.open(b"one"))
    assert await opened.get(slot(1), b"other", lambda: server.open(b"two")) == b"two"
    assert await opened.get(slot(1), b"other", lambda: server.open(b"three")) == b"two"


async def test_the_least_used_goes_first() -> None:
    opened, server = OpenedKeys(held=2), Server()
    for number in (1, 2, 1, 3):
        await opened.get(slot(number), b"digest", lambda: server.open(b"key"))
    assert len(server.asked) == 3
    await opened.get(slot(1), b"digest", lambda: server.open(b"key"))
    assert len(server.asked) == 3
    await opened.get(slot(2), b"digest", lambda: server.open(b"key"))
    assert len(server.asked) == 4


async def test_what_is_forgotten_is_not_held() -> None:
    opened, server = OpenedKeys(), Server()
    await opened.get(slot(1), b"digest", lambda: server.open(b"one"))
    opened.forget(slot(1))
    opened.forget(slot(2))
    server.fails = 1
    with pytest.raises(ConnectionError):
        await opened.get(slot(1), b"digest", lambda: server.open(b"one"))
