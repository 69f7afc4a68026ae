"""Requests to a Transit server: bounded in time and size, tried again, redirected nowhere."""

import json
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from leeward.keystore.providers.port import (
    ProviderError,
    ProviderSealedError,
    ProviderThrottledError,
    ProviderUnreachableError,
)
from leeward.keystore.providers.transit import faults
from leeward.keystore.providers.transit.config import TransitConfig
from leeward.keystore.providers.transit.faults import Answer
from leeward.keystore.providers.transit.surroundings import Limits, Pace

_LONGEST_ASKED: Final = 60.0


class TransitHttp:
    """HTTP to one server, over connections that are kept open.

    A request that fails with 429, 5xx or its connection is tried again until the deadline. All
    requests that are made here may be repeated: encrypting and logging in twice harms nothing.
    """

    def __init__(self, config: TransitConfig, pace: Pace, limits: Limits) -> None:
        self._config = config
        self._pace = pace
        self._limits = limits
        self._open: aiohttp.ClientSession | None = None
        self._failure: ProviderError | None = None
        self._failing_until = 0.0

    async def exchange(
        self, method: str, path: str, *, token: str = "", body: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request.

        Args:
            method: HTTP method.
            path: Below ``/v1/``.
            token: To authorise it; empty: none.
            body: JSON to send.

        Returns:
            What the server said, with a status of 2xx or 4xx.

        Raises:
            ProviderError: It cannot be reached or trusted, is sealed, throttles, lacks the
                namespace, or is something else.
        """
        if self._failure is not None and self._pace.monotonic() < self._failing_until:
            raise type(self._failure)(str(self._failure), self._failure.remedy)
        try:
            return await self._attempts(method, path, token, body)
        except (ProviderUnreachableError, ProviderSealedError, ProviderThrottledError) as error:
            self._cool_down(error)
            raise

    async def close(self) -> None:
        """Close all connections; another request opens them again."""
        if self._open is not None:
            closing, self._open = self._open, None
            await closing.close()

    def _cool_down(self, error: ProviderError) -> None:
        asked = error.retry_after if isinstance(error, ProviderThrottledError) else None
        wait = max(self._limits.cool_down, min(asked or 0.0, _LONGEST_ASKED))
        self._failing_until = self._pace.monotonic() + wait
        self._failure = error

    async def _attempts(
        self, method: str, path: str, token: str, body: Mapping[str, str] | None
    ) -> Answer:
        give_up = self._pace.monotonic() + self._limits.deadline
        longest = self._limits.backoff
        while True:
            left = give_up - self._pace.monotonic()
            try:
                return await self._attempt(
                    method, path, token, body, min(left, self._limits.request)
                )
            except (ProviderUnreachableError, ProviderThrottledError) as error:
                pause = longest * self._pace.unit_random()
                if isinstance(error, ProviderThrottledError):
                    pause = max(pause, error.retry_after or 0.0)
                if self._pace.monotonic() + pause >= give_up:
                    raise
            await self._pace.sleep(pause)
            longest = min(2 * longest, self._limits.longest_backoff)

    async def _attempt(
        self, method: str, path: str, token: str, body: Mapping[str, str] | None, seconds: float
    ) -> Answer:
        # Vault Agent wants to see the first, so that no browser can be led to it.
        headers = {"X-Vault-Request": "true", "Accept-Encoding": "identity"}
        if token:
            headers["X-Vault-Token"] = token
        if self._config.namespace:
            headers["X-Vault-Namespace"] = self._config.namespace
        try:
            async with self._session().request(
                method,
                f"{self._config.address}/v1/{path}",
                json=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=max(seconds, 0.001)),
            ) as response:
                received = await self._body(response)
                return self._answer(path, response, received)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Without its cause: that holds the request's headers.
            raise faults.broken(self._config, error) from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._limits.body
        body = await response.content.read(limit + 1)
        while not response.content.at_eof() and len(body) <= limit:
            body += await response.content.read(limit + 1 - len(body))
        if len(body) > limit:
            raise faults.not_transit(self._config, f"an answer of more than {limit} bytes")
        return body

    def _answer(self, path: str, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        status = response.status
        if 300 <= status < 400:
            raise faults.not_transit(
                self._config, "it redirects (a standby does, where it does not forward requests)"
            )
        document = _json_object(body)
        if document is not None:
            answer = Answer(status, document)
            if faults.is_not_ready(answer):
                raise faults.not_ready(self._config)
        if status == 429:
            raise faults.throttled(self._config, _seconds(response.headers.get("Retry-After")))
        if status >= 500:
            raise faults.failing(self._config, path, status)
        if document is None or (status >= 400 and "errors" not in document):
            raise faults.not_transit(self._config, f"HTTP status {status} without its JSON")
        if answer.says("namespace not found"):
            raise faults.no_namespace(self._config)
        return answer

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            self._open = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=_trust(self._config.ca_pem), limit=self._limits.connections
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._open


def _trust(ca_pem: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later; with a CA bundle, trust in that and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem is None:
        context.load_default_certs()
        return context
    try:
        # Only what stands between BEGIN and END is read, but Python wants all of it in ASCII.
        context.load_verify_locations(cadata=ca_pem.encode("ascii", "replace").decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise faults.bad_bundle() from None
    return context


def _json_object(body: bytes) -> Mapping[str, object] | None:
    if not body:
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdecimal() else None
