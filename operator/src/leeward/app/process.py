"""The life of the operator's process: start, lead or follow, stop.

Both replicas watch. The one that holds the lease reconciles. On SIGTERM the leader takes up nothing
new, lets running reconciles end, writes its last events, and gives the lease up, so that the other
one takes over at once. A leader that loses its lease stops where it is and ends the process: what
was half done is repaired by the next reconcile, wherever that runs.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from typing import Final

import kopf
from kopf._core.engines.peering import Identity

from leeward.api import KINDS
from leeward.api.meta import GROUP, VERSION
from leeward.app import transit
from leeward.app.servers import serve
from leeward.app.wiring import Operator
from leeward.kube.errors import NotFoundError, RefusedError
from leeward.plans.shared.faults import FaultError

_log = logging.getLogger(__name__)

_RETRY: Final = 2.0
_LAST_EVENTS: Final = 2.0
_CLOSING: Final = 5.0


async def run(operator: Operator, stop: asyncio.Event) -> int:
    """Run until ``stop`` is set, by a signal or otherwise, or the lease is lost.

    Returns:
        The exit status: 0 where it was told to stop.
    """
    _on_signals(stop)
    async with _served(operator), asyncio.TaskGroup() as helpers:
        background = [
            helpers.create_task(operator.lag.run(operator.watches.sample)),
            helpers.create_task(operator.recorder.run()),
        ]
        try:
            return await _until_stopped(operator, stop)
        finally:
            operator.health.stopping = True
            for task in background:
                task.cancel()


async def _until_stopped(operator: Operator, stop: asyncio.Event) -> int:
    stopped = asyncio.create_task(stop.wait(), name="stop")
    leading = asyncio.create_task(_lead(operator), name="lead")
    closing = asyncio.Event()
    watching = asyncio.create_task(_watch(operator, stop, closing), name="watch")
    tasks = (stopped, leading, watching)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        status = 0 if stopped.done() else 1
        for task in (leading, watching):
            _tell_end(task)
        lost = leading.done()
        await operator.controller.stop(0.0 if lost else operator.settings.stop_grace)
        leading.cancel()
        await asyncio.wait({leading})
        await _write_last_events(operator)
        await operator.lease.release()
        closing.set()
        await asyncio.wait({watching}, timeout=_CLOSING)
        _log.info("stopped", extra={"status": status})
        return status
    finally:
        for ending in tasks:
            ending.cancel()
        await asyncio.wait(tasks)


def _tell_end(task: asyncio.Task[None]) -> None:
    if not task.done() or task.cancelled():
        return
    error = task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    _log.error(
        "the operator stops",
        extra={"task": task.get_name(), "error": type(error).__name__, "reason": str(error)},
    )


async def _lead(operator: Operator) -> None:
    """Wait for the lease, then act until it is lost."""
    await operator.lease.acquire()
    async with asyncio.TaskGroup() as group:
        group.create_task(operator.lease.hold())
        await _ensure_root_key(operator)
        operator.controller.lead()
        group.create_task(operator.sweeper.run())
        group.create_task(operator.rotator.run())
        group.create_task(operator.usage.run())
        group.create_task(transit.tend(operator.transit))


async def _ensure_root_key(operator: Operator) -> None:
    while True:
        try:
            await operator.keys.ensure_root_key()
        except (FaultError, RefusedError) as error:
            _log.warning("the root key could not be looked at", extra={"error": str(error)})
            await asyncio.sleep(_RETRY)
        else:
            return


class _NotKopfs(frozenset[asyncio.Task[object]]):
    """Every task, as far as Kopf is told which ones to leave alone.

    It takes each task that begins after it for one of its own, reconciles among them, and cancels
    them when it ends. Its own tasks end with those that it keeps count of.
    """

    def __contains__(self, _: object) -> bool:
        return True


async def _watch(operator: Operator, stop: asyncio.Event, closing: asyncio.Event) -> None:
    """Run Kopf until it is to close, and again where it ends by itself.

    It gives up on errors of a watch that pass with time.
    """
    while True:
        await _wait_for_kinds(operator)
        tasks = await kopf.spawn_tasks(
            registry=operator.registry,
            settings=operator.kopf_settings,
            identity=Identity(operator.settings.pod_name),  # else it asks for the user's name
            clusterwide=not operator.settings.watch_namespaces,
            namespaces=operator.settings.watch_namespaces,
            standalone=True,
            stop_flag=closing,
        )
        _on_signals(stop)  # Kopf has just put its own handlers there
        try:
            await kopf.run_tasks(tasks, ignored=_NotKopfs())
        except Exception as error:  # noqa: BLE001 - whatever it is, the remedy is to list again
            _log.warning("watches begin anew", extra={"error": type(error).__name__})
        if closing.is_set():
            return
        await asyncio.sleep(_RETRY)


async def _wait_for_kinds(operator: Operator) -> None:
    """Wait until our kinds are served: Kopf would never watch one that comes later."""
    wanted = {kind.plural for kind in KINDS}
    while True:
        try:
            found = await operator.client.request("get", "GET", f"/apis/{GROUP}/{VERSION}")
            missing = wanted - {resource["name"] for resource in found["resources"]}
        except NotFoundError:
            missing = wanted
        except (FaultError, RefusedError) as error:
            _log.warning("the API server was not reached", extra={"error": str(error)})
            await asyncio.sleep(_RETRY)
            continue
        if not missing:
            return
        _log.warning(
            "custom resource definitions are missing: install the chart with crds.enabled=true",
            extra={"missing": sorted(missing)},
        )
        await asyncio.sleep(_RETRY)


async def _write_last_events(operator: Operator) -> None:
    with contextlib.suppress(FaultError, RefusedError, TimeoutError):
        async with asyncio.timeout(_LAST_EVENTS):
            await operator.recorder.flush()


@contextlib.asynccontextmanager
async def _served(operator: Operator) -> AsyncIterator[None]:
    settings = operator.settings
    runners = await serve(
        host=settings.bind_address,
        metrics_port=settings.metrics_port,
        probe_port=settings.probe_port,
        registry=operator.metrics.registry,
        health=operator.health,
    )
    try:
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
