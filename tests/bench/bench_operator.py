"""How fast the operator is, and what it takes, against a bare client on the same cluster.

Yardstick: a client with as many requests at once as the operator has workers creates the same
KeyVaults and, for each, a Secret like the one the operator makes. It neither watches nor waits.
The operator runs as a process of its own beside this one, with the code that the image holds, in
namespaces of its own. It is seen through a watch of our own, and by its process' figures.

    python tests/bench/bench_operator.py [--count N] [--present N] [--singles N] [--context C]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvloop
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from leeward.api.meta import API_VERSION
from leeward.kube.client import KubeClient
from leeward.kube.errors import NotFoundError
from leeward.kube.resources import collection_path, ref_of
from leeward.kube.transport import HttpTransport, authorization, load_configuration
from leeward.plans.shared.model import Manifest, ObjectRef

AT_ONCE = 24
OPERATOR = [sys.executable, "-m", "leeward.app"]
MIB = 1 << 20
RUN = secrets.token_hex(3)
SYSTEM = f"bench-system-{RUN}"
VAULTS = f"bench-vaults-{RUN}"
BARE = f"bench-bare-{RUN}"
PRESENT = f"bench-present-{RUN}"


class NoLimit:
    """Lets every request through."""

    async def acquire(self) -> None:
        pass

    def pause(self, seconds: float) -> None:
        pass


class NoMeter:
    """Counts nothing."""

    def called(self, verb: str, code: str) -> None:
        pass


def vault(namespace: str, name: str) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "KeyVault",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "keys": [
                {
                    "name": "patient-data",
                    "algorithm": "AES256_GCM",
                    "grants": [
                        {"name": "mask", "kinds": ["MaskingJob"], "operations": ["Open", "Seal"]}
                    ],
                }
            ]
        },
    }


def secret(namespace: str, name: str, size: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"keyset-{name}", "namespace": namespace},
        "type": "leeward.dev/keyset",
        "data": {"keyset": base64.b64encode(os.urandom(size)).decode()},
    }


def names(count: int) -> list[str]:
    return [f"vault-{number:05d}" for number in range(count)]


async def at_once(work: Iterable[Callable[[], Awaitable[Any]]], workers: int = AT_ONCE) -> None:
    waiting = iter(work)

    async def worker() -> None:
        for step in waiting:
            await step()

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())


async def until(true: Callable[[], Awaitable[bool]], patience: float) -> None:
    """Ask every tenth of a second."""
    async with asyncio.timeout(patience):
        while True:
            if await true():
                return
            await asyncio.sleep(0.1)


@dataclass
class Watch:
    """The KeyVaults of one namespace, as a watch of our own shows them."""

    configuration: Configuration
    namespace: str
    ready_at: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        tls = RESTClientObject(self.configuration).ssl_context
        headers = {}
        token = await authorization(self.configuration)
        if token:
            headers["Authorization"] = token
        url = self.configuration.host + collection_path(API_VERSION, "KeyVault", self.namespace)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls), headers=headers, read_bufsize=2**22
        ) as session:
            async with session.get(url) as response:
                listed = await response.json()
            for item in listed["items"]:
                self._see(item)
            since = listed["metadata"]["resourceVersion"]
            async with session.get(
                url,
                params={"watch": "true", "resourceVersion": since},
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                self.opened.set()
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise RuntimeError(f"the watch failed: {event['object']}")
                    self._see(event["object"])

    def _see(self, body: Manifest) -> None:
        conditions = body.get("status", {}).get("conditions", ())
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            self.ready_at.setdefault(body["metadata"]["name"], time.perf_counter())
            self.changed.set()

    async def until(self, count: int, patience: float) -> None:
        async with asyncio.timeout(patience):
            while len(self.ready_at) < count:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def watching(configuration: Configuration, namespace: str) -> AsyncIterator[Watch]:
    watch = Watch(configuration, namespace)
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(watch.opened.wait(), 30)
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Operator:
    """The operator as a process."""

    def __init__(self, kubeconfig: str, context: str | None, log: Path) -> None:
        self._kubeconfig = kubeconfig
        self._context = context or ""
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
            "LEEWARD_KUBECONFIG": self._kubeconfig,
            "LEEWARD_CONTEXT": self._context,
            "LEEWARD_NAMESPACE": SYSTEM,
            "LEEWARD_POD_NAME": "bench",
            "LEEWARD_MASKING_IMAGE": "localhost/leeward/masking:bench",
            "LEEWARD_WATCH_NAMESPACES": f"{VAULTS},{PRESENT}",
            "LEEWARD_WORKERS": str(AT_ONCE),
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


@dataclass
class Figures:
    """What was measured, against its limits."""

    short: bool = False

    def show(self, name: str, value: float, unit: str, limit: float) -> None:
        good = value <= limit
        self.short = self.short or not good
        print(f"figure {name} {value:.3g} {unit} limit {limit:g} {'ok' if good else 'SHORT'}")


async def bare(client: KubeClient, count: int, keyset_size: int) -> float:
    """Seconds that a bare client needs for the same objects."""

    async def one(name: str) -> None:
        await client.create(vault(BARE, name), "bench")
        await client.create(secret(BARE, name, keyset_size), "bench")

    start = time.perf_counter()
    await at_once(partial(one, name) for name in names(count))
    return time.perf_counter() - start


async def many(client: KubeClient, configuration: Configuration, count: int) -> float:
    """Seconds from the first create until all are Ready."""
    async with watching(configuration, VAULTS) as watch:
        start = time.perf_counter()
        await at_once(partial(client.create, vault(VAULTS, name), "bench") for name in names(count))
        await watch.until(count, 600)
        return max(watch.ready_at.values()) - start


async def singles(
    client: KubeClient, configuration: Configuration, prefix: str, count: int
) -> tuple[float, float]:
    """Milliseconds from create to Ready of one at a time: median and 99th percentile."""
    taken = []
    async with watching(configuration, VAULTS) as watch:
        there = len(watch.ready_at)
        for number in range(count):
            name = f"{prefix}-{number:04d}"
            start = time.perf_counter()
            await client.create(vault(VAULTS, name), "bench")
            await watch.until(there + number + 1, 30)
            taken.append((watch.ready_at[name] - start) * 1000)
            await asyncio.sleep(0.02)
    taken.sort()
    return statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))]


async def fill(client: KubeClient, configuration: Configuration, count: int) -> None:
    async with watching(configuration, PRESENT) as watch:
        await at_once(
            partial(client.create, vault(PRESENT, name), "bench") for name in names(count)
        )
        await watch.until(count, 1200)


async def keyset_size(client: KubeClient) -> int:
    """How many bytes the operator's own keyset Secrets hold, so that the yardstick's do, too."""
    sizes = [
        sum(len(base64.b64decode(value)) for value in item["data"].values())
        for item in await client.list("v1", "Secret", SYSTEM, fields="type=leeward.dev/keyset")
    ]
    return int(statistics.median(sizes))


async def restart(operator: Operator, count: int) -> float:
    """Seconds from the start of the process until it has reconciled everything."""
    await operator.stop()
    operator.peak = 0
    started = await operator.start()
    seen = 'leeward_reconcile_seconds_count{kind="KeyVault",outcome="ok"}'

    async def done() -> bool:
        return await operator.metric(seen) >= count

    await until(done, 600)
    return time.perf_counter() - started


async def idle(operator: Operator, seconds: float) -> float:
    """Per cent of a core that the process takes when nothing happens."""
    await asyncio.sleep(10)
    before = operator.process.cpu_times()
    await asyncio.sleep(seconds)
    after = operator.process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return 100 * used / seconds


async def namespaces(client: KubeClient, verb: str) -> None:
    for name in (SYSTEM, VAULTS, BARE, PRESENT):
        if verb == "create":
            await client.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "bench"
            )
        else:
            for kind in ((API_VERSION, "KeyVault"), ("v1", "Secret")):
                await client.request("delete", "DELETE", collection_path(*kind, name))
            with contextlib.suppress(NotFoundError):
                await client.delete(ObjectRef("v1", "Namespace", "", name))


@contextlib.asynccontextmanager
async def installed_operator_stopped(client: KubeClient) -> AsyncIterator[None]:
    """Scale an operator that is installed to nothing meanwhile: it would do the same work."""
    found = await client.list(
        "apps/v1", "Deployment", None, labels="app.kubernetes.io/name=leeward"
    )
    replicas = {ref_of(item): item["spec"].get("replicas", 1) for item in found}
    for ref, count in replicas.items():
        print(f"stopping {ref.namespace}/{ref.name} meanwhile (it has {count} replicas)")
        await client.merge_patch(ref, {"spec": {"replicas": 0}}, "bench")

        async def stopped(ref: ObjectRef = ref) -> bool:
            return not (await client.get(ref))["status"].get("replicas")

        await until(stopped, 90)
    try:
        yield
    finally:
        for ref, count in replicas.items():
            await client.merge_patch(ref, {"spec": {"replicas": count}}, "bench")


async def measure(arguments: argparse.Namespace, kubeconfig: str, log: Path) -> bool:
    """Measure everything; clean up also after a SIGTERM."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    configuration = await load_configuration(kubeconfig, arguments.context, 2 * AT_ONCE)
    transport = HttpTransport(configuration)
    client = KubeClient(transport, NoLimit(), NoMeter())
    figures = Figures()
    operator = Operator(kubeconfig, arguments.context, log)
    async with installed_operator_stopped(client):
        await namespaces(client, "create")
        try:
            await figures_of(arguments, client, configuration, operator, figures)
        finally:
            await operator.stop()
            await namespaces(client, "delete")
            await transport.close()
    return not figures.short


