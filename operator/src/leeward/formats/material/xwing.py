"""Key pairs of ML-KEM-768 with X25519, known as X-Wing, as the library does not store them.

The library's HPKE takes the two halves of such a pair and has no encoding for both. The seed, its
expansion and the encodings are those of draft-connolly-cfrg-xwing-kem-11 (sections 5.2 and 6,
appendix D): SHAKE-256 of the 32-byte seed gives the 64-byte seed of ML-KEM-768 (FIPS 203: d, z) and
the X25519 private key. Both DER encodings have one form and one length only, so a fixed prefix
stands for an ASN.1 parser.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

from leeward.formats.material.errors import InvalidMaterial

SEED_SIZE: Final = 32
PUBLIC_SIZE: Final = 1216
_MLKEM_SEED_SIZE: Final = 64
_MLKEM_PUBLIC_SIZE: Final = 1184

_ALGORITHM: Final = bytes.fromhex("300d060b2b0601040183e62d81c87a")
"""AlgorithmIdentifier 1.3.6.1.4.1.62253.25722, without parameters."""
_PUBLIC_PREFIX: Final = bytes.fromhex("308204d4") + _ALGORITHM + bytes.fromhex("038204c100")
_PRIVATE_PREFIX: Final = bytes.fromhex("3034020100") + _ALGORITHM + bytes.fromhex("0420")

_ARMOUR: Final = re.compile(
    rb"-----BEGIN (PUBLIC|PRIVATE) KEY-----\s([A-Za-z0-9+/=\s]*)-----END \1 KEY-----"
)
_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class XWingPublicKey:
    """The public half.

    Attributes:
        raw: 1216 bytes, ML-KEM-768 first.
    """

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_SIZE:
            raise InvalidMaterial(
                f"a public key of ML-KEM-768 with X25519 has {PUBLIC_SIZE} bytes, "
                f"not {len(self.raw)}"
            )
        try:
            self.for_hpke()
        except ValueError as error:
            raise InvalidMaterial(
                "the ML-KEM-768 half of the public key is not valid (FIPS 203, section 7.2)"
            ) from error

    @classmethod
    def from_pem(cls, pem: bytes) -> Self | None:
        """Load PEM SubjectPublicKeyInfo; None where it holds something else.

        Raises:
            InvalidMaterial: it names X-Wing, and is not a valid key.
        """
        raw = _unwrapped(pem, b"PUBLIC", _PUBLIC_PREFIX)
        return None if raw is None else cls(raw)

    def for_hpke(self) -> MLKEM768X25519PublicKey:
        """The key as the library's HPKE takes it."""
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC_SIZE]),
            X25519PublicKey.from_public_bytes(self.raw[_MLKEM_PUBLIC_SIZE:]),
        )

    def to_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return _PUBLIC_PREFIX + self.raw

    def to_pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo."""
        return _armoured(b"PUBLIC", self.to_der())


@dataclass(frozen=True, slots=True, eq=False)
class XWingPrivateKey:
    """The private half.

    Attributes:
        seed: 32 secret bytes, from which everything follows.
    """

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_SIZE:
            raise InvalidMaterial(
                f"a key of HPKE_MLKEM768_X25519 is a seed of {SEED_SIZE} bytes, "
                f"not {len(self.seed)}"
            )

    @classmethod
    def from_pem(cls, pem: bytes) -> Self | None:
        """Load unencrypted PEM PKCS#8; None where it holds something else.

        Raises:
            InvalidMaterial: it names X-Wing, and is not a valid key.
        """
        seed = _unwrapped(pem, b"PRIVATE", _PRIVATE_PREFIX)
        return None if seed is None else cls(seed)

    def for_hpke(self) -> MLKEM768X25519PrivateKey:
        """The key as the library's HPKE takes it."""
        return MLKEM768X25519PrivateKey(*self._halves())

    def public_key(self) -> XWingPublicKey:
        """The public half."""
        mlkem, x25519 = self._halves()
        return XWingPublicKey(
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    def to_pem(self) -> bytes:
        """Unencrypted PEM PKCS#8."""
        return _armoured(b"PRIVATE", _PRIVATE_PREFIX + self.seed)

    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed).digest(_MLKEM_SEED_SIZE + SEED_SIZE)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_SIZE]),
            X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_SIZE:]),
        )


def _unwrapped(pem: bytes, kind: bytes, prefix: bytes) -> bytes | None:
    found = _ARMOUR.search(pem)
    if found is None or found[1] != kind:
        return None
    try:
        der = base64.b64decode(b"".join(found[2].split()), validate=True)
    except binascii.Error:
        return None
    if _ALGORITHM not in der[: len(prefix)]:
        return None
    if not der.startswith(prefix):
        raise InvalidMaterial(
            "the key names ML-KEM-768 with X25519 (X-Wing), and its encoding is not that of "
            "draft-connolly-cfrg-xwing-kem: export it again"
        )
    return der[len(prefix) :]


def _armoured(kind: bytes, der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    begin, end = (b"-----%b %b KEY-----" % (word, kind) for word in (b"BEGIN", b"END"))
    return b"\n".join([begin, *lines, end, b""])
