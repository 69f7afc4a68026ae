"""RSA pairs: RSAES-OAEP with SHA-256 (RFC 8017), 3072 or 4096 bits."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from leeward.formats.sealed.keys.base import Kind
from leeward.formats.sealed.keys.pairs import PrivateHalf, PublicHalf


@dataclass(frozen=True, slots=True, eq=False)
class RsaOaepPublicKey(PublicHalf[RSAPublicKey]):
    """Kind 5; payload as long as the modulus: 384 or 512 bytes."""

    KIND = Kind.RSA_OAEP_SHA256
    ALGORITHMS = ("RSA3072_OAEP", "RSA4096_OAEP")

    def _encrypt(self, data_key: bytes, info: bytes) -> bytes:
        return self.key.encrypt(data_key, padding(info))


@dataclass(frozen=True, slots=True, eq=False)
class RsaOaepPrivateKey(PrivateHalf[RSAPrivateKey]):
    """Kind 5, the private half."""

    KIND = Kind.RSA_OAEP_SHA256
    ALGORITHMS = ("RSA3072_OAEP", "RSA4096_OAEP")

    @property
    def public_key(self) -> RsaOaepPublicKey:
        """The public half, under the same key id."""
        return RsaOaepPublicKey(self.key.public_key(), self.key_id)

    def _decrypt(self, payload: bytes, info: bytes) -> bytes:
        return self.key.decrypt(payload, padding(info))


def padding(label: bytes) -> OAEP:
    """OAEP with SHA-256 for the label and for MGF1."""
    return OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=label)
