"""HTTP to running pods (``engine.ports.Pods``): progress, results too large for a message.

A pod is somebody else's program as far as trust goes: what it sends is limited in size and time,
must be JSON, and a result counts only with the digest that its termination message named.
"""

import hashlib
import ipaddress
from typing import Final

import aiohttp

from leeward.formats.document import UnreadableDocumentError, read_json
from leeward.formats.jobconfig import RECEIPT_HEADER
from leeward.plans.shared.model import AckResult, KeysOf, Manifest, Outcome, ProgressOf, ResultOf

PORT: Final = 8080
_PROGRESS_LIMIT: Final = 64 * 1024
_RESULT_LIMIT: Final = 16 * 1024 * 1024
_PROGRESS_TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)
_RESULT_TIMEOUT: Final = aiohttp.ClientTimeout(total=20.0, sock_connect=2.0)


class PodHttp:
    """Talks to the programs in pods. A pod that does not answer yields None."""

    def __init__(self, session: aiohttp.ClientSession, port: int = PORT) -> None:
        self._session = session
        self._port = port

    async def progress(self, need: ProgressOf) -> Manifest | None:
        """``/progress``, or None without an answer."""
        url = self._url(need.ip, "/progress")
        body = await self._get(url, _PROGRESS_LIMIT, _PROGRESS_TIMEOUT)
        return None if body is None else _document(body)

    async def keys(self, need: KeysOf) -> Manifest | None:
        """``/keys`` of a pod that is none of ours, or None without an answer."""
        url = _url(need.ip, need.port, "/keys")
        body = await self._get(url, _PROGRESS_LIMIT, _PROGRESS_TIMEOUT)
        return None if body is None else _document(body)

    async def result(self, need: ResultOf) -> Manifest | None:
        """``/result``, if its digest is right, or None."""
        url = self._url(need.ip, "/result")
        body = await self._get(url, _RESULT_LIMIT, _RESULT_TIMEOUT)
        if body is None or f"sha256:{hashlib.sha256(body).hexdigest()}" != need.digest:
            return None
        return _document(body)

    async def ack(self, action: AckResult) -> Outcome:
        """DELETE ``/result``. A pod that does not answer has ended: that is as good."""
        try:
            async with self._session.delete(
                self._url(action.ip, "/result"),
                headers={RECEIPT_HEADER: action.digest},
                timeout=_PROGRESS_TIMEOUT,
                allow_redirects=False,
            ):
                pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        return Outcome("Done")

    async def _get(self, url: str, limit: int, patience: aiohttp.ClientTimeout) -> bytes | None:
        try:
            async with self._session.get(url, timeout=patience, allow_redirects=False) as response:
                if response.status != 200:
                    return None
                body = await response.content.read(limit + 1)
                while not response.content.at_eof() and len(body) <= limit:
                    body += await response.content.read(limit + 1 - len(body))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return body if len(body) <= limit else None

    def _url(self, ip: str, path: str) -> str:
        return _url(ip, self._port, path)


def _url(ip: str, port: int, path: str) -> str:
    address = ipaddress.ip_address(ip)
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{port}{path}"


def _document(body: bytes) -> Manifest | None:
    try:
        document = read_json(body)
    except UnreadableDocumentError:
        return None
    return document if isinstance(document, dict) else None
