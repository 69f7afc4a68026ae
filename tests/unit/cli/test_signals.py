"""SIGTERM and SIGHUP end a command in order: nothing that it made for itself stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.api.dataset import DATASET
from leeward.cli.errors import ApiError
from leeward.cli.kinds import resource_of
from leeward.cli.main import main
from leeward.cli.port import PODS
from leeward.cli.session import Session
from leeward.cli.temporary import temporary
from unit.cli.fake_cluster import FakeClock, FakeCluster, condition, resource
from unit.cli.test_unmasking import ASKED, WAITING, clinic

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
VOLUME = {"volume": {"claimName": "data", "path": "raw/visits.csv"}}
COMMANDS = {
    "-unmask-": ("unmask", "masked", "patient", "T1", *ASKED),
    "/visits-": ("dataset", "preview", "visits", "--purpose", "research"),
    "/leeward-put-": ("dataset", "put", "visits", __file__, "--plain", "--image", "masking:1"),
}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def cluster() -> FakeCluster:
    made, _ = clinic(WAITING)
    ready = condition("Ready", "False", "AwaitingData")
    spec = {"location": VOLUME, "format": "CSV"}
    made.put(resource_of(DATASET), resource("Dataset", "visits", ready, spec=spec))
    return made


def run(made: FakeCluster, args: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the command line as a process does; its exit code."""

    class FakeSession(Session):
        def __init__(self) -> None:
            super().__init__(connect=lambda target: made, clock=FakeClock())

    monkeypatch.setattr("leeward.cli.session.Session", FakeSession)
    monkeypatch.setattr("sys.argv", ["leeward", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("during", ["create", "get"])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_made_goes_with_it(
    name: str, during: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cluster()

    def kill(verb: str, path: str) -> None:
        if name not in path or verb not in (during, "delete"):
            return
        if verb == "create":
            # It is there, and its answer is still under way.
            made.states[path] = [resource("Any", "made")]
        # A second one, while it cleans up, changes nothing.
        os.kill(os.getpid(), number)

    made.on_call = kill
    assert run(made, COMMANDS[name], monkeypatch) == 128 + number
    created = [path for verb, path in made.calls if verb == "create" and name in path]
    assert len(created) == 1
    assert not [path for path in made.states if name in path]


def test_a_file_that_is_not_complete_goes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(os, "fsync", fsync)
    args = ("keys", "generate", "--output", str(tmp_path / "key"))
    assert run(cluster(), args, monkeypatch) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_what_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run(cluster(), ("--help",), monkeypatch) == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize(("status", "deleted"), [(403, 0), (0, 1), (504, 1)])
def test_what_was_refused_is_not_deleted_and_what_was_not_answered_is(
    status: int, deleted: int
) -> None:
    made = FakeCluster()

    def refuse(verb: str, path: str) -> None:
        raise ApiError(status, "no")

    made.on_call = refuse
    pod = resource("Pod", "p")
    with pytest.raises(ApiError, match="no"), temporary(made, PODS, pod):
        raise AssertionError
    assert len(made.names("delete")) == deleted
