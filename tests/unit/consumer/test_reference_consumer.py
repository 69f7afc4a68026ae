"""The reference consumer follows its keys through everything that may happen to them."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import consumer.reference_consumer as program
from consumer.reference_consumer import Consumer, Echo, Pages, Server, load
from leeward.formats.certificates import (
    PAIR_ALGORITHM,
    TRUST_ALGORITHM,
    LeafRequest,
    certificates_id,
    trust_role,
    workload_id,
)
from leeward.formats.keyset import PodKey, PodKeyset
from leeward.keystore.certificates import Leaf, trust_bundle
from unit.keystore.certificate_world import YEAR, VaultAuthority

# What is TLS looks at the real clock.
NOW = datetime.datetime.now(datetime.UTC)
SECRET = base64.b64encode(b"\x07" * 32).decode()
Entry = dict[str, Any]


class Volume:
    """A Secret as the kubelet mounts it: ``..data`` is a link that is exchanged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "keyset.json"
        self.path.symlink_to("..data/keyset.json")
        self._count = 0

    def update(self, data: bytes) -> None:
        self._count += 1
        version = self.folder / f"..{self._count}"
        version.mkdir()
        (version / "keyset.json").write_bytes(data)
        (self.folder / "..data_tmp").symlink_to(version.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")

    def write(self, *entries: Entry) -> None:
        self.update(document(*entries))


def document(*entries: Entry) -> bytes:
    return json.dumps({"formatVersion": 1, "keys": entries}).encode()


def symmetric(version: int = 1, role: str = "source") -> Entry:
    return {
        "id": f"{version:032x}",
        "role": role,
        "algorithm": "AES256_GCM",
        "version": version,
        "material": SECRET,
    }


def certificate(leaf: Leaf, *trusted: VaultAuthority, version: int = 1) -> list[Entry]:
    """The two entries of role mesh."""
    bundle = trust_bundle([authority.pem for authority in trusted], NOW)
    entries = (
        ("mesh", PAIR_ALGORITHM, certificates_id(leaf.certificate_pem), leaf.pair.material()),
        (trust_role("mesh"), TRUST_ALGORITHM, certificates_id(bundle), bundle.encode()),
    )
    return [
        {
            "id": id_,
            "role": role,
            "algorithm": algorithm,
            "version": version,
            "material": base64.b64encode(material).decode(),
        }
        for role, algorithm, id_, material in entries
    ]


def authority(which: int = 0) -> VaultAuthority:
    return VaultAuthority(which=which, now=NOW, lifetime=YEAR)


def leaf_of(issuer: VaultAuthority, name: str = "ward") -> Leaf:
    spiffe_id = workload_id("clinic.example", "clinic", "kd", name)
    return issuer.issue(LeafRequest(f"KeyDelivery clinic/{name}", ("localhost",), spiffe_id))


def serial(leaf: Leaf) -> str:
    """As Python's TLS prints it."""
    text = f"{leaf.serial:X}"
    return text if len(text) % 2 == 0 else "0" + text


def reported(consumer: Consumer) -> list[tuple[str, int]]:
    status, page = consumer.page("/keys")
    assert status == 200
    assert page["formatVersion"] == 1
    return [(key["role"], key["version"]) for key in page["keys"]]


@contextmanager
def serving(consumer: Consumer, handler: type[Pages | Echo]) -> Iterator[int]:
    with Server(consumer, ("127.0.0.1", 0), handler) as server:
        # At its end it waits for its connections: what it counts is counted then.
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    folder = tmp_path / "keys"
    folder.mkdir()
    return Volume(folder)


@pytest.fixture
def make_volume(tmp_path: Path) -> Callable[[str], Volume]:
    def make(name: str) -> Volume:
        (tmp_path / name).mkdir()
        return Volume(tmp_path / name)

    return make


def test_it_says_what_it_holds_now(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    consumer.poll()
    assert reported(consumer) == []
    assert consumer.page("/healthz") == (503, {"ready": False})
    volume.write(symmetric(1), symmetric(4, "output"))
    consumer.poll()
    assert reported(consumer) == [("source", 1), ("output", 4)]
    assert consumer.page("/healthz") == (200, {"ready": True})
    volume.write(symmetric(2))
    consumer.poll()
    assert reported(consumer) == [("source", 2)]
    assert consumer.page("/keys/") == (404, {})


def test_it_reads_what_the_operator_delivers(volume: Volume) -> None:
    key = PodKey.model_validate(symmetric(3))
    volume.update(PodKeyset(keys=[key]).canonical())
    consumer = Consumer(str(volume.path))
    consumer.poll()
    assert consumer.page("/keys")[1]["keys"] == [
        {"role": "source", "id": f"{3:032x}", "version": 3}
    ]


def test_it_reads_a_keyset_once(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric())
    for _ in range(3):
        consumer.poll()
    assert consumer.counts["keysets loaded"] == 1


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_half_a_keyset_changes_nothing(volume: Volume, length: int) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric(1))
    consumer.poll()
    whole = document(symmetric(2))
    volume.update(whole[:length])
    consumer.poll()
    assert reported(consumer) == [("source", 1)]
    assert consumer.counts["keysets refused"] == 1
    volume.update(whole)
    consumer.poll()
    assert reported(consumer) == [("source", 2)]


def test_a_keyset_that_is_taken_away_is_still_held(volume: Volume) -> None:
    consumer = Consumer(str(volume.path))
    volume.write(symmetric(1))
    consumer.poll()
    (volume.folder / "..data").unlink()
    consumer.poll()
    assert reported(consumer) == [("source", 1)]
    assert consumer.last_error == "keysets refused: FileNotFoundError"


def test_one_that_never_acknowledges_uses_the_new_and_reports_the_first(volume: Volume) -> None:
    consumer = Consumer(str(volume.path), acknowledges=False)
    for version in (1, 2, 3):
        volume.write(symmetric(version))
        consumer.poll()
        assert reported(consumer) == [("source", 1)]
    assert consumer.loaded.keys[0][2] == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        load(data, None)
    except program._UNREADABLE:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {}, optional={name: json_values for name in ("id", "role", "version", "material")}
)


@given(st.lists(entries | json_values, max_size=3) | json_values, st.sampled_from([1, 2, "1"]))
def test_any_document_is_read_or_refused(keys: object, version: object) -> None:
    data = json.dumps({"formatVersion": version, "keys": keys}).encode()
    try:
        read = load(data, None)
    except program._UNREADABLE:
        return
    assert isinstance(keys, list | dict | str)
    assert len(read.keys) == len(keys)


def test_it_shows_no_key_material(volume: Volume) -> None:
    lines: list[str] = []
    consumer = Consumer(str(volume.path), "mesh", log=lines.append)
    leaf = leaf_of(authority())
    volume.write(symmetric(), *certificate(leaf, authority()))
    consumer.poll()
    pages = [json.dumps(consumer.page(path)) for path in ("/keys", "/healthz", "/tls")]
    secret_line = leaf.private_key_pem.splitlines()[1]
    for text in (*lines, *pages, repr(consumer)):
        assert SECRET not in text
        assert secret_line not in text
        assert "PRIVATE" not in text
    assert lines == ["holds source version 1, mesh version 1, mesh-trust version 1"]


@pytest.fixture
def mesh(volume: Volume) -> Consumer:
    """A consumer with a certificate."""
    volume.write(*certificate(leaf_of(authority()), authority()))
    consumer = Consumer(str(volume.path), "mesh")
    consumer.poll()
    assert consumer.last_error == ""
    return consumer


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
