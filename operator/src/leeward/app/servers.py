"""HTTP servers of the operator: /metrics, /healthz, /readyz."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from leeward.app.probes import Health


async def serve(
    *,
    host: str | None,
    metrics_port: int,
    probe_port: int,
    registry: CollectorRegistry,
    health: Health,
) -> list[web.AppRunner]:
    """Start both servers, on the event loop that they report on: a loop that hangs answers nothing.

    Returns:
        The runners, to be cleaned up at the end.
    """
    metrics = web.Application()
    metrics.router.add_get("/metrics", _metrics(registry))
    probes = web.Application()
    probes.router.add_get("/healthz", _probe(health.faults))
    probes.router.add_get("/readyz", _probe(health.obstacles))
    runners = []
    for application, port in ((metrics, metrics_port), (probes, probe_port)):
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        runners.append(runner)
    return runners


def _metrics(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return answer


def _probe(
    problems: Callable[[], Sequence[str]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        found = problems()
        return web.Response(
            status=503 if found else 200, text="".join(f"{p}\n" for p in found) or "ok\n"
        )

    return answer