async def figures_of(
    arguments: argparse.Namespace,
    client: KubeClient,
    configuration: Configuration,
    operator: Operator,
    figures: Figures,
) -> None:
    await operator.start()
    await operator.leading()
    await singles(client, configuration, "warm", 5)
    size = await keyset_size(client)
    p50, p99 = await singles(client, configuration, "single", arguments.singles)
    figures.show("one_keyvault_ready_p50", p50, "ms", 250)
    figures.show("one_keyvault_ready_p99", p99, "ms", 1000)
    count = arguments.count
    yardstick = await bare(client, count, size)
    taken = await many(client, configuration, count)
    print(f"{count} KeyVaults: bare client {yardstick:.2f} s, all Ready {taken:.2f} s")
    figures.show(f"keyvaults_{count}_ready", taken / yardstick, "x_bare", 4)
    figures.show(f"keyvaults_{count}_resident", operator.peak / MIB, "MiB", 200)
    if arguments.present:
        present = arguments.present
        await fill(client, configuration, present)
        await restart(operator, present)
        figures.show(f"present_{present}_restart", await restart(operator, present), "s", 60)
        figures.show(f"present_{present}_resident", operator.peak / MIB, "MiB", 300)
        figures.show(f"present_{present}_idle", await idle(operator, 30), "%core", 5)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="KeyVaults made at once")
    parser.add_argument("--present", type=int, default=10_000, help="present at a restart; 0: skip")
    parser.add_argument("--singles", type=int, default=100, help="KeyVaults made one by one")
    parser.add_argument(
        "--context", default=os.environ.get("KUBE_CONTEXT"), help="in the kubeconfig"
    )
    arguments = parser.parse_args()
    kubeconfig = os.environ.get("KUBECONFIG", str(Path("~/.kube/config").expanduser()))
    log = Path(tempfile.gettempdir()) / f"leeward-bench-operator-{RUN}.log"
    print(f"log of the operator: {log}")
    return 0 if uvloop.run(measure(arguments, kubeconfig, log)) else 1


if __name__ == "__main__":
    sys.exit(main())
