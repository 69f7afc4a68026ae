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
import os
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from figures import figure
from kubernetes.aio.client import Configuration
from operatorprocess import Operator, until
from vaultwatch import watching

from leeward.api.meta import API_VERSION
from leeward.kube.client import KubeClient
from leeward.kube.resources import collection_path, ref_of
from leeward.kube.transport import HttpTransport, load_configuration
from leeward.plans.shared.faults import TransientError
from leeward.plans.shared.model import Manifest, ObjectRef

AT_ONCE = 24
ROUNDS = 3
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


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:05d}" for number in range(count)]


async def at_once(work: Iterable[Callable[[], Awaitable[Any]]], workers: int = AT_ONCE) -> None:
    waiting = iter(work)

    async def worker() -> None:
        for step in waiting:
            await step()

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())


@dataclass
class Figures:
    """What was measured, against its limits."""

    short: bool = False

    def show(self, name: str, value: float, unit: str, limit: float) -> None:
        good = value <= limit
        self.short = self.short or not good
        figure(name, value, unit, limit, good)


async def bare(client: KubeClient, prefix: str, count: int, keyset_size: int) -> float:
    """Seconds that a bare client needs for the same objects."""

    async def one(name: str) -> None:
        await client.create(vault(BARE, name), "bench")
        await client.create(secret(BARE, name, keyset_size), "bench")

    start = time.perf_counter()
    await at_once(partial(one, name) for name in names(prefix, count))
    return time.perf_counter() - start


async def many(
    client: KubeClient, configuration: Configuration, namespace: str, prefix: str, count: int
) -> float:
    """Seconds from the first create until all are Ready."""
    made = names(prefix, count)
    async with watching(configuration, namespace) as watch:
        start = time.perf_counter()
        await at_once(partial(client.create, vault(namespace, name), "bench") for name in made)
        return await watch.until_ready(made, 1200) - start


async def against_bare(
    client: KubeClient, configuration: Configuration, count: int, keyset_size: int
) -> float:
    """How many times as long as the bare client it takes: the median of three rounds.

    Each round has the bare client before and after, so that other work on the machine meets both.
    """
    ratios = []
    for number in range(ROUNDS):
        before = await bare(client, f"before-{number}", count, keyset_size)
        taken = await many(client, configuration, VAULTS, f"many-{number}", count)
        after = await bare(client, f"after-{number}", count, keyset_size)
        print(
            f"{count} KeyVaults: bare {before:.2f} s, all Ready {taken:.2f} s, bare {after:.2f} s"
        )
        ratios.append(2 * taken / (before + after))
    return statistics.median(ratios)


async def singles(
    client: KubeClient, configuration: Configuration, prefix: str, count: int
) -> tuple[float, float]:
    """Milliseconds from create to Ready of one at a time: median and 99th percentile."""
    taken = []
    async with watching(configuration, VAULTS) as watch:
        for number in range(count):
            name = f"{prefix}-{number:04d}"
            start = time.perf_counter()
            await client.create(vault(VAULTS, name), "bench")
            taken.append((await watch.until_ready([name], 30) - start) * 1000)
            await asyncio.sleep(0.02)
    taken.sort()
    return statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))]


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


async def make_namespaces(client: KubeClient) -> None:
    for name in (SYSTEM, VAULTS, BARE, PRESENT):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await client.create(made, "bench")


async def remove_namespaces(client: KubeClient) -> None:
    """Remove everything; the API server takes minutes for ten thousand objects."""
    for name in (SYSTEM, VAULTS, BARE, PRESENT):
        for kind in ((API_VERSION, "KeyVault"), ("v1", "Secret")):
            path = collection_path(*kind, name)

            async def emptied(path: str = path) -> bool:
                try:
                    await client.request("delete", "DELETE", path)
                except TransientError:  # it goes on in the API server
                    return False
                return True

            await until(emptied, 600)
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
    settings = {
        "KUBECONFIG": kubeconfig,
        "CONTEXT": arguments.context or "",
        "NAMESPACE": SYSTEM,
        "POD_NAME": "bench",
        "MASKING_IMAGE": "localhost/leeward/masking:bench",
        "WATCH_NAMESPACES": f"{VAULTS},{PRESENT}",
        "WORKERS": str(AT_ONCE),
    }
    operator = Operator(settings, log)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        await stack.enter_async_context(installed_operator_stopped(client))
        await make_namespaces(client)
        try:
            await figures_of(arguments, client, configuration, operator, figures)
        finally:
            await operator.stop()
            await remove_namespaces(client)
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
    ratio = await against_bare(client, configuration, count, size)
    figures.show(f"keyvaults_{count}_ready", ratio, "x_bare", 4)
    figures.show(f"keyvaults_{count}_resident", operator.peak / MIB, "MiB", 200)
    if arguments.present:
        present = arguments.present
        await many(client, configuration, PRESENT, "present", present)
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
