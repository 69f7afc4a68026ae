"""The CLI's port on the fake API server that the operator's tests use, so that both meet there."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from rich.console import Console
from typer.testing import Result

from fakeapi.store import Answer, FakeApi, Manifest
from leeward.cli.errors import ApiError
from leeward.cli.port import SELF_SUBJECT_REVIEWS, ApiResource, Cluster
from leeward.cli.session import Session
from leeward.kube.client import JSON, MERGE_PATCH
from unit.cli.fake_cluster import FakeClock
from unit.cli.running import invoke


@dataclass
class ApiCluster:
    """What the commands about keys use of ``leeward.cli.port.Cluster``.

    Attributes:
        api: The API server.
        user: Who the command acts as.
    """

    api: FakeApi
    namespace: str = "default"
    address: str = "https://cluster.example:6443"
    user: str = "ada"

    def find(self, resource: ApiResource, namespace: str | None, name: str) -> Manifest | None:
        answer = self._ask("GET", resource.path(namespace, name))
        return None if answer.status == 404 else _body(answer)

    def list(
        self,
        resource: ApiResource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        answer = self._ask("GET", f"{resource.path(namespace)}?labelSelector={labels}")
        items: list[Manifest] = _body(answer)["items"]
        return items

    def create(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        if resource == SELF_SUBJECT_REVIEWS:
            return {**manifest, "status": {"userInfo": {"username": self.user}}}
        path = resource.path(manifest["metadata"].get("namespace"))
        return _body(self._ask("POST", path, manifest))

    def replace(self, resource: ApiResource, manifest: Manifest) -> Manifest:
        metadata = manifest["metadata"]
        return _body(
            self._ask("PUT", resource.path(metadata["namespace"], metadata["name"]), manifest)
        )

    def annotate(
        self, resource: ApiResource, namespace: str, name: str, annotations: dict[str, str]
    ) -> None:
        patch = {"metadata": {"annotations": annotations}}
        _body(self._ask("PATCH", resource.path(namespace, name), patch, MERGE_PATCH))

    def delete(self, resource: ApiResource, namespace: str | None, name: str) -> bool:
        return self._ask("DELETE", resource.path(namespace, name), {}).status != 404

    def _ask(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = JSON
    ) -> Answer:
        return self.api.handle(method, path, body, content_type)


def _body(answer: Answer) -> Manifest:
    if answer.status >= 400:
        raise ApiError(answer.status, answer.body["message"])
    return answer.body


@dataclass
class Terminal:
    """A user at a terminal.

    Attributes:
        hidden: What they type where nothing is shown.
        visible: What they type elsewhere.
        screen: What a terminal shows as standard output; None: there is none.
    """

    hidden: Iterable[str] = ()
    visible: str = ""
    screen: io.StringIO | None = None
    clock: FakeClock = field(default_factory=FakeClock)

    def run(self, cluster: ApiCluster, *args: Any) -> Result:
        """Run a command."""
        left = iter(self.hidden)
        session = Session(
            connect=lambda target: cast(Cluster, cluster),
            clock=self.clock,
            ask_secret=lambda question: next(left, None),
        )
        if self.screen is not None:
            session.out = _terminal(self.screen)
        return invoke([str(arg) for arg in args], session, self.visible)


def _terminal(screen: io.StringIO) -> Console:
    return Console(file=screen, force_terminal=True, width=80, highlight=False, markup=False)
