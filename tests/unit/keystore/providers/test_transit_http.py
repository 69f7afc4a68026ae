"""Requests to a Transit server that misbehaves, or is none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from leeward.keystore.providers.port import (
    ProviderCertificateError,
    ProviderError,
    ProviderProtocolError,
    ProviderSealedError,
    ProviderThrottledError,
    ProviderUnreachableError,
)
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.faults import broken
from leeward.keystore.providers.transit.http import TransitHttp
from leeward.keystore.providers.transit.surroundings import Limits
from openbao.certificates import Authority, ServerFiles
from unit.keystore.providers.provider_world import BY_TOKEN, World
from unit.keystore.providers.transit_fake import FakeTransit, Fault, answering, cutting, saying

LIMITS = Limits(request=2.0, deadline=10.0, backoff=1.0, longest_backoff=3.0, body=1000)
GRACELESS = Limits(request=0.05, deadline=1.0, backoff=1.0)
PATH = "transit/keys/leeward"
SECRET = "s.secret-token"

Maker = Callable[..., TransitHttp]


@pytest.fixture
async def client(fake: FakeTransit, authority: Authority, world: World) -> AsyncIterator[Maker]:
    """Makes clients of the fake; the fields of the configuration can be changed."""
    made: list[TransitHttp] = []

    def make(
        limits: Limits = LIMITS, ca_pem: str | None = authority.pem, **changes: str
    ) -> TransitHttp:
        config = fake.config(BY_TOKEN, ca_pem, **changes)
        made.append(TransitHttp(config, world.pace, limits))
        return made[-1]

    fake.tokens[SECRET] = 0
    yield make
    for one in made:
        await one.close()


async def status(client: TransitHttp) -> int:
    return (await client.exchange("GET", PATH, token=SECRET)).status


async def test_what_is_sent(fake: FakeTransit, client: Maker) -> None:
    assert await status(client(namespace="team/a")) == 200
    assert fake.paths() == [f"GET {PATH}"]
    assert fake.headers["X-Vault-Token"] == SECRET
    assert fake.headers["X-Vault-Namespace"] == "team/a"
    assert fake.headers["X-Vault-Request"] == "true"


@pytest.mark.parametrize(
    "fault",
    [
        answering(500, "internal error"),
        answering(502),
        saying("no backend", 503),
        answering(429, "quota exceeded"),
        saying("slow down", 429),
        cutting,
    ],
)
async def test_what_may_pass_is_tried_again(
    fake: FakeTransit, client: Maker, world: World, fault: Fault
) -> None:
    fake.faults.extend([fault, fault])
    assert await status(client()) == 200
    assert world.pauses == [1.0, 2.0]


async def test_the_pause_is_drawn_and_grows_to_a_limit(
    fake: FakeTransit, client: Maker, world: World
) -> None:
    world.chance = 0.5
    fake.faults.extend([answering(500)] * 5)
    assert await status(client()) == 200
    assert world.pauses == [0.5, 1.0, 1.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        (answering(500, "x"), ProviderUnreachableError, "HTTP status 500"),
        (answering(429, "x"), ProviderThrottledError, "too often"),
        (cutting, ProviderUnreachableError, "breaks off"),
    ],
)
async def test_after_the_deadline_it_is_told(
    fake: FakeTransit,
    client: Maker,
    world: World,
    fault: Fault,
    reason: type[ProviderError],
    message: str,
) -> None:
    fake.faults.extend([fault] * 20)
    with pytest.raises(reason, match=message) as caught:
        await status(client())
    assert caught.value.passing
    assert sum(world.pauses) < LIMITS.deadline


async def test_a_pause_that_was_asked_for_is_kept(
    fake: FakeTransit, client: Maker, world: World
) -> None:
    fake.faults.append(answering(429, Retry_After="7"))
    assert await status(client()) == 200
    assert world.pauses == [7.0]
    fake.faults.append(answering(429, Retry_After="30"))
    busy = client()
    with pytest.raises(ProviderThrottledError) as caught:
        await status(busy)
    assert caught.value.retry_after == 30.0
    asked = len(fake.asked)
    world.now += 29
    with pytest.raises(ProviderThrottledError):
        await status(busy)
    assert len(fake.asked) == asked


@pytest.mark.parametrize(
    "fault",
    [
        answering(503, "Vault is sealed"),
        answering(503, "Vault is not initialized"),
        answering(500, "local node not active but active cluster node not found"),
    ],
)
async def test_a_server_that_is_not_ready_is_told_at_once(
    fake: FakeTransit, client: Maker, world: World, fault: Fault
) -> None:
    fake.faults.append(fault)
    with pytest.raises(ProviderSealedError):
        await status(client())
    assert world.pauses == []


async def test_a_refusal_that_speaks_of_sealing_is_a_refusal(
    fake: FakeTransit, client: Maker
) -> None:
    fake.faults.append(answering(400, "the key is sealed"))
    assert await status(client()) == 400


async def test_while_a_server_is_down_only_one_in_some_seconds_asks_it(
    fake: FakeTransit, client: Maker, world: World
) -> None:
    down = client()
    fake.faults.append(answering(503, "Vault is sealed"))
    for _ in range(3):
        with pytest.raises(ProviderSealedError, match="sealed"):
            await status(down)
    assert len(fake.asked) == 1
    world.now += LIMITS.cool_down
    assert await status(down) == 200
    assert await status(down) == 200


async def moved(request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect(f"https://localhost:1/v1/{PATH}")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (moved, "redirects"),
        (saying("<html>"), "HTTP status 200"),
        (saying("<html>", 404), "HTTP status 404"),
        (saying("[]", content_type="application/json"), "HTTP status 200"),
        (saying("[" * 900, content_type="application/json"), "HTTP status 200"),
        (saying('{"error": "x"}', 403, "application/json"), "HTTP status 403"),
        (saying('{"a": "' + "x" * 1000 + '"}', 200, "application/json"), "more than 1000 bytes"),
    ],
)
async def test_something_else_is_told(
    fake: FakeTransit, client: Maker, world: World, fault: Fault, message: str
) -> None:
    fake.faults.append(fault)
    with pytest.raises(ProviderProtocolError, match=message):
        await status(client())
    assert world.pauses == []
    assert len(fake.asked) == 1


async def test_no_error_quotes_what_was_sent_or_said(fake: FakeTransit, client: Maker) -> None:
    words = f"cannot use {SECRET}"
    faults = [answering(code, words) for code in (429, 500, 503)]
    others = [saying(words), saying(words, 404), cutting, moved]
    for fault in (*faults, *others):
        fake.faults.extend([fault] * 20)
        with pytest.raises(ProviderError) as caught:
            await status(client())
        fake.faults.clear()
        assert SECRET not in f"{caught.value}{caught.value.remedy}{caught.value!r}"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def trickling(request: web.Request) -> web.StreamResponse:
    """Begins to answer, and does not end."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"{")
    return await hanging(request)


@pytest.mark.parametrize("fault", [hanging, trickling])
async def test_a_server_that_hangs_is_given_up(
    fake: FakeTransit, client: Maker, fault: Fault
) -> None:
    fake.faults.append(fault)
    with pytest.raises(ProviderUnreachableError, match="does not answer in time"):
        await status(client(GRACELESS))


# --- connections that never come about -----------------------------------------------------------


async def test_a_refused_connection_is_told(client: Maker) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ProviderUnreachableError, match="refuses the connection"):
            await status(client(address=f"https://127.0.0.1:{port}"))


