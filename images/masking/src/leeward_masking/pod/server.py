"""The HTTP port of the pod: /metrics, /progress, /keys and /result; no request is logged.

Who may connect is the NetworkPolicy's affair. /result holds nothing readable that others may not
see: a report without values, or rows sealed to who asked for them. It goes when somebody deletes it
who shows that they have read it.
"""

import hmac
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from leeward.formats.jobconfig import RECEIPT_HEADER
from leeward_masking.pod.metrics import CONTENT_TYPE
from leeward_masking.progress import Progress

JSON: Final = "application/json"
_TIMEOUT: Final = 10
"""Seconds that a client may take over its request."""
EVERYWHERE: Final = ("::", "0.0.0.0")  # noqa: S104 (the pod's own addresses)
"""Every address of the pod, of IPv4 and IPv6; where there is no IPv6, of IPv4."""


class ResultBox:
    """The result that waits at /result until somebody deletes it."""

    def __init__(self) -> None:
        self._body: tuple[bytes, str] | None = None
        self._receipt = ""
        self._deleted = threading.Event()

    def put(self, body: bytes, content_type: str, receipt: str) -> None:
        """Serve ``body`` from now on, until somebody deletes it who knows the receipt."""
        self._receipt = receipt
        self._body = (body, content_type)

    def get(self) -> tuple[bytes, str] | None:
        """Body and content type, None while there is none."""
        return self._body

    def knows(self, receipt: str) -> bool:
        """Whether this is the receipt of the result."""
        return hmac.compare_digest(receipt.encode(), self._receipt.encode())

    def delete(self) -> bool:
        """Forget it; whether there was one."""
        there = self._body is not None
        self._body = None
        if there:
            self._deleted.set()
        return there

    @property
    def deleted(self) -> threading.Event:
        """Set once it was deleted."""
        return self._deleted


class PodServer(ThreadingHTTPServer):
    """Serves the endpoints.

    Args:
        address: Where to listen: an address of IPv4 or IPv6 (``::``: every one of both), and a
            port; 0: any free one.
        metrics: Answer to GET /metrics.
        progress: Behind GET /progress.
        keys: Ids and versions for GET /keys.
        results: Behind /result.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        metrics: Callable[[], bytes],
        progress: Progress,
        keys: list[dict[str, str | int]],
        results: ResultBox,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)
        self.results: Final = results
        self.pages: Final[dict[str, Callable[[], tuple[bytes, str] | None]]] = {
            "/metrics": lambda: (metrics(), CONTENT_TYPE),
            "/progress": lambda: (progress.report().canonical(), JSON),
            "/keys": lambda: (json.dumps({"keys": keys}).encode(), JSON),
            "/result": results.get,
        }

    def server_bind(self) -> None:
        """Bind, for IPv4, too; and without HTTPServer's look-up of the own name in the DNS."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: PodServer
    timeout = _TIMEOUT
    server_version = "leeward-masking"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        found = page() if page else None
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, *found)

    def do_DELETE(self) -> None:
        if self.path != "/result":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED)
        elif self.server.results.get() is None:
            self._answer(HTTPStatus.NOT_FOUND)
        elif not self.server.results.knows(self.headers.get(RECEIPT_HEADER, "")):
            self._answer(HTTPStatus.FORBIDDEN)
        else:
            # The answer first: the process may end as soon as the result is deleted.
            self._answer(HTTPStatus.NO_CONTENT)
            self.wfile.flush()
            self.server.results.delete()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: HTTPStatus, body: bytes = b"", content_type: str = JSON) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def listening(hosts: Sequence[str], make: Callable[[str], PodServer]) -> PodServer:
    """A server at the first of these addresses that this machine has.

    Raises:
        OSError: It has none of them.
    """
    for host in hosts[:-1]:
        try:
            return make(host)
        except OSError:
            continue
    return make(hosts[-1])


@contextmanager
def serving(server: PodServer) -> Iterator[PodServer]:
    """Answer requests in a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
