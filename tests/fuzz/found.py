"""Inputs that once made a parser do what it must not do."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from fuzz.document_targets import GOLDEN, WRAPPED, pod_keysets
from fuzz.import_targets import chosen, pems
from fuzz.mutating import der
from fuzz.signature_targets import leaves


def _pem(label: str, content: bytes) -> bytes:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()


def short_x25519() -> bytes:
    """An X25519 key of 31 bytes: the library calls it an internal error."""
    algorithm = der(0x30, bytes.fromhex("06032b656e"))
    return _pem("PRIVATE KEY", der(0x30, b"\x02\x01\x00" + algorithm + der(4, der(4, bytes(31)))))


def quoted_body() -> bytes:
    """A private key with a line of it as the label at its end, which the library quotes."""
    whole = pems()[0][1:]
    line = whole.split(b"\n")[1]
    return whole.replace(b"-----END PRIVATE KEY-----", b"-----END %b-----" % line)


def later_certificate() -> bytes:
    """A certificate of version 7."""
    made = leaves()[0].public_bytes(Encoding.DER)
    return _pem(
        "CERTIFICATE", made.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020106"))
    )


def later_tbs() -> bytes:
    """The same, signed."""
    made = leaves()[0].tbs_certificate_bytes
    return made.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020106"))


def bits_as_a_name() -> bytes:
    """A certificate whose issuer's name is of a type that few attributes may have."""
    made = leaves()[0].tbs_certificate_bytes
    return made.replace(b"\x0c\x09authority", b"\x03\x09authority", 1)


def unsupported_name() -> bytes:
    """A certificate that names somebody by a kind of name that the library does not read."""
    made = leaves()[0].tbs_certificate_bytes
    return made.replace(b"\x82\x10a.clinic.example", b"\xa3\x10a.clinic.example", 1)


def key_without_role() -> bytes:
    """A pod's keyset that lacks a member beside the material."""
    document = json.loads(pod_keysets()[0])
    del document["keys"][0]["role"]
    return json.dumps(document).encode()


def material_for_a_name() -> bytes:
    """A pod's keyset with material where the name of a member belongs."""
    document = json.loads(pod_keysets()[0])
    document["keys"][0][document["keys"][0]["material"]] = 1
    return json.dumps(document).encode()


def material_of_no_ascii() -> bytes:
    """A pod's keyset whose material is no ASCII: the library's error holds all of it."""
    document = json.loads(pod_keysets()[0])
    document["keys"][0]["material"] += "\ufffd"
    return json.dumps(document).encode()


def backup_of_no_text() -> bytes:
    """A backup with half a character in it."""
    document = json.loads((GOLDEN / "backup.json").read_text())
    document["record"]["fileName"] = "\ud800"
    return json.dumps(document).encode()


def _with(document: dict[str, Any], name: str) -> bytes:
    return json.dumps({**document, name: "\ud800"}).encode()


FOUND = {
    "import-pem": [chosen("HPKE_X25519", short_x25519()), chosen("HPKE_X25519", quoted_body())],
    "private-pem": [short_x25519(), quoted_body()],
    "certificate": [later_certificate()],
    "certificate-signed": [later_tbs(), bits_as_a_name(), unsupported_name()],
    "backup": [backup_of_no_text()],
    "pod-keyset": [
        key_without_role(),
        material_of_no_ascii(),
        material_for_a_name(),
        b"[" * 60_000,
    ],
    "pod-answer": [b"[" * 60_000],
    "wrapped-keyset": [_with(WRAPPED["keyset"], "vault")],
    "wrapped-artefact-key": [_with(WRAPPED["artefactKey"], "key")],
}
"""By harness."""
