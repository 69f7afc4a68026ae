"""The reference consumer with certificates: mutual TLS, renewed without a restart."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Literal

import pytest

import consumer.reference_consumer as program
from consumer.reference_consumer import Consumer, Echo, Pages
from leeward.formats.certificates import (
    LeafRequest,
)
from unit.consumer.consumer_world import (
    NOW,
    SECRET,
    Entry,
    Volume,
    authority,
    certificate,
    leaf_of,
    reported,
    serial,
    serving,
)
from unit.keystore.certificate_world import YEAR, VaultAuthority


def test_it_serves_its_pages(mesh: Consumer) -> None:
    with (
        serving(mesh, Pages) as port,
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client,
    ):
        client.request("GET", "/keys")
        answer = client.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read()) == mesh.page("/keys")[1]


def shake(port: int, mine: Consumer) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), 10)
    return mine.tls().client.wrap_socket(raw, server_hostname="localhost")


def test_a_renewed_leaf_is_served_without_a_restart(mesh: Consumer, volume: Volume) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(serving(mesh, Echo))
        before = stack.enter_context(shake(port, mesh))
        assert before.version() == "TLSv1.3"
        renewed = leaf_of(authority())
        volume.write(*certificate(renewed, authority()))
        mesh.poll()
        after = stack.enter_context(shake(port, mesh))
        seen = after.getpeercert() or {}
        assert seen["serialNumber"] == serial(renewed) == mesh.page("/tls")[1]["serial"]
        assert ("URI", "spiffe://clinic.example/ns/clinic/kd/ward") in seen["subjectAltName"]
        # A connection that was there before goes on.
        for connection in (before, after):
            connection.sendall(b"rows")
            assert connection.recv(10) == b"rows"
    assert mesh.counts["handshakes done"] == 2
    assert mesh.counts["handshakes failed"] == 0


def test_a_peer_without_a_certificate_of_ours_is_refused_and_counted(
    mesh: Consumer, make_volume: Callable[[str], Volume]
) -> None:
    other = make_volume("stranger")
    other.write(*certificate(leaf_of(authority(1)), authority(1), authority(0)))
    stranger = Consumer(str(other.path), "mesh")
    stranger.poll()
    with serving(mesh, Echo) as port:
        stranger.call("localhost", port)
        assert stranger.counts == {"keysets loaded": 1, "calls failed": 1}
        nobody = ssl.create_default_context(cadata=authority().pem)
        with (
            pytest.raises(OSError, match=r"CERTIFICATE_REQUIRED|certificate required"),
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            nobody.wrap_socket(raw, server_hostname="localhost") as connection,
        ):
            connection.recv(1)
    assert mesh.counts["handshakes failed"] == 2
    assert mesh.counts["handshakes done"] == 0


def test_it_speaks_tls_1_3_only(mesh: Consumer) -> None:
    dated = ssl.create_default_context(cadata=authority().pem)
    dated.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        serving(mesh, Echo) as port,
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        dated.wrap_socket(raw, server_hostname="localhost")


def test_it_calls_nobody_whom_its_authorities_did_not_name(
    mesh: Consumer, make_volume: Callable[[str], Volume]
) -> None:
    other = make_volume("stranger")
    other.write(*certificate(leaf_of(authority(1)), authority(1), authority(0)))
    stranger = Consumer(str(other.path), "mesh")
    stranger.poll()
    with serving(stranger, Echo) as port:
        mesh.call("localhost", port)
    assert mesh.counts["calls failed"] == 1
    assert mesh.last_error == "calls failed: CERTIFICATE_VERIFY_FAILED"


def test_it_calls_nobody_by_another_name_than_is_certified(mesh: Consumer) -> None:
    with serving(mesh, Echo) as port:
        mesh.call("127.0.0.1", port)
        assert mesh.last_error == "calls failed: CERTIFICATE_VERIFY_FAILED"
        mesh.call("localhost", port)
    assert mesh.counts["calls answered"] == 1


def test_authorities_change_in_two_phases_without_a_failed_call(
    make_volume: Callable[[str], Volume],
) -> None:
    """Trust in old and new, everywhere; then leaves of the new; then trust in the new alone.

    At no moment, also with only one of the two pods updated, does a call fail.
    """
    old, new = authority(0), authority(1)
    volumes = {name: make_volume(name) for name in ("ward", "lab")}
    consumers = {name: Consumer(str(v.path), "mesh") for name, v in volumes.items()}
    calls = 0
    with ExitStack() as stack:
        ports = {n: stack.enter_context(serving(c, Echo)) for n, c in consumers.items()}
        for version, issuer, trusted in (
            (1, old, (old,)),
            (2, old, (old, new)),
            (3, new, (old, new)),
            (4, new, (new,)),
        ):
            for name, consumer in consumers.items():
                leaf = leaf_of(issuer, name)
                volumes[name].write(*certificate(leaf, *trusted, version=version))
                consumer.poll()
                assert reported(consumer) == [("mesh", version), ("mesh-trust", version)]
                if version == 1:
                    continue
                calls += 1
                consumers["ward"].call("localhost", ports["lab"])
                consumers["lab"].call("localhost", ports["ward"])
    for consumer in consumers.values():
        assert consumer.counts["calls answered"] == consumer.counts["handshakes done"] == calls
        assert consumer.last_error == ""


def test_a_leaf_of_an_authority_that_peers_do_not_trust_yet_is_not_taken(
    mesh: Consumer, volume: Volume
) -> None:
    """It would be refused by all: what was held stays, and is what is reported."""
    before = mesh.page("/tls")[1]["serial"]
    volume.write(*certificate(leaf_of(authority(1)), authority(0), version=2))
    mesh.poll()
    assert reported(mesh) == [("mesh", 1), ("mesh-trust", 1)]
    assert mesh.page("/tls")[1]["serial"] == before
    assert mesh.page("/tls")[1]["lastError"] == "keysets refused: CERTIFICATE_VERIFY_FAILED"


def _without_trust(entries: list[Entry]) -> list[Entry]:
    return entries[:1]


def _of_another_key(entries: list[Entry]) -> list[Entry]:
    own = base64.b64decode(entries[0]["material"]).decode()
    key, mark, _ = own.partition("-----BEGIN CERTIFICATE-----")
    mixed = key + mark + leaf_of(authority()).certificate_pem.partition(mark)[2]
    return [entries[0] | {"material": base64.b64encode(mixed.encode()).decode()}, entries[1]]


def _encrypted(entries: list[Entry]) -> list[Entry]:
    own = base64.b64decode(entries[0]["material"]).decode()
    locked = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-passout", "pass:secret"],
        input=own,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    mixed = locked + own[own.index("-----BEGIN CERTIFICATE") :]
    return [entries[0] | {"material": base64.b64encode(mixed.encode()).decode()}, entries[1]]


def _no_pem(entries: list[Entry]) -> list[Entry]:
    return [entries[0] | {"material": SECRET}, entries[1]]


def _other_text_as_trust(entries: list[Entry]) -> list[Entry]:
    return [entries[0], entries[1] | {"material": SECRET}]


@pytest.mark.parametrize(
    "spoil", [_without_trust, _of_another_key, _encrypted, _no_pem, _other_text_as_trust]
)
def test_a_certificate_that_cannot_be_used_is_not_taken(
    mesh: Consumer, volume: Volume, spoil: Callable[[list[Entry]], list[Entry]]
) -> None:
    before = mesh.page("/tls")[1]["serial"]
    volume.write(*spoil(certificate(leaf_of(authority()), authority(), version=2)))
    mesh.poll()
    assert reported(mesh)[0] == ("mesh", 1)
    assert mesh.page("/tls")[1]["serial"] == before
    assert mesh.counts["keysets refused"] == 1


@pytest.mark.parametrize("usage", ["server", "client"])
def test_a_leaf_for_one_side_only_is_not_taken(
    mesh: Consumer, volume: Volume, usage: Literal["server", "client"]
) -> None:
    request = LeafRequest("KeyDelivery clinic/ward", ("localhost",), usages=frozenset({usage}))
    volume.write(*certificate(authority().issue(request), authority(), version=2))
    mesh.poll()
    assert reported(mesh)[0] == ("mesh", 1)


def test_an_expired_leaf_is_not_taken(mesh: Consumer, volume: Volume) -> None:
    past = VaultAuthority(now=NOW - YEAR, lifetime=2 * YEAR)
    leaf = past.issue(LeafRequest("KeyDelivery clinic/ward", ("localhost",)))
    volume.write(*certificate(leaf, past, version=2))
    mesh.poll()
    assert reported(mesh)[0] == ("mesh", 1)


def test_the_program_runs_until_it_is_told_to_end(volume: Volume) -> None:
    volume.write(*certificate(leaf_of(authority()), authority()))
    command = [sys.executable, "-u", program.__file__, "--keyset", str(volume.path)]
    options = ["--host", "127.0.0.1", "--port", "0", "--tls-port", "0", "--tls-role", "mesh"]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pages, echo = (int(process.stdout.readline().rpartition(":")[2]) for _ in range(2))
        assert process.stdout.readline().startswith("holds mesh version 1")
        with closing(http.client.HTTPConnection("127.0.0.1", pages, timeout=10)) as client:
            client.request("GET", "/healthz")
            assert client.getresponse().read() == b'{"ready": true}'
        peer = Consumer(str(volume.path), "mesh")
        peer.poll()
        peer.call("localhost", echo)
        assert peer.counts["calls answered"] == 1
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
