"""A keyset as a pod sees it, certificates to put into it, and servers for a consumer."""

from __future__ import annotations

import base64
import datetime
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consumer.reference_consumer import Consumer, Echo, Pages, Server
from leeward.formats.certificates import (
    PAIR_ALGORITHM,
    TRUST_ALGORITHM,
    LeafRequest,
    certificates_id,
    trust_role,
    workload_id,
)
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
