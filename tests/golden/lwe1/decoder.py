"""A second reader of LWE1, written from docs/formats/lwe1.md alone.

It shares no code with leeward: bare AES-GCM, HKDF, HMAC and X25519. It is strict and slow.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand


@dataclass(frozen=True)
class Decoded:
    file_id: bytes
    manifest_id: bytes
    generation: int
    recipients: list[tuple[int, bytes]]
    plaintext: bytes
    digest: bytes


def hkdf(ikm: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(ikm)


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, "sha256").digest()


def decode(data: bytes, secrets: dict[bytes, bytes]) -> Decoded:
    """Open a file; `secrets` maps key ids to 32 secret bytes. AssertionError where it is wrong."""
    slots, header = [data[:8192], data[8192:16384]], data[16384:16512]
    magic, version, algorithm, chunk_size = struct.unpack(">8sHHI", header[:16])
    assert (magic, version, algorithm) == (b"LWE1CORE", 1, 1)
    assert 64 <= chunk_size <= 1 << 24
    assert chunk_size.bit_count() == 1
    file_id, manifest_id, reserved = header[16:32], header[32:48], header[48:64]
    assert reserved == bytes(16)
    assert slots[0] == slots[1]
    generation, recipients = parse_slot(slots[0], file_id)
    data_key = next(
        unwrap(kind, key_id, payload, file_id, secrets[key_id])
        for kind, key_id, payload in recipients
        if key_id in secrets
    )
    derived = {
        use: hkdf(data_key, file_id, f"leeward LWE1 {use}".encode())
        for use in ("chunk key", "key commitment", "header MAC key", "slot MAC key")
    }
    assert header[64:96] == derived["key commitment"]
    assert header[96:128] == mac(derived["header MAC key"], header[:96])
    assert slots[0][8152:8184] == mac(derived["slot MAC key"], slots[0][:8152])
    body = data[16512:]
    sealed = [body[at : at + chunk_size + 16] for at in range(0, len(body), chunk_size + 16)]
    cipher = AESGCM(derived["chunk key"])
    plain = [
        cipher.decrypt(struct.pack(">7xIB", i, i == len(sealed) - 1), chunk, header)
        for i, chunk in enumerate(sealed)
    ]
    assert plain[-1] or len(plain) == 1
    digest = hashlib.sha256(header + b"".join(hashlib.sha256(c).digest() for c in sealed)).digest()
    named = [(kind, key_id) for kind, key_id, _ in recipients]
    return Decoded(file_id, manifest_id, generation, named, b"".join(plain), digest)


def parse_slot(slot: bytes, file_id: bytes) -> tuple[int, list[tuple[int, bytes, bytes]]]:
    magic, version, count, length, generation = struct.unpack(">8sHHIQ", slot[:24])
    assert (magic, version, slot[24:40]) == (b"LWE1SLOT", 1, file_id)
    assert slot[8184:] == b"C" + bytes(7)
    recipients, at = [], 40
    for _ in range(count):
        kind, size = struct.unpack(">HH", slot[at : at + 4])
        recipients.append((kind, slot[at + 4 : at + 20], slot[at + 20 : at + 20 + size]))
        at += 20 + size
    assert at == 40 + length
    assert slot[at:8152] == bytes(8152 - at)
    return generation, recipients


def unwrap(kind: int, key_id: bytes, payload: bytes, file_id: bytes, secret: bytes) -> bytes:
    if kind == 1:
        assert len(payload) == 60
        key = hkdf(secret, file_id, b"leeward LWE1 artefact recipient")
        return AESGCM(key).decrypt(payload[:12], payload[12:], file_id + key_id)
    assert kind == 2
    assert len(payload) == 80
    info = b"leeward LWE1 hpke-x25519 recipient" + file_id + key_id
    return hpke_open(secret, payload[:32], payload[32:], info)


def hpke_open(secret: bytes, encapsulated: bytes, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180, sections 4.1 and 5.1: mode base, suite 0x0020, 0x0001, 0x0002."""
    private = X25519PrivateKey.from_private_bytes(secret)
    shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    context = encapsulated + private.public_key().public_bytes_raw()
    kem = b"KEM" + struct.pack(">H", 0x0020)
    eae = extract(b"", b"HPKE-v1" + kem + b"eae_prk" + shared)
    shared_secret = expand(eae, kem, b"shared_secret", context, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)
    psk_id_hash = extract(b"", b"HPKE-v1" + suite + b"psk_id_hash")
    info_hash = extract(b"", b"HPKE-v1" + suite + b"info_hash" + info)
    schedule = b"\0" + psk_id_hash + info_hash
    root = extract(shared_secret, b"HPKE-v1" + suite + b"secret")
    key = expand(root, suite, b"key", schedule, 32)
    nonce = expand(root, suite, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, sealed, b"")


def extract(salt: bytes, ikm: bytes) -> bytes:
    return mac(salt or bytes(32), ikm)


def expand(key: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = struct.pack(">H", size) + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), size, labelled).derive(key)
