"""HPKE pairs (RFC 9180): base mode, single-shot, HKDF-SHA256, AES-256-GCM; three KEMs.

Payload: encapsulated key, ciphertext of the data key (32 bytes), tag (16 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from leeward.formats.material import XWingPrivateKey, XWingPublicKey
from leeward.formats.sealed.keys.base import Kind
from leeward.formats.sealed.keys.pairs import PrivateHalf, PublicHalf

SUITE_X25519: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
SUITE_P256: Final = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
SUITE_HYBRID: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, eq=False)
class HpkePublicKey(PublicHalf[X25519PublicKey]):
    """Kind 2: DHKEM(X25519, HKDF-SHA256), 0x0020; payload 80 bytes."""

    KIND = Kind.HPKE_X25519
    ALGORITHMS = ("HPKE_X25519",)

    def _encrypt(self, data_key: bytes, info: bytes) -> bytes:
        return SUITE_X25519.encrypt(data_key, self.key, info=info)


@dataclass(frozen=True, slots=True, eq=False)
class HpkePrivateKey(PrivateHalf[X25519PrivateKey]):
    """Kind 2, the private half."""

    KIND = Kind.HPKE_X25519
    ALGORITHMS = ("HPKE_X25519",)

    @property
    def public_key(self) -> HpkePublicKey:
        """The public half, under the same key id."""
        return HpkePublicKey(self.key.public_key(), self.key_id)

    def _decrypt(self, payload: bytes, info: bytes) -> bytes:
        return SUITE_X25519.decrypt(payload, self.key, info=info)


@dataclass(frozen=True, slots=True, eq=False)
class HpkeP256PublicKey(PublicHalf[EllipticCurvePublicKey]):
    """Kind 3: DHKEM(P-256, HKDF-SHA256), 0x0010; payload 113 bytes."""

    KIND = Kind.HPKE_P256
    ALGORITHMS = ("HPKE_P256",)

    def _encrypt(self, data_key: bytes, info: bytes) -> bytes:
        return SUITE_P256.encrypt(data_key, self.key, info=info)


@dataclass(frozen=True, slots=True, eq=False)
class HpkeP256PrivateKey(PrivateHalf[EllipticCurvePrivateKey]):
    """Kind 3, the private half."""

    KIND = Kind.HPKE_P256
    ALGORITHMS = ("HPKE_P256",)

    @property
    def public_key(self) -> HpkeP256PublicKey:
        """The public half, under the same key id."""
        return HpkeP256PublicKey(self.key.public_key(), self.key_id)

    def _decrypt(self, payload: bytes, info: bytes) -> bytes:
        return SUITE_P256.decrypt(payload, self.key, info=info)


@dataclass(frozen=True, slots=True, eq=False)
class HpkeHybridPublicKey(PublicHalf[XWingPublicKey]):
    """Kind 4: MLKEM768-X25519, known as X-Wing, 0x647a (draft-ietf-hpke-pq); payload 1168 bytes.

    It holds while one of ML-KEM-768 (FIPS 203) and X25519 does.
    """

    KIND = Kind.HPKE_MLKEM768_X25519
    ALGORITHMS = ("HPKE_MLKEM768_X25519",)

    def _encrypt(self, data_key: bytes, info: bytes) -> bytes:
        return SUITE_HYBRID.encrypt(data_key, self.key.for_hpke(), info=info)


@dataclass(frozen=True, slots=True, eq=False)
class HpkeHybridPrivateKey(PrivateHalf[XWingPrivateKey]):
    """Kind 4, the private half."""

    KIND = Kind.HPKE_MLKEM768_X25519
    ALGORITHMS = ("HPKE_MLKEM768_X25519",)

    @property
    def public_key(self) -> HpkeHybridPublicKey:
        """The public half, under the same key id."""
        return HpkeHybridPublicKey(self.key.public_key(), self.key_id)

    def _decrypt(self, payload: bytes, info: bytes) -> bytes:
        return SUITE_HYBRID.decrypt(payload, self.key.for_hpke(), info=info)
