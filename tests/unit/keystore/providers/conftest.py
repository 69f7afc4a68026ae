"""Servers for the tests of providers."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from openbao.certificates import Authority, ServerFiles
from openbao.server import OpenBao
from unit.keystore.providers.bao_world import BaoWorld
from unit.keystore.providers.provider_world import World
from unit.keystore.providers.transit_fake import FakeTransit

_names = itertools.count(1)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority("authority of a test")


@pytest.fixture(scope="session")
def files(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    return authority.issue(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def fake(files: ServerFiles) -> AsyncIterator[FakeTransit]:
    async with FakeTransit(files) as server:
        yield server


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """One real server for all tests of this process."""
    folder: Path = tmp_path_factory.mktemp("openbao")
    server = OpenBao(folder)
    yield server
    server.stop()


@pytest.fixture
async def bao(openbao: OpenBao) -> AsyncIterator[BaoWorld]:
    """A mount, a key and a policy of the test's own on that server."""
    made = BaoWorld(openbao, f"transit-{next(_names)}")
    yield made
    await made.close()
