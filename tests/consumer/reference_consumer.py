"""The reference consumer: a long-lived pod that does with its keys what serving and training do.

It reads ``keyset.json`` whenever that changes and says at ``/keys`` which versions it holds. Given
the role of a certificate, it echoes over mutual TLS and calls its peers, through every renewal and
change of authorities without a restart. One file of the standard library alone, so that any image
with Python runs it from a ConfigMap:

    python reference_consumer.py --tls-role mesh --call peer.clinic.svc:8443

A keyset that cannot be read, or whose certificate does not stand a handshake with its own
authorities, is not taken: what was held before stays, and ``/keys`` goes on to say so.
"""

import argparse
import base64
import contextlib
import json
import os
import signal
import socket
import socketserver
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

KEYSET: Final = "/run/leeward/keys/keyset.json"
FORMAT_VERSION: Final = 1
TIMEOUT: Final = 10.0
"""Seconds that a peer may take over any one step."""

_UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, RecursionError)
_CHUNK: Final = 65536


@dataclass(frozen=True)
class Tls:
    """A certificate in use, for connections from peers and to them, and as they see it."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    certificate: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """What one keyset holds, without the material: role, id and version of each key."""

    keys: tuple[tuple[str, str, int], ...] = ()
    tls: Tls | None = None


def load(data: bytes, tls_role: str | None) -> Loaded:
    """Read a keyset.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: It is none.
        OSError: Its certificate is not one that TLS can use (``ssl.SSLError`` is an OSError).
    """
    document = json.loads(data)
    if document["formatVersion"] != FORMAT_VERSION:
        raise ValueError("another format version")
    keys = []
    material: dict[str, bytes] = {}
    for key in document["keys"]:
        role, id_, version = key["role"], key["id"], key["version"]
        if not (isinstance(role, str) and isinstance(id_, str) and isinstance(version, int)):
            raise TypeError("a key of another form")
        keys.append((role, id_, version))
        material[role] = base64.b64decode(key["material"], validate=True)
    tls = None
    if tls_role is not None:
        tls = make_tls(material[tls_role], material[f"{tls_role}-trust"].decode("ascii"))
    return Loaded(tuple(keys), tls)


def make_tls(pair: bytes, trust: str) -> Tls:
    """Contexts of a key with its certificate, and of the authorities that peers may have."""
    contexts = []
    # OpenSSL reads a private key from a file only: one in memory, which no disk sees.
    descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pair)
        for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
            context = ssl.SSLContext(protocol)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does from 3.13 on
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
            context.load_verify_locations(cadata=trust)
            contexts.append(context)
    finally:
        os.close(descriptor)
    server, client = contexts
    return Tls(server, client, _own_certificate(server, client))


def _own_certificate(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """What peers will see, by a handshake with itself in memory.

    Raises:
        ssl.SSLError: The certificate would not be accepted.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    client.check_hostname = False
    theirs = client.wrap_bio(to_client, to_server)
    client.check_hostname = True
    for side in (theirs, ours, theirs, ours):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return dict(theirs.getpeercert() or {})


