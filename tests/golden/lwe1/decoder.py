"""A second reader of LWE1, written from docs/formats/lwe1.md alone.

It shares no code with leeward: bare AES, ChaCha20, HKDF, HMAC, ML-KEM and Diffie-Hellman. It is
strict and slow.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)


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
    """Open a file; `secrets` maps key ids to key material. AssertionError where it is wrong."""
    slots, header = [data[:8192], data[8192:16384]], data[16384:16512]
    magic, version, algorithm, chunk_size = struct.unpack(">8sHHI", header[:16])
    assert (magic, version) == (b"LWE1CORE", 1)
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
    key = derived["chunk key"]
    assert algorithm in (1, 2)
    cipher = AESGCM(key) if algorithm == 1 else ChaCha20Poly1305(key)
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
    name = {
        1: "artefact",
        2: "hpke-x25519",
        3: "hpke-p256",
        4: "hpke-mlkem768-x25519",
        5: "rsa-oaep-sha256",
        6: "artefact-chacha20-poly1305",
        7: "artefact-fernet",
    }[kind]
    label = f"leeward LWE1 {name} recipient".encode()
    info = label + file_id + key_id
    if kind in (1, 6):
        assert len(payload) == 60
        key = hkdf(secret, file_id, label)
        aead = AESGCM(key) if kind == 1 else ChaCha20Poly1305(key)
        return aead.decrypt(payload[:12], payload[12:], file_id + key_id)
    if kind == 7:
        plain = fernet_open(hkdf(secret, file_id, label), payload)
        assert plain[:-32] == info
        return plain[-32:]
    if kind == 5:
        return oaep_open(secret, payload, info)
    size, exchange = {2: (80, x25519), 3: (113, p256), 4: (1168, hybrid)}[kind]
    assert len(payload) == size
    shared, kem = exchange(secret, payload[:-48])
    return hpke_open(shared, kem, payload[-48:], info)


def fernet_open(secret: bytes, token: bytes) -> bytes:
    """The Fernet specification: version, time, IV, AES-128-CBC with PKCS #7 padding, HMAC."""
    assert len(token) == 228
    raw = base64.urlsafe_b64decode(token)
    assert raw[:9] == b"\x80" + bytes(8)
    assert raw[-32:] == mac(secret[:16], raw[:-32])
    cipher = Cipher(algorithms.AES(secret[16:]), modes.CBC(raw[9:25])).decryptor()
    padded = cipher.update(raw[25:-32]) + cipher.finalize()
    assert padded.endswith(bytes([padded[-1]]) * padded[-1])
    return padded[: -padded[-1]]


def oaep_open(secret: bytes, sealed: bytes, label: bytes) -> bytes:
    """RFC 8017, section 7.1.2, with SHA-256."""
    key = load_der_private_key(secret, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    modulus = numbers.public_numbers.n
    assert len(sealed) == modulus.bit_length() // 8 in (384, 512)
    encoded = pow(int.from_bytes(sealed), numbers.d, modulus).to_bytes(len(sealed))
    masked_seed, masked = encoded[1:33], encoded[33:]
    seed = xor(masked_seed, mgf1(masked, 32))
    block = xor(masked, mgf1(seed, len(masked)))
    padding, found, plain = block[32:].partition(b"\1")
    assert (encoded[0], block[:32], found) == (0, hashlib.sha256(label).digest(), b"\1")
    assert not any(padding)
    return plain


def mgf1(seed: bytes, size: int) -> bytes:
    blocks = (hashlib.sha256(seed + struct.pack(">I", i)).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def x25519(secret: bytes, encapsulated: bytes) -> tuple[bytes, int]:
    private = X25519PrivateKey.from_private_bytes(secret)
    shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    return dhkem(shared, encapsulated + private.public_key().public_bytes_raw(), 0x0020), 0x0020


def p256(secret: bytes, encapsulated: bytes) -> tuple[bytes, int]:
    private = load_der_private_key(secret, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    curve = ec.SECP256R1()
    shared = private.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, encapsulated)
    )
    own = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return dhkem(shared, encapsulated + own, 0x0010), 0x0010


def hybrid(secret: bytes, encapsulated: bytes) -> tuple[bytes, int]:
    """X-Wing: draft-connolly-cfrg-xwing-kem, sections 5.2 to 5.5."""
    expanded = hashlib.shake_256(secret).digest(96)
    one = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    other = X25519PrivateKey.from_private_bytes(expanded[64:])
    first, second = encapsulated[:1088], encapsulated[1088:]
    shared = other.exchange(X25519PublicKey.from_public_bytes(second))
    own = other.public_key().public_bytes_raw()
    mixed = one.decapsulate(first) + shared + second + own + bytes.fromhex("5c2e2f2f5e5c")
    return hashlib.sha3_256(mixed).digest(), 0x647A


def dhkem(shared: bytes, context: bytes, kem: int) -> bytes:
    """RFC 9180, section 4.1: ExtractAndExpand."""
    suite = b"KEM" + struct.pack(">H", kem)
    secret = extract(b"", b"HPKE-v1" + suite + b"eae_prk" + shared)
    return expand(secret, suite, b"shared_secret", context, 32)


def hpke_open(shared_secret: bytes, kem: int, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180, section 5.1: mode base, HKDF-SHA256, AES-256-GCM."""
    suite = b"HPKE" + struct.pack(">HHH", kem, 0x0001, 0x0002)
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
