"""The operator as a process of its own: started, measured from outside, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import psutil

OPERATOR = [sys.executable, "-m", "leeward.app"]


async def until(true: Callable[[], Awaitable[bool]], patience: float) -> None:
    """Ask every tenth of a second."""
    async with asyncio.timeout(patience):
        while True:
            if await true():
                return
            await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Operator:
    """The operator as a process."""

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        """Make one that is not started.

        Args:
            settings: As environment variables, without LEEWARD_.
            log: Where its output goes.
        """
        self._settings = settings
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._sampler: asyncio.Task[None] | None = None
        self.metrics_port = free_port()
        self.probe_port = free_port()
        self.peak = 0

    async def start(self) -> float:
        """Start it; return when it was started."""
        environment = {
            **os.environ,
            **{f"LEEWARD_{name}": value for name, value in self._settings.items()},
            "LEEWARD_BIND_ADDRESS": "127.0.0.1",
            "LEEWARD_METRICS_PORT": str(self.metrics_port),
            "LEEWARD_PROBE_PORT": str(self.probe_port),
        }
        started = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *OPERATOR, env=environment, stderr=log, stdout=log
            )
        self._sampler = asyncio.create_task(self._sample())
        return started

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    async def _sample(self) -> None:
        process = self.process
        with contextlib.suppress(psutil.NoSuchProcess):
            while True:
                self.peak = max(self.peak, process.memory_info().rss)
                await asyncio.sleep(0.05)

    async def leading(self) -> None:
        async def leads() -> bool:
            if self._process is None or self._process.returncode is not None:
                raise SystemExit(f"the operator does not start; see {self._log}")
            return await self.metric("leeward_leader ") == 1.0

        await until(leads, 60)

    async def metric(self, prefix: str) -> float:
        """Sum of the samples of which the line begins so."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.metrics_port}/metrics") as response,
            ):
                lines = (await response.text()).splitlines()
        except aiohttp.ClientError:
            return 0.0
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(prefix))

    async def stop(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await asyncio.wait_for(self._process.wait(), 60)
        if self._sampler is not None:
            self._sampler.cancel()
        self._process = None
