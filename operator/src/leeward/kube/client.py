"""Requests to the API server: JSON in, JSON out, errors mapped, calls counted.

Documents are raw: what the operator writes is made by plans, what it reads is read by plans, and
the official client's typed models would check each of them once more, on the hot path.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlencode

from leeward.kube.errors import error_of
from leeward.kube.recent import RecentObjects, nothing
from leeward.kube.resources import collection_path, object_path, ref_of
from leeward.plans.shared.model import Manifest, ObjectRef

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
PAGE: Final = 500
Page: TypeAlias = list[Manifest]


class Transport(Protocol):
    """One HTTP exchange with the API server."""

    async def exchange(
        self, method: str, path: str, body: Manifest | None, content_type: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request; return status, headers and body.

        Raises:
            TransientError: There was no answer; whether the request had an effect is not known.
        """


class Limiter(Protocol):
    """Holds requests back, so that the API server is not overrun."""

    async def acquire(self) -> None:
        """Wait for leave to send one request."""

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long: the API server asked for it."""


class CallMeter(Protocol):
    """Counts API calls."""

    def called(self, verb: str, code: str) -> None:
        """One call ended with that HTTP status, or ``error`` without an answer."""


class KubeClient:
    """The API server. Every method raises what ``kube.errors`` lists."""

    def __init__(
        self,
        transport: Transport,
        limiter: Limiter,
        meter: CallMeter,
        recent: RecentObjects | None = None,
    ) -> None:
        """Make one.

        Args:
            transport: Carries requests.
            limiter: Holds them back.
            meter: Counts them.
            recent: Takes answers, so that they need not be asked for again; None: nothing does.
        """
        self._transport = transport
        self._limiter = limiter
        self._meter = meter
        self.recent = nothing() if recent is None else recent

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest:
        """The object, as it is or was a moment ago. Raises NotFoundError where there is none.

        Args:
            ref: The object.
            fresh: Whether it is asked for in any case.
        """
        known = None if fresh else self.recent.find(ref)
        if known is not None:
            found: Manifest = json.loads(known)
            return found
        return await self._about(ref, "get", "GET", object_path(ref))

    async def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> list[Manifest]:
        """All objects of a kind in a namespace, or in all (None), read in pages.

        Args:
            api_version: Their apiVersion.
            kind: Their kind.
            namespace: Where, or None for everywhere.
            labels: Label selector.
            fields: Field selector.
        """
        pages = self.pages(api_version, kind, namespace, labels=labels, fields=fields)
        return [item async for page in pages for item in page]

    async def pages(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[Page]:
        """The same page by page, for who does not need all of them at once in memory."""
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        path = collection_path(api_version, kind, namespace)
        while True:
            page = await self.request("list", "GET", path, query=query)
            yield [{"apiVersion": api_version, "kind": kind, **i} for i in page["items"]]
            more = page["metadata"].get("continue")
            if not more:
                return
            query["continue"] = more

    async def create(self, manifest: Manifest, manager: str) -> Manifest:
        """POST. Raises AlreadyExistsError."""
        ref = ref_of(manifest)
        path = collection_path(ref.api_version, ref.kind, ref.namespace)
        query = {"fieldManager": manager}
        return await self._about(ref, "create", "POST", path, body=manifest, query=query)

    async def replace(self, manifest: Manifest, manager: str, *, subresource: str = "") -> Manifest:
        """PUT. With a resourceVersion in the manifest, a compare-and-swap.

        Raises:
            StaleWriteError: The object has changed since.
        """
        ref = ref_of(manifest)
        path = object_path(ref, subresource)
        query = {"fieldManager": manager}
        return await self._about(ref, "update", "PUT", path, body=manifest, query=query)

    async def delete(
        self,
        ref: ObjectRef,
        *,
        uid: str | None = None,
        version: str | None = None,
        grace: int | None = None,
    ) -> None:
        """DELETE with background propagation; only the object with that uid, where one is named.

        Args:
            ref: The object.
            uid: Its UID, or None for whatever has the name.
            version: Its resourceVersion, or None for whichever it is.
            grace: Seconds that a pod has to end; None: as its spec says.

        Raises:
            NotFoundError: It is gone already.
            StaleWriteError: Another object has that name now.
        """
        options: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        conditions = {"uid": uid, "resourceVersion": version}
        options["preconditions"] = {name: told for name, told in conditions.items() if told}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        with self.recent.lost(ref):
            await self.request("delete", "DELETE", object_path(ref), body=options)

    async def apply(
        self, manifest: Manifest, manager: str, *, force: bool, subresource: str = ""
    ) -> Manifest:
        """Server-side apply. Without force, fields of another manager raise StaleWriteError."""
        ref = ref_of(manifest)
        path = object_path(ref, subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._about(
            ref, "apply", "PATCH", path, body=manifest, query=query, content_type=APPLY_PATCH
        )

    async def merge_patch(
        self, ref: ObjectRef, patch: Manifest, manager: str, *, subresource: str = ""
    ) -> Manifest:
        """JSON merge patch (RFC 7386); a resourceVersion in it makes it a compare-and-swap."""
        return await self._about(
            ref,
            "patch",
            "PATCH",
            object_path(ref, subresource),
            body=patch,
            query={"fieldManager": manager},
            content_type=MERGE_PATCH,
        )

    async def _about(
        self,
        ref: ObjectRef,
        verb: str,
        method: str,
        path: str,
        *,
        body: Manifest | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
    ) -> Manifest:
        """One request that is answered with the object as it is then."""
        with self.recent.asked(ref) as answered:
            answer = await self._send(verb, method, path, body, query, content_type)
            document: Manifest = json.loads(answer)
            answered(document["metadata"]["resourceVersion"], answer)
        return document

    async def request(
        self,
        verb: str,
        method: str,
        path: str,
        *,
        body: Manifest | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        limited: bool = True,
    ) -> Manifest:
        """One request, of which the answer is a JSON document.

        Args:
            verb: Name of the call in metrics.
            method: HTTP method.
            path: Absolute path.
            body: Document to send.
            query: Query parameters.
            content_type: Of the body.
            limited: Whether it waits for the rate limiter; the lease does not.
        """
        answer = await self._send(verb, method, path, body, query, content_type, limited=limited)
        document: Manifest = json.loads(answer)
        return document

    async def _send(
        self,
        verb: str,
        method: str,
        path: str,
        body: Manifest | None,
        query: Mapping[str, str] | None,
        content_type: str,
        *,
        limited: bool = True,
    ) -> bytes:
        if limited:
            await self._limiter.acquire()
        if query:
            path = f"{path}?{urlencode(query)}"
        code = "error"
        try:
            status, headers, answer = await self._transport.exchange(
                method, path, body, content_type
            )
            code = str(status)
        finally:
            self._meter.called(verb, code)
        if status < 400:
            return answer
        error = error_of(status, answer, headers)
        wait = getattr(error, "retry_after", None)
        if status == 429 and wait:
            self._limiter.pause(wait)
        raise error