def test_an_unknown_host_is_told() -> None:
    config = TransitConfig(address="https://bao.example:8200", key="leeward", auth=BY_TOKEN)
    place = ConnectionKey("bao.example", 8200, True, True, None, None, None)
    error = broken(config, aiohttp.ClientConnectorDNSError(place, OSError("unknown")))
    assert isinstance(error, ProviderUnreachableError)
    assert "no host of the name in https://bao.example:8200" in str(error)


async def test_a_server_without_tls_is_told(client: Maker) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ProviderProtocolError, match="no TLS handshake"):
            await status(client(address=f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("host", "expired", "message"),
    [("127.0.0.1", True, "has expired"), ("127.0.0.2", False, "is for another name")],
)
async def test_a_bad_certificate_is_told(
    authority: Authority, world: World, tmp_path: Path, host: str, expired: bool, message: str
) -> None:
    files: ServerFiles = authority.issue(tmp_path, host, expired=expired)
    async with FakeTransit(files) as server:
        http = TransitHttp(server.config(BY_TOKEN, authority.pem), world.pace, LIMITS)
        with pytest.raises(ProviderCertificateError, match=message):
            await status(http)
        await http.close()
    assert server.asked == []
    assert world.pauses == []


@pytest.mark.parametrize(
    "bundle", ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
async def test_a_bundle_without_a_certificate_is_never_replaced_by_the_machines(
    client: Maker, bundle: str
) -> None:
    with pytest.raises(ProviderCertificateError, match="holds no certificate"):
        await status(client(ca_pem=bundle))


async def test_the_machines_authorities_are_trusted_only_where_there_is_no_bundle(
    client: Maker, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_machine = tmp_path / "machine.pem"
    of_machine.write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(of_machine))
    assert await status(client(ca_pem=None)) == 200
    with pytest.raises(ProviderCertificateError):
        await status(client(ca_pem=Authority("another").pem))


async def test_a_bundle_may_hold_comments_and_several_authorities(
    client: Maker, authority: Authority
) -> None:
    bundle = f"# Behörde A\n{Authority('another').pem}\n# Behörde B\n{authority.pem}"
    assert await status(client(ca_pem=bundle)) == 200


async def test_closing_is_no_end(client: Maker) -> None:
    http = client()
    assert await status(http) == 200
    await http.close()
    assert await status(http) == 200


def test_names_of_a_configuration_hold_no_secret(authority: Authority) -> None:
    config = TransitConfig(address="https://bao", key="k", auth=BY_TOKEN)
    assert "secret" not in repr(config).replace("secret=SecretValue", "")
