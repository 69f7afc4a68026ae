"""A TCP proxy on loopback that holds bytes back, or cuts connections in the middle."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from types import TracebackType
from typing import Final

_TURNS: Final = 10


class Proxy:
    """Passes connections on to a port.

    Attributes:
        cuts: So many times the next answer is cut after 20 bytes, and its connection with it.
        held: While it is clear, nothing passes from the server to the client.
        connections: How many there were.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._closing = False
        self.cuts = 0
        self.held = asyncio.Event()
        self.held.set()
        self.connections = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._closing = True
        self.held.set()
        # What was accepted, and is served by nobody yet, is so after some turns of the loop; a
        # server that is closed before would leave it open and forgotten.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        while self._tasks:
            # Not cancelled: their streams would have the loop tell of it as of an error.
            for transport in self._transports:
                transport.abort()
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)  # a transport that was aborted is closed in the next turn

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with ExitStack() as ends:
            ends.callback(self._tasks.discard, task)
            self._end_with(ends, writer)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._end_with(ends, up_writer)
            if self._closing:
                return
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._upwards(reader, up_writer))
                    group.create_task(self._downwards(up_reader, writer))
            except* (OSError, _CutError):
                pass

    def _end_with(self, ends: ExitStack, writer: asyncio.StreamWriter) -> None:
        self._transports.add(writer.transport)
        ends.callback(self._transports.discard, writer.transport)
        ends.callback(writer.transport.abort)

    async def _upwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        raise _CutError

    async def _downwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self.held.wait()
            if self.cuts:
                self.cuts -= 1
                writer.write(data[:20])
                await writer.drain()
                raise _CutError
            writer.write(data)
            await writer.drain()
        raise _CutError


class _CutError(Exception):
    """One side is done: both are."""
