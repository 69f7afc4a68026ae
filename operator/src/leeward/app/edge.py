"""The Kopf edge: watches our kinds and their children, and hands on what it sees.

Nothing is done in a handler: it enqueues. Kopf neither writes to resources (no finalizers, no
annotations, no events) nor compares them: its stores of progress and of last-seen states do
nothing.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp
import kopf
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from leeward.api import KINDS
from leeward.api.meta import API_VERSION, GROUP, VERSION
from leeward.app.probes import WatchAges
from leeward.engine.controller import Controller
from leeward.engine.inventory import Key
from leeward.kube.client import CallMeter
from leeward.kube.resources import PLURALS, collection_path
from leeward.kube.transport import authorization
from leeward.plans.shared.names import KIND_LABEL, NAME_LABEL

MANAGED: Final = "app.kubernetes.io/managed-by=leeward-operator"
CHUNK: Final = 500


class _NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no last-seen state: it is only for change handlers, and costs a deep copy each."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Remembers no progress of handlers: they have none."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


class _Backoffs:
    """Seconds between attempts of Kopf's own requests, without end.

    With an end, an API server that is away for a minute ends the operator.
    """

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5, 1.0, 2.0, 4.0, 8.0), itertools.repeat(15.0))


class Figures(Protocol):
    """Keeps figures of all resources of a kind."""

    def saw(self, resource: dict[str, Any], /) -> None:
        """One was listed, made or changed."""

    def gone(self, resource: dict[str, Any], /) -> None:
        """One was deleted."""


class Shown(Protocol):
    """Takes what a watch shows."""

    def __call__(self, body: dict[str, Any], /, *, gone: bool) -> None:
        """An object as it is now, or as it was last."""


def watched_paths(children: Sequence[tuple[str, str]], namespaces: Sequence[str] = ()) -> list[str]:
    """Paths of everything that is watched.

    Args:
        children: (apiVersion, kind) of what is watched besides our own kinds.
        namespaces: Where; none: everywhere.
    """
    own = [(API_VERSION, kind.kind) for kind in KINDS]
    return [
        collection_path(version, kind, namespace)
        for version, kind in (*own, *children)
        for namespace in namespaces or (None,)
    ]


def kopf_settings(children: Sequence[tuple[str, str]]) -> kopf.OperatorSettings:
    """Kopf as a watcher and nothing else."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Backoffs()
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.chunk_size = CHUNK
    settings.queueing.idle_timeout = 0.1
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    for api_version, kind in children:
        group, version = _split(api_version)
        settings.watching.label_selectors[group, version, PLURALS[api_version, kind]] = MANAGED
    return settings


def kopf_registry(
    controller: Controller,
    children: Sequence[tuple[str, str]],
    login: Callable[[], Awaitable[kopf.AiohttpSession]],
    figures: Mapping[str, Figures],
    shown: Shown,
) -> kopf.OperatorRegistry:
    """Handlers that hand on to the controller.

    Args:
        controller: Takes what is seen.
        children: (apiVersion, kind) of what is watched besides our own kinds.
        login: Opens a session.
        figures: Kind -> who keeps figures of it.
        shown: Is told first: who is woken by what is seen must not be told older news.
    """
    registry = kopf.OperatorRegistry()

    async def log_in(**_: Any) -> kopf.AiohttpSession:
        return await login()

    async def see(event: Any, **_: Any) -> None:
        body = event["object"]
        body["metadata"].pop("managedFields", None)
        is_gone = event["type"] == "DELETED"
        shown(body, gone=is_gone)
        counted = figures.get(body["kind"])
        if counted is not None:
            (counted.gone if is_gone else counted.saw)(body)
        if is_gone:
            controller.saw_gone(body)
        else:
            controller.saw(body, listed=event["type"] is None)

    async def see_child(event: Any, **_: Any) -> None:
        body = event["object"]
        labels = body["metadata"].get("labels", {})
        kind, name = labels.get(KIND_LABEL), labels.get(NAME_LABEL)
        namespace = body["metadata"].get("namespace")
        shown(body, gone=event["type"] == "DELETED")
        # What is there when the watch begins is looked at with its owner, which is listed, too.
        if kind and name and namespace and event["type"] is not None:
            controller.saw_child(Key(kind, namespace, name), body)

    kopf.on.login(registry=registry, id="login")(log_in)
    for own in KINDS:
        kopf.on.event(GROUP, VERSION, own.plural, registry=registry, id="see")(see)
    for api_version, kind in children:
        group, version = _split(api_version)
        plural = PLURALS[api_version, kind]
        kopf.on.event(group, version, plural, registry=registry, id="see-child")(see_child)
    return registry


def _split(api_version: str) -> tuple[str, str]:
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", group)


class KopfLogin:
    """Gives Kopf a session of its own: same connection set-up, token renewed for each request."""

    def __init__(
        self,
        configuration: Configuration,
        watches: WatchAges,
        meter: CallMeter,
        on_list: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._watches = watches
        self._meter = meter
        self._on_list = on_list

    async def __call__(self) -> kopf.AiohttpSession:
        """Open a session; Kopf closes it."""
        ssl_context = RESTClientObject(self._configuration).ssl_context
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl_context),
            middlewares=(self._exchange,),
        )
        host = self._configuration.host.rstrip("/")
        return kopf.AiohttpSession(server=host, aiohttp_session=session)

    async def _exchange(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        token = await authorization(self._configuration)
        if token is not None:
            request.headers["Authorization"] = token
        is_watch = request.url.query.get("watch") == "true"
        verb = "watch" if is_watch else "list"
        try:
            response = await handler(request)
        except (aiohttp.ClientError, TimeoutError):
            self._meter.called(verb, "error")
            raise
        self._meter.called(verb, str(response.status))
        if not is_watch:
            self._on_list()  # what was deleted while nobody watched is shown to nobody
        if is_watch and response.status == 200:
            self._watches.opened(request.url.path, response)
        return response