@dataclass
class Consumer:
    """Holds what was loaded last, and counts.

    Attributes:
        acknowledges: Whether ``/keys`` follows; else it stays with the first keyset for good.
    """

    path: str = KEYSET
    tls_role: str | None = None
    acknowledges: bool = True
    log: Callable[[str], object] = lambda _: None
    loaded: Loaded = Loaded()
    counts: Counter[str] = field(default_factory=Counter)
    last_error: str = ""
    _reported: Loaded = Loaded()
    _seen: tuple[int, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def poll(self) -> None:
        """Take the keyset if it is another than was taken last; never raises for what is in it."""
        try:
            # Follows the link that the kubelet swaps. Looked at before it is read: what changes in
            # between is read again next time. What could not be read is tried again each time.
            stat = os.stat(self.path)
            seen = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return
            with open(self.path, "rb") as file:
                loaded = load(file.read(), self.tls_role)
        except _UNREADABLE as error:
            self.count("keysets refused", error)
            return
        self._seen, self.loaded = seen, loaded
        if self.acknowledges or not self._reported.keys:
            self._reported = loaded
        self.count("keysets loaded")
        self.log("holds " + ", ".join(f"{role} version {v}" for role, _, v in loaded.keys))

    def count(self, what: str, error: Exception | None = None) -> None:
        """Count an event; of an error its kind is kept, never its text."""
        with self._lock:
            self.counts[what] += 1
        if error is not None:
            self.last_error = f"{what}: {getattr(error, 'reason', None) or type(error).__name__}"

    def page(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        if path == "/keys":
            keys = [{"role": r, "id": i, "version": v} for r, i, v in self._reported.keys]
            return 200, {"formatVersion": FORMAT_VERSION, "keys": keys}
        if path == "/healthz":
            ready = bool(self.loaded.keys)
            return (200 if ready else 503), {"ready": ready}
        if path == "/tls":
            shown = self.loaded.tls.certificate if self.loaded.tls else {}
            served = {"serial": shown.get("serialNumber"), "notAfter": shown.get("notAfter")}
            return 200, served | {"counts": dict(self.counts), "lastError": self.last_error}
        return 404, {}

    def tls(self) -> Tls:
        """The certificate in use. Raises ConnectionError: none is loaded."""
        if self.loaded.tls is None:
            raise ConnectionError
        return self.loaded.tls

    def call(self, host: str, port: int) -> None:
        """Send a peer something and have it back; how that went is counted."""
        try:
            with (
                socket.create_connection((host, port), TIMEOUT) as raw,
                self.tls().client.wrap_socket(raw, server_hostname=host) as connection,
            ):
                connection.sendall(b"leeward")
                if connection.recv(_CHUNK) != b"leeward":
                    raise ConnectionError
        except OSError as error:
            self.count("calls failed", error)
        else:
            self.count("calls answered")


class Server(socketserver.ThreadingTCPServer):
    """Serves ``Pages`` or ``Echo`` of a consumer."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, consumer: Consumer, address: tuple[str, int], handler: "type[Pages | Echo]"
    ) -> None:
        self.consumer = consumer
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Count it, and keep standard error free of what a peer sent."""
        error = sys.exception()
        if isinstance(error, Exception):
            self.consumer.count("connections broken", error)


class Pages(BaseHTTPRequestHandler):
    """``/keys``, ``/healthz`` and ``/tls``."""

    server: Server
    timeout = TIMEOUT

    def do_GET(self) -> None:
        status, body = self.server.consumer.page(self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """No request is logged."""


class Echo(socketserver.BaseRequestHandler):
    """Echoes over mutual TLS; each connection begins with what is loaded at that moment."""

    server: Server

    def handle(self) -> None:
        consumer = self.server.consumer
        self.request.settimeout(TIMEOUT)
        try:
            connection = consumer.tls().server.wrap_socket(self.request, server_side=True)
        except OSError as error:
            consumer.count("handshakes failed", error)
            return
        consumer.count("handshakes done")
        with connection:
            while data := connection.recv(_CHUNK):
                connection.sendall(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description="Reads keys, says which, and echoes over TLS.")
    parser.add_argument("--keyset", default=KEYSET)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - the pod's own addresses
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--tls-role", help="role of the certificate; left out: no TLS")
    parser.add_argument("--tls-port", type=int, default=8443)
    parser.add_argument("--call", action="append", default=[], help="HOST:PORT of a peer")
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between looks")
    parser.add_argument("--never-acknowledge", action="store_true")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer = Consumer(options.keyset, options.tls_role, not options.never_acknowledge, print)
    servers = [Server(consumer, (options.host, options.port), Pages)]
    if options.tls_role:
        servers.append(Server(consumer, (options.host, options.tls_port), Echo))
    for server in servers:
        print("listens at {}:{}".format(*server.server_address))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for peer in options.call:
        # A thread each: a peer that is away must not keep anybody from looking at the keys.
        work = (consumer, peer, stop, options.interval)
        threading.Thread(target=_call_on, args=work, daemon=True).start()
    consumer.poll()
    while not stop.wait(options.interval):
        consumer.poll()


def _call_on(consumer: Consumer, peer: str, stop: threading.Event, interval: float) -> None:
    host, _, port = peer.rpartition(":")
    while not stop.wait(interval):
        consumer.call(host, int(port))


if __name__ == "__main__":
    main()
