"""DSSE envelopes: the specification's own vector, and everything that an attacker may change."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from golden.rsa.keys import rsa_key
from leeward.formats.dsse import (
    MAX_ENVELOPE,
    MAX_WHOLE_MESSAGE,
    Message,
    MessageTooLarge,
    NotSignature,
    OtherSigner,
    SignatureError,
    SignatureInvalid,
    SigningAlgorithm,
    UnsuitableKey,
    key_id,
    open_envelope,
    pae,
    sign_envelope,
    signing_algorithm,
    verifying_key,
)
from unit.formats.signing_keys import SIGNING, signer

TYPE = "application/vnd.example+json"
PAYLOAD = b'{"a":1}'


def envelope(algorithm: SigningAlgorithm = "ED25519", which: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sign_envelope(TYPE, PAYLOAD, signer(algorithm, which)))
    return found


def opened(document: Any, algorithm: SigningAlgorithm = "ED25519") -> bytes:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return open_envelope(data, TYPE, verifying_key(signer(algorithm)))


def test_the_vector_of_the_specification() -> None:
    """DSSE 1.0.2, protocol.md, Test Vectors: P-256, nonce by RFC 6979, r and s side by side."""
    numbers = 97358161215184420915383655311931858321456579547487070936769975997791359926199
    key = ec.derive_private_key(numbers, ec.SECP256R1())
    made = json.loads(sign_envelope("http://example.com/HelloWorld", b"hello world", key))
    expected = (
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    r, s = decode_dss_signature(base64.b64decode(made["signatures"][0]["sig"]))
    assert base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode() == expected
    assert made["payload"] == "aGVsbG8gd29ybGQ="
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_of_bytes() -> None:
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@pytest.mark.parametrize("algorithm", SIGNING)
def test_what_is_signed_opens(algorithm: SigningAlgorithm) -> None:
    made = envelope(algorithm)
    assert opened(made, algorithm) == PAYLOAD
    assert made["signatures"][0]["keyid"] == key_id(verifying_key(signer(algorithm)))


def changed_payload(document: dict[str, Any]) -> None:
    document["payload"] = base64.b64encode(b'{"a":2}').decode()


def changed_signature(document: dict[str, Any]) -> None:
    raw = bytearray(base64.b64decode(document["signatures"][0]["sig"]))
    raw[-1] ^= 1
    document["signatures"][0]["sig"] = base64.b64encode(raw).decode()


def cut_signature(document: dict[str, Any]) -> None:
    raw = base64.b64decode(document["signatures"][0]["sig"])
    document["signatures"][0]["sig"] = base64.b64encode(raw[:-1]).decode()


def empty_signature(document: dict[str, Any]) -> None:
    document["signatures"][0]["sig"] = ""


@pytest.mark.parametrize("algorithm", SIGNING)
@pytest.mark.parametrize(
    "change", [changed_payload, changed_signature, cut_signature, empty_signature]
)
def test_what_was_changed_is_refused(
    algorithm: SigningAlgorithm, change: Callable[[dict[str, Any]], None]
) -> None:
    document = envelope(algorithm)
    change(document)
    with pytest.raises(SignatureInvalid):
        opened(document, algorithm)


def test_another_type_of_payload_is_refused() -> None:
    document = envelope() | {"payloadType": "application/vnd.other+json"}
    with pytest.raises(NotSignature, match="another type"):
        opened(document)


def test_a_relabelled_payload_does_not_verify() -> None:
    """The type is under the signature: an envelope of one type cannot be passed off as another."""
    other = json.loads(sign_envelope("application/vnd.other+json", PAYLOAD, signer("ED25519")))
    with pytest.raises(SignatureInvalid):
        opened(other | {"payloadType": TYPE})


@pytest.mark.parametrize("algorithm", SIGNING)
def test_another_key_is_named(algorithm: SigningAlgorithm) -> None:
    document = envelope("ED25519" if algorithm == "ECDSA_P256" else "ECDSA_P256", 1)
    with pytest.raises(OtherSigner, match=document["signatures"][0]["keyid"]):
        opened(document, algorithm)


def test_the_keyid_is_a_hint_only() -> None:
    document = envelope()
    for hint in ("", "of somebody else's making", key_id(verifying_key(signer("ECDSA_P256")))):
        document["signatures"][0]["keyid"] = hint
        assert opened(document) == PAYLOAD
    del document["signatures"][0]["keyid"]
    assert opened(document) == PAYLOAD


def test_a_forged_keyid_is_not_printed() -> None:
    document = envelope("ECDSA_P256")
    document["signatures"][0]["keyid"] = "\x1b[31mevil"
    with pytest.raises(OtherSigner) as caught:
        opened(document)
    assert "evil" not in str(caught.value)


def test_one_good_signature_among_several_is_enough() -> None:
    document, other = envelope(), envelope("ECDSA_P256")
    bad = json.loads(json.dumps(document["signatures"][0]))
    changed_signature({"signatures": [bad]})
    document["signatures"] = [other["signatures"][0], bad, document["signatures"][0]]
    assert opened(document) == PAYLOAD


def test_fields_that_dsse_does_not_know_are_ignored() -> None:
    assert opened(envelope() | {"more": [1]}) == PAYLOAD


def test_url_safe_base64_is_read() -> None:
    document = envelope()
    for place in (document, document["signatures"][0]):
        for name in ("payload", "sig"):
            if name in place:
                place[name] = place[name].replace("+", "-").replace("/", "_")
    assert opened(document) == PAYLOAD


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"payloadType":"x","payload":"","signatures":[]}',
        b'{"payloadType":1,"payload":"","signatures":[{"sig":""}]}',
        b'{"payloadType":"x","payload":"","signatures":[{"sig":1}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b" " * (MAX_ENVELOPE + 1),
        json.dumps({"payloadType": TYPE, "payload": "!", "signatures": [{"sig": ""}]}).encode(),
        json.dumps({"payloadType": TYPE, "payload": "é", "signatures": [{"sig": ""}]}).encode(),
        json.dumps({"payloadType": TYPE, "payload": "", "signatures": [{"sig": ""}] * 17}).encode(),
    ],
)
def test_what_is_no_envelope_is_refused_without_a_quote(data: bytes) -> None:
    with pytest.raises(NotSignature) as caught:
        opened(data)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (rsa_key("2048"), "2048 bits"),
        (ec.generate_private_key(ec.SECP521R1()), "secp521r1"),
        (X25519PrivateKey.generate(), "not one that signs"),
        (b"text", "not one that signs"),
    ],
)
def test_a_key_that_does_not_suit_is_refused(key: Any, words: str) -> None:
    with pytest.raises(UnsuitableKey, match=words):
        signing_algorithm(key)


def test_ed25519_takes_no_more_than_fits_in_memory() -> None:
    message = Message(verifying_key(signer("ED25519")))
    half = memoryview(bytes(MAX_WHOLE_MESSAGE // 2))
    message.update(half)
    message.update(half)
    with pytest.raises(MessageTooLarge, match="envelope"):
        message.update(b"x")


@pytest.mark.parametrize("algorithm", SIGNING)
def test_pieces_make_no_difference(algorithm: SigningAlgorithm) -> None:
    key = signer(algorithm)
    one, two = Message(verifying_key(key)), Message(verifying_key(key))
    one.update(b"abcdef")
    for piece in (b"abc", b"", b"def"):
        two.update(piece)
    two.verify(one.sign(key))
    with pytest.raises(SignatureError):
        Message(verifying_key(key)).verify(one.sign(key))
