"""A cluster at the CLI's port: objects in memory, states that change with each look."""

import datetime
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import Result

from leeward.cli.errors import ApiError
from leeward.cli.port import ApiResource, Manifest, RemoteProcess, Target
from leeward.cli.session import Session
from leeward.formats.jobconfig import OUTPUT_MOUNT
from unit.cli.running import invoke

NOW = datetime.datetime(2027, 3, 1, 12, 0, tzinfo=datetime.UTC)


class FakeClock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class LocalProcess:
    """The command of an exec, run on this machine."""

    def __init__(self, command: Sequence[str], breaks_after: int | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._left = breaks_after

    def write(self, data: bytes | memoryview, /) -> int:
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise ApiError(0, "the connection to the pod broke")
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()
        return len(data)

    def said(self) -> bytes:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], 0)
        return b"{" if ready else b""

    def line(self, timeout: float) -> bytes:
        assert self._process.stdout
        return self._process.stdout.readline()

    def end(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            stream.close()
        self._process.wait(10)


@dataclass
class FakeCluster:
    """Implements ``leeward.cli.port.Cluster``.

    Attributes:
        states: URL path -> states of that object; each look but the last uses one up.
        calls: What was asked: (verb, path).
        refused: URL path -> the error that any request for it meets.
        on_call: Told of each request, (verb, path), before it is answered; may raise.
        pod_answers: (method, path) -> answers of pods, or errors; each request uses one up.
        pod_headers: Headers of the requests to pods.
        volume: Where the volume of pods is.
    """

    namespace: str = "clinic"
    address: str = "https://cluster.example:6443"
    states: dict[str, list[Manifest]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, ApiError] = field(default_factory=dict)
    pod_answers: dict[tuple[str, str], list[bytes | ApiError]] = field(default_factory=dict)
    pod_headers: list[dict[str, str]] = field(default_factory=list)
    log_lines: list[bytes] = field(default_factory=list)
    on_create: Callable[[Manifest], list[Manifest]] = lambda manifest: [manifest]
    on_call: Callable[[str, str], None] = lambda verb, path: None
    on_annotate: Callable[[str, dict[str, str]], None] = lambda path, annotations: None
    volume: Path = Path("/nonexistent")
    breaks_after: int | None = None
    clock_offset: float = 0.0

    def put(self, resource: ApiResource, *states: Manifest) -> None:
        metadata = states[0]["metadata"]
        self.states[resource.path(metadata.get("namespace"), metadata["name"])] = list(states)

    def names(self, verb: str) -> list[str]:
        return [path.rpartition("/")[2] for called, path in self.calls if called == verb]

    def _called(self, verb: str, path: str) -> None:
        self.calls.append((verb, path))
        self.on_call(verb, path)
        if path in self.refused:
            raise self.refused[path]

    def find(self, resource: ApiResource, namespace: str | None, name: str) -> Manifest | None:
        path = resource.path(namespace, name)
        self._called("get", path)
        states = self.states.get(path)
        if not states:
            return None
        return states.pop(0) if len(states) > 1 else states[0]

    def list(
        self,
        resource: ApiResource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        self._called("list", resource.path(namespace))
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        found = []
        for path, states in self.states.items():
            if not path.endswith(f"/{resource.plural}/{states[0]['metadata']['name']}"):
                continue
            metadata = states[0]["metadata"]
            if namespace is not None and metadata.get("namespace") != namespace:
                continue
            if wanted.items() <= metadata.get("labels", {}).items():
                found.append(states[0])
        return found

    def table(self, resource: ApiResource, namespace: str | None, name: str | None) -> Manifest:
        found = [m for m in self.list(resource, namespace) if name in (None, m["metadata"]["name"])]
        return {
            "columnDefinitions": [
                {"name": "Name", "priority": 0},
                {"name": "Ready", "priority": 0},
                {"name": "Source", "priority": 1},
            ],
            "rows": [
                {"cells": [m["metadata"]["name"], "True", "admissions"], "object": m} for m in found
            ],
        }

    def create(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        metadata = manifest["metadata"]
        self._called("create", resource.path(metadata.get("namespace"), metadata.get("name")))
        states = self.on_create(manifest)
        if metadata.get("name"):
            self.put(resource, *states)
        return states[0]

    def apply(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        metadata = manifest["metadata"]
        self._called("apply", resource.path(metadata.get("namespace"), metadata["name"]))
        self.put(resource, manifest)
        return manifest

    def replace(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        metadata = manifest["metadata"]
        self._called("replace", resource.path(metadata.get("namespace"), metadata["name"]))
        self.put(resource, manifest)
        return manifest

    def annotate(
        self, resource: ApiResource, namespace: str, name: str, annotations: dict[str, str]
    ) -> None:
        path = resource.path(namespace, name)
        self._called("annotate", path)
        self.on_annotate(path, annotations)

    def delete(self, resource: ApiResource, namespace: str | None, name: str) -> bool:
        path = resource.path(namespace, name)
        self._called("delete", path)
        return self.states.pop(path, None) is not None

    def logs(
        self, namespace: str, pod: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[bytes]:
        self.calls.append(("logs", pod))
        yield from self.log_lines

    @contextmanager
    def execute(
        self, namespace: str, pod: str, command: tuple[str, ...]
    ) -> Iterator[RemoteProcess]:
        self.calls.append(("exec", pod))
        local = [str(self.volume) if part == OUTPUT_MOUNT else part for part in command]
        process = LocalProcess(local, self.breaks_after)
        try:
            yield process
        finally:
            process.end()

    def fetch_from_pod(
        self,
        method: str,
        namespace: str,
        pod: str,
        port: int,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        self.calls.append((method, f"{pod}:{port}{path}"))
        self.pod_headers.append(dict(headers or {}))
        answer = self.pod_answers[method, path].pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def raw(self, path: str) -> Any:
        self._called("raw", path)
        return {"gitVersion": "v1.34.4"}

    def server_time(self) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=self.clock_offset)


def leeward(
    *args: str,
    cluster: FakeCluster | None = None,
    stdin: bytes | None = None,
    answers: Sequence[str] = (),
) -> Result:
    """Run the command as at a terminal that is none, against the fake.

    Args:
        answers: What the user says where something is asked; none: there is no terminal.
    """
    left = iter(answers)

    def connect(target: Target) -> FakeCluster:
        assert cluster is not None, "a command without cluster connected to one"
        return cluster

    def answer(question: str) -> str | None:
        return next(left, None)

    session = Session(connect=connect, clock=FakeClock(), ask=answer, ask_secret=answer)
    return invoke(args, session, stdin)


def condition(
    type_: str, status: str, reason: str, message: str = "", generation: int = 1
) -> Manifest:
    """A condition as the operator writes it."""
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2027-03-01T11:55:00Z",
        "observedGeneration": generation,
    }


def resource(
    kind: str, name: str, *conditions: Manifest, spec: Manifest | None = None, **status: Any
) -> Manifest:
    """A resource of ours in namespace clinic, generation 1."""
    return {
        "apiVersion": "leeward.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "clinic",
            "generation": 1,
            "creationTimestamp": "2027-03-01T11:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": spec or {},
        "status": {"conditions": list(conditions), **status},
    }
