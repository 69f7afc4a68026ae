import hashlib
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from leeward.kube.pods import PodHttp
from leeward.plans.shared.model import AckResult, ProgressOf, ResultOf

RESULT = json.dumps({"outcome": "Succeeded"}).encode()
DIGEST = f"sha256:{hashlib.sha256(RESULT).hexdigest()}"


class Pod:
    """What a pod serves."""

    def __init__(self) -> None:
        self.progress: bytes = b'{"done": 1, "total": 2}'
        self.status = 200
        self.acked = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            self.acked += request.headers["Leeward-Receipt"] == DIGEST
            return web.Response()
        if self.status in (301, 302):
            raise web.HTTPFound("http://127.0.0.1:1/elsewhere")
        body = self.progress if request.path == "/progress" else RESULT
        return web.Response(status=self.status, body=body)


@pytest.fixture
async def pod() -> AsyncIterator[tuple[Pod, PodHttp]]:
    served = Pod()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", served.serve)
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        assert server.port is not None
        yield served, PodHttp(session, server.port)


def _progress() -> ProgressOf:
    return ProgressOf("ns", "pod", "127.0.0.1")


async def test_progress_is_read(pod: tuple[Pod, PodHttp]) -> None:
    _, http = pod
    assert await http.progress(_progress()) == {"done": 1, "total": 2}


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[1]", b'"text"', b"{" + b" " * 70_000 + b"}", b"\xff\xfe", b"[" * 60_000],
)
async def test_what_is_no_progress_is_no_answer(pod: tuple[Pod, PodHttp], body: bytes) -> None:
    served, http = pod
    served.progress = body
    assert await http.progress(_progress()) is None


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_an_error_or_a_redirect_is_no_answer(pod: tuple[Pod, PodHttp], status: int) -> None:
    served, http = pod
    served.status = status
    assert await http.progress(_progress()) is None


async def test_a_result_counts_with_its_digest_only(pod: tuple[Pod, PodHttp]) -> None:
    _, http = pod
    need = ResultOf("ns", "pod", "127.0.0.1", DIGEST)
    assert await http.result(need) == {"outcome": "Succeeded"}
    other = ResultOf("ns", "pod", "127.0.0.1", "sha256:" + "0" * 64)
    assert await http.result(other) is None


async def test_a_pod_is_told_that_its_result_was_taken(pod: tuple[Pod, PodHttp]) -> None:
    served, http = pod
    assert (await http.ack(AckResult("ns", "pod", "127.0.0.1", DIGEST))).code == "Done"
    assert served.acked == 1


async def test_a_pod_that_is_gone_is_no_fault() -> None:
    async with aiohttp.ClientSession() as session:
        http = PodHttp(session, 9)
        assert await http.progress(_progress()) is None
        assert (await http.ack(AckResult("ns", "pod", "127.0.0.1", DIGEST))).code == "Done"


async def test_an_address_that_is_none_is_not_called() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ValueError, match="address"):
            await PodHttp(session).progress(ProgressOf("ns", "pod", "example.com/x?"))
