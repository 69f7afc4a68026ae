"""Detached signatures of files."""

import base64
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from leeward.formats.document import canonical_json
from leeward.formats.dsse import (
    MAX_WHOLE_MESSAGE,
    MessageTooLarge,
    NotSignature,
    OtherSigner,
    SignatureInvalid,
    SigningAlgorithm,
    sign_envelope,
    verifying_key,
)
from leeward.formats.sealed.errors import SealedError
from leeward.formats.signature import (
    PAYLOAD_TYPE,
    DigestMismatch,
    ReservedMessage,
    sign,
    sign_bare,
    verify,
    verify_bare,
)
from unit.formats.signing_keys import SIGNING, signer

DATA = b"patient_id,name\nP1,Ada\n" * 100_000
DIGESTS = {
    "RSA_PSS": "sha256",
    "ECDSA_P256": "sha256",
    "ECDSA_P384": "sha384",
    "ED25519": "sha256",
    "ML_DSA_65": "sha512",
}


class Trickle(io.BytesIO):
    """A pipe that gives little at a time."""

    def readinto(self, buffer: Any, /) -> int:
        return super().readinto(memoryview(buffer)[:1000])


class Endless:
    """Zeros without end, as far as anybody asks."""

    def readinto(self, buffer: memoryview, /) -> int:
        buffer[:] = bytes(len(buffer))
        return len(buffer)


class Zeros:
    """So many zero bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(self.left, len(buffer))
        buffer[:count] = bytes(count)
        self.left -= count
        return count


class NotYet:
    """A pipe in non-blocking mode."""

    def readinto(self, buffer: memoryview, /) -> None:
        return None


@pytest.mark.parametrize("algorithm", SIGNING)
def test_the_statement_is_as_documented(algorithm: SigningAlgorithm) -> None:
    envelope = json.loads(sign(Trickle(DATA), signer(algorithm)))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    name = DIGESTS[algorithm]
    assert base64.b64decode(envelope["payload"]) == canonical_json(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": {"algorithm": algorithm},
            "predicateType": "https://leeward.dev/file-signature/v1",
            "subject": [{"digest": {name: hashlib.new(name, DATA).hexdigest()}}],
        }
    )


@pytest.mark.parametrize("algorithm", SIGNING)
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_a_signed_file_verifies_and_no_other(algorithm: SigningAlgorithm, data: bytes) -> None:
    key = verifying_key(signer(algorithm))
    envelope = sign(io.BytesIO(data), signer(algorithm))
    verify(Trickle(data), envelope, key)
    for other in (data + b"x", data[:-1] if data else b"\0"):
        with pytest.raises(DigestMismatch):
            verify(io.BytesIO(other), envelope, key)


def test_another_signer_is_refused_before_the_file_is_read() -> None:
    envelope = sign(io.BytesIO(DATA), signer("ED25519"))
    with pytest.raises(OtherSigner):
        verify(Endless(), envelope, verifying_key(signer("ED25519", 1)))


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": {"algorithm": "ED25519"},
        "predicateType": "https://leeward.dev/file-signature/v1",
        "subject": [{"digest": {"sha256": hashlib.sha256(DATA).hexdigest()}}],
    } | changes


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (statement(predicate={"algorithm": "ECDSA_P256"}), "names another algorithm"),
        (statement(subject=[{"digest": {"md5": hashlib.md5(DATA).hexdigest()}}]), "sha256"),  # noqa: S324
        (statement(subject=[{"digest": {"sha512": hashlib.sha512(DATA).hexdigest()}}]), "sha256"),
        (statement(predicateType="https://leeward.dev/receipt/v1"), "another statement"),
        (statement(_type="https://in-toto.io/Statement/v0.1"), "another statement"),
        (statement(subject=[]), "another statement"),
        (statement(subject=statement()["subject"] * 2), "another statement"),
        (statement(more=1), "another statement"),
        ([], "another statement"),
    ],
)
def test_another_statement_by_the_right_key_is_refused(payload: Any, words: str) -> None:
    key = signer("ED25519")
    verify(io.BytesIO(DATA), sign_envelope(PAYLOAD_TYPE, canonical_json(statement()), key),
           verifying_key(key))  # fmt: skip
    envelope = sign_envelope(PAYLOAD_TYPE, canonical_json(payload), key)
    with pytest.raises(NotSignature, match=words):
        verify(io.BytesIO(DATA), envelope, verifying_key(key))


@pytest.mark.parametrize("algorithm", SIGNING)
def test_bare_signatures(algorithm: SigningAlgorithm) -> None:
    key = signer(algorithm)
    signature = sign_bare(Trickle(DATA), key)
    verify_bare(io.BytesIO(DATA), signature, verifying_key(key))
    with pytest.raises(SignatureInvalid):
        verify_bare(io.BytesIO(DATA[1:]), signature, verifying_key(key))


@pytest.mark.parametrize("algorithm", SIGNING)
def test_a_file_that_could_be_passed_off_as_an_envelope_is_not_signed(
    algorithm: SigningAlgorithm,
) -> None:
    with pytest.raises(ReservedMessage):
        sign_bare(Trickle(b"DSSEv1 28 application/vnd.in-toto+json 2 {}"), signer(algorithm))


def test_bare_ed25519_stops_at_its_limit() -> None:
    with pytest.raises(MessageTooLarge):
        sign_bare(Endless(), signer("ED25519"))
    assert MAX_WHOLE_MESSAGE == 256 << 20


def test_a_stream_that_has_nothing_yet_is_not_taken_for_its_end() -> None:
    with pytest.raises(SealedError):
        sign(NotYet(), signer("ED25519"))


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [(a, sign) for a in SIGNING] + [(a, sign_bare) for a in SIGNING if a != "ED25519"],
)
def test_memory_does_not_grow_with_the_file(
    algorithm: SigningAlgorithm, make: Callable[[Any, Any], bytes]
) -> None:
    key = signer(algorithm)
    tracemalloc.start()
    try:
        make(Zeros(64 << 20), key)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_the_example_of_the_document() -> None:
    document = (Path(__file__).parents[3] / "docs/formats/signature.md").read_text()
    expected = next(line for line in document.splitlines() if line.startswith('{"payload"'))
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    assert sign(io.BytesIO(b"hello world\n"), key).decode() == expected + "\n"
