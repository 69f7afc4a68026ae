"""The whole process over a socket: Kopf, leadership, probes, metrics, stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from fakeapi.documents import clone
from fakeapi.server import ApiServer
from fakeapi.store import FakeApi, Manifest
from leeward.api.meta import API_VERSION
from leeward.app.process import run
from leeward.app.settings import Settings, parse_settings
from leeward.app.wiring import Operator, wire


def vault(name: str) -> Manifest:
    key = {"name": "data", "algorithm": "AES256_GCM"}
    return {
        "apiVersion": API_VERSION,
        "kind": "KeyVault",
        "metadata": {"name": name, "namespace": "clinic"},
        "spec": {"keys": [key]},
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def parsed(name: str, **settings: str) -> Settings:
    environment = {
        "NAMESPACE": "leeward-system",
        "POD_NAME": name,
        "MASKING_IMAGE": "localhost/masking:1",
        "BIND_ADDRESS": "127.0.0.1",
        "LEASE_DURATION": "3",
        "LEASE_RENEW_DEADLINE": "2",
        "LEASE_RETRY": "0.2",
        **settings,
    }
    return parse_settings([], {f"LEEWARD_{name}": v for name, v in environment.items()})


class Process:
    """One operator."""

    def __init__(self, server: ApiServer, name: str, **settings: str) -> None:
        self.probe_port, self.metrics_port = free_port(), free_port()
        ports = {"PROBE_PORT": str(self.probe_port), "METRICS_PORT": str(self.metrics_port)}
        configuration = Configuration(host=server.url)
        self.operator: Operator = wire(parsed(name, **ports, **settings), configuration)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> int:
        try:
            return await run(self.operator, self.stop)
        finally:
            await self.operator.close()

    async def get(self, path: str) -> tuple[int, str]:
        port = self.metrics_port if path == "/metrics" else self.probe_port
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as response,
        ):
            return response.status, await response.text()

    @property
    def leads(self) -> bool:
        return self.operator.controller.leads


@contextlib.asynccontextmanager
async def started(server: ApiServer, name: str, **settings: str) -> AsyncIterator[Process]:
    process = Process(server, name, **settings)
    try:
        yield process
    finally:
        process.stop.set()
        async with asyncio.timeout(15):
            await process.task


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(FakeApi()).running() as running:
        yield running


async def until(true: Callable[[], bool], patience: float = 10) -> None:
    async with asyncio.timeout(patience):
        while True:
            if true():
                return
            await asyncio.sleep(0.02)


def ready(server: ApiServer, name: str) -> bool:
    found = server.api.one("KeyVault", "clinic", name)
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


async def test_a_vault_is_made_ready_and_bears_no_trace_of_kopf(server: ApiServer) -> None:
    server.api.add(vault("before"))
    async with started(server, "one") as process:
        await until(lambda: ready(server, "before"))
        server.api.add(vault("after"))
        await until(lambda: ready(server, "after"))
        status, text = await process.get("/readyz")
        assert (status, text) == (200, "ok\n")
        _, metrics = await process.get("/metrics")
    for name in ("before", "after"):
        found = server.api.one("KeyVault", "clinic", name)
        assert found is not None
        assert set(found["metadata"]) == {
            "name",
            "namespace",
            "uid",
            "generation",
            "creationTimestamp",
            "resourceVersion",
        }
    assert 'leeward_resources{condition="Ready",kind="KeyVault",status="True"} 2.0' in metrics
    assert 'leeward_reconcile_seconds_count{kind="KeyVault",outcome="ok"} 2.0' in metrics
    assert "leeward_leader 1.0" in metrics
    writes = [path for method, path in server.requests if method not in ("GET", "WATCH")]
    assert len([path for path in writes if "keyvaults" in path]) == 2
    assert not [path for path in writes if "events" in path]


async def test_stopping_gives_the_lease_up_and_says_so(server: ApiServer) -> None:
    async with started(server, "one") as process:
        await until(lambda: process.leads)
    assert process.task.result() == 0
    (lease,) = server.api.find("Lease")
    assert lease["spec"]["holderIdentity"] == ""


async def test_a_follower_is_ready_writes_nothing_and_takes_over_at_once(
    server: ApiServer,
) -> None:
    async with started(server, "one") as first:
        await until(lambda: first.leads)
        async with started(server, "two") as second:
            server.api.add(vault("first"))
            await until(lambda: ready(server, "first"))
            await until(lambda: not second.operator.watches.missing())
            assert (await second.get("/readyz"))[0] == 200
            assert not second.leads
            first.stop.set()
            await until(lambda: second.leads, patience=2)
            server.api.add(vault("second"))
            await until(lambda: ready(server, "second"))


async def test_a_leader_whose_lease_is_taken_ends_with_an_error(server: ApiServer) -> None:
    async with started(server, "one") as process:
        await until(lambda: process.leads)
        (lease,) = server.api.find("Lease")
        stolen = clone(lease)
        stolen["spec"]["holderIdentity"] = "somebody"
        server.api.edit(stolen)
        async with asyncio.timeout(10):
            assert await process.task == 1


async def test_a_watch_that_is_cut_goes_on_and_misses_nothing(server: ApiServer) -> None:
    async with started(server, "one"):
        server.api.add(vault("first"))
        await until(lambda: ready(server, "first"))
        server.failures["watch"] = [500, 429, 503]
        server.cut_watches()
        server.api.add(vault("second"))
        await until(lambda: ready(server, "second"))


async def test_an_error_in_a_watch_begins_it_anew(server: ApiServer) -> None:
    async with started(server, "one") as process:
        server.api.add(vault("first"))
        await until(lambda: ready(server, "first"))
        server.fail_watches(504, "Timeout")
        server.api.add(vault("second"))
        await until(lambda: ready(server, "second"))
        assert not process.task.done()
        server.fail_watches(410, "Expired")
        server.api.add(vault("third"))
        await until(lambda: ready(server, "third"))


async def test_lists_that_fail_at_first_are_tried_again(server: ApiServer) -> None:
    server.failures["list"] = [500, 429, 503, 403]
    server.api.add(vault("first"))
    async with started(server, "one"):
        await until(lambda: ready(server, "first"))


async def test_it_waits_for_its_kinds_and_is_not_ready_until_then(server: ApiServer) -> None:
    server.served = False
    async with started(server, "one") as process:
        await until(lambda: process.leads)
        status, text = await process.get("/readyz")
        assert status == 503
        assert "keyvaults is still being listed" in text
        server.served = True
        server.api.add(vault("first"))
        await until(lambda: ready(server, "first"))


async def test_only_the_namespaces_that_it_is_given_are_watched(server: ApiServer) -> None:
    async with started(server, "one", WATCH_NAMESPACES="clinic,other") as process:
        elsewhere = vault("elsewhere")
        elsewhere["metadata"]["namespace"] = "third"
        server.api.add(elsewhere)
        server.api.add(vault("here"))
        await until(lambda: ready(server, "here"))
        await until(lambda: not process.operator.watches.missing())
        assert (await process.get("/readyz"))[0] == 200
        paths = {path for method, path in server.requests if method == "WATCH"}
        assert all("/namespaces/clinic/" in path or "/namespaces/other/" in path for path in paths)
    found: Any = server.api.one("KeyVault", "third", "elsewhere")
    assert "status" not in found


class Stuck(ApiServer):
    """An API server that never answers /stuck."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/stuck":
            self.requests.append((request.method, request.path))
            await asyncio.Event().wait()
        return await super()._answer(request)


async def test_the_lease_waits_behind_nothing() -> None:
    async with Stuck(FakeApi()).running() as server:
        configuration = Configuration(host=server.url)
        configuration.connection_pool_maxsize = 1
        operator = wire(parsed("one"), configuration)
        waiting = asyncio.create_task(operator.client.request("get", "GET", "/stuck"))
        try:
            await until(lambda: ("GET", "/stuck") in server.requests)
            async with asyncio.timeout(1.5):
                await operator.lease.acquire()
            assert operator.lease.holds
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})
            await operator.close()
