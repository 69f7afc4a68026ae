"""Signatures in DSSE envelopes, by the five signing algorithms.

DSSE (Dead Simple Signing Envelope 1.0.2, secure-systems-lab/dsse) signs a payload together with its
type. Which algorithm a signature is checked by follows from the type of the verifier's key, never
from anything in the envelope.

    RSA_PSS      RFC 8017: SHA-256, MGF1 with SHA-256, salt of 32 bytes
    ECDSA_P256   FIPS 186-5: SHA-256, nonce by RFC 6979, DER (RFC 3279)
    ECDSA_P384   the same with SHA-384
    ED25519      RFC 8032, pure: 64 bytes
    ML_DSA_65    FIPS 204, pure, empty context: 3309 bytes
"""

import base64
import binascii
import json
import re
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import (
    MLDSA65PrivateKey,
    MLDSA65PublicKey,
    MLDSAMuHasher,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leeward.formats.document import canonical_json
from leeward.formats.material import InvalidMaterial, check_public, fingerprint

SigningAlgorithm = Literal["RSA_PSS", "ECDSA_P256", "ECDSA_P384", "ED25519", "ML_DSA_65"]
SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | MLDSA65PrivateKey
VerifyingKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | MLDSA65PublicKey

MAX_ENVELOPE: Final = 1 << 20
"""Bytes of an envelope that a verifier looks at."""
MAX_WHOLE_MESSAGE: Final = 256 << 20
"""Bytes of a message by Ed25519, which must be in memory as a whole: it is hashed twice."""

_MAX_SIGNATURES: Final = 16
_SALT: Final = 32
_KEY_ID: Final = re.compile("[0-9a-f]{32}")
_DIGESTS: Final[dict[SigningAlgorithm, hashes.HashAlgorithm]] = {
    "RSA_PSS": hashes.SHA256(),
    "ECDSA_P256": hashes.SHA256(),
    "ECDSA_P384": hashes.SHA384(),
}
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), _SALT)


class SignatureError(Exception):
    """A signature cannot be made or does not hold; the message says why and what to do."""


class UnsuitableKey(SignatureError):  # noqa: N818 - says what is wrong
    """The key is not one of a signing algorithm, or is too weak."""


class NotSignature(SignatureError):  # noqa: N818 - says what is wrong
    """What should be an envelope is something else."""


class OtherSigner(SignatureError):  # noqa: N818 - says what is wrong
    """The envelope names other keys than the one that was given."""


class SignatureInvalid(SignatureError):  # noqa: N818 - says what is wrong
    """The signature does not belong to this message and this key."""


class MessageTooLarge(SignatureError):  # noqa: N818 - says what is wrong
    """The message is too large to be signed as a whole."""


def signing_algorithm(key: object) -> SigningAlgorithm:
    """The algorithm that a key signs or is verified by, private or public.

    Raises:
        UnsuitableKey: it seals, is on another curve or of another kind, or is RSA of other than
            3072 or 4096 bits.
    """
    public = key.public_key() if isinstance(key, SigningKey) else key
    if isinstance(public, rsa.RSAPublicKey):
        try:
            check_public("RSA_PSS", public)
        except InvalidMaterial as error:
            raise UnsuitableKey(f"{error}; make another key") from error
        return "RSA_PSS"
    if isinstance(public, ec.EllipticCurvePublicKey):
        if isinstance(public.curve, ec.SECP256R1):
            return "ECDSA_P256"
        if isinstance(public.curve, ec.SECP384R1):
            return "ECDSA_P384"
        raise UnsuitableKey(
            f"no signatures are made on curve {public.curve.name}: use one of P-256 or P-384"
        )
    if isinstance(public, Ed25519PublicKey):
        return "ED25519"
    if isinstance(public, MLDSA65PublicKey):
        return "ML_DSA_65"
    raise UnsuitableKey(
        "the key is not one that signs: use one of RSA_PSS, ECDSA_P256, ECDSA_P384, ED25519 or"
        " ML_DSA_65"
    )


def verifying_key(key: object) -> VerifyingKey:
    """The public half of a key that signs or verifies.

    Raises:
        UnsuitableKey: see `signing_algorithm`.
    """
    signing_algorithm(key)
    public = key.public_key() if isinstance(key, SigningKey) else key
    if not isinstance(public, VerifyingKey):
        raise UnsuitableKey("the key is not one that signs")
    return public


def key_id(key: VerifyingKey) -> str:
    """The ``keyid`` of a public half: its fingerprint, 32 hexadecimal digits."""
    return fingerprint(key).hex()


class Message:
    """A message that is signed or verified, taken in pieces.

    Memory is constant but for Ed25519, which needs the whole message.
    """

    def __init__(self, key: VerifyingKey) -> None:
        """Begin a message for the holder of `key`.

        Raises:
            UnsuitableKey: see `signing_algorithm`.
        """
        self._key = key
        digest = _DIGESTS.get(signing_algorithm(key))
        self._taken: MLDSAMuHasher | hashes.Hash | bytearray = bytearray()
        if isinstance(key, MLDSA65PublicKey):
            self._taken = MLDSAMuHasher(key)
        elif digest is not None:
            self._taken = hashes.Hash(digest)

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece.

        Raises:
            MessageTooLarge: more than 256 MiB for Ed25519.
        """
        if not isinstance(self._taken, bytearray):
            self._taken.update(piece)
            return
        if len(self._taken) + len(piece) > MAX_WHOLE_MESSAGE:
            raise MessageTooLarge(
                "Ed25519 by itself signs a message as a whole, here of at most"
                f" {MAX_WHOLE_MESSAGE >> 20} MiB: sign its digest instead, in an envelope, or use"
                " a key of ECDSA_P256"
            )
        self._taken += piece

    def sign(self, key: SigningKey) -> bytes:
        """The signature, by the private half of the key that the message was begun for."""
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(bytes(self._signed()), _PSS, self._prehashed())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(self._signed(), ec.ECDSA(self._prehashed(), deterministic_signing=True))
        if isinstance(key, MLDSA65PrivateKey):
            return key.sign_mu(self._signed())
        return key.sign(self._signed())

    def verify(self, signature: bytes) -> None:
        """Check a signature over what was taken.

        Raises:
            SignatureInvalid: it is of another message or another key.
        """
        key = self._key
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, bytes(self._signed()), _PSS, self._prehashed())
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, self._signed(), ec.ECDSA(self._prehashed()))
            elif isinstance(key, MLDSA65PublicKey):
                key.verify_mu(signature, self._signed())
            else:
                key.verify(signature, self._signed())
        except (InvalidSignature, ValueError):
            raise SignatureInvalid(
                "the signature does not fit: what was signed or the signature was changed, or"
                " another key signed; do not use it, and ask its sender for both again"
            ) from None

    def _signed(self) -> bytes | bytearray:
        """What the primitive signs: a digest, ML-DSA's mu, or the message itself."""
        if isinstance(self._taken, bytearray):
            return self._taken
        return self._taken.copy().finalize()

    def _prehashed(self) -> Prehashed:
        return Prehashed(_DIGESTS[signing_algorithm(self._key)])


class EnvelopeSignature(BaseModel):
    """One signature of an envelope; ``keyid`` is a hint and is proven by nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    keyid: Annotated[str, Field(max_length=1024)] = ""
    sig: str


class Envelope(BaseModel):
    """The JSON envelope; fields that DSSE does not know are ignored, as it asks for."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    payloadType: str  # noqa: N815 - the name on the wire
    payload: str
    signatures: Annotated[list[EnvelopeSignature], Field(min_length=1, max_length=_MAX_SIGNATURES)]


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, key: SigningKey) -> bytes:
    """An envelope with one signature, as canonical JSON with a line feed at the end.

    Raises:
        UnsuitableKey: see `signing_algorithm`.
    """
    public = verifying_key(key)
    message = Message(public)
    message.update(pae(payload_type, payload))
    signature = {"keyid": key_id(public), "sig": _base64(message.sign(key))}
    envelope = {
        "payload": _base64(payload),
        "payloadType": payload_type,
        "signatures": [signature],
    }
    return canonical_json(envelope) + b"\n"


def open_envelope(data: bytes, payload_type: str, key: VerifyingKey) -> bytes:
    """The payload of an envelope that `key` signed; signatures of others are left aside.

    Raises:
        NotSignature: `data` is no envelope, or one with another type of payload.
        OtherSigner: it was signed by other keys only.
        SignatureInvalid: the signature does not hold.
        UnsuitableKey: see `signing_algorithm`.
    """
    envelope = _read(data)
    if envelope.payloadType != payload_type:
        raise NotSignature(
            "the envelope holds another type of payload than was asked for: give the file that"
            " belongs here"
        )
    payload = _unbase64(envelope.payload)
    signatures = [(each.keyid, _unbase64(each.sig)) for each in envelope.signatures]
    own = key_id(key)
    message = Message(key)
    message.update(pae(payload_type, payload))
    failed = None
    for named, signature in signatures:
        try:
            message.verify(signature)
        except SignatureInvalid as error:
            if named == own:
                failed = error
            continue
        return payload
    if failed is not None:
        raise failed
    raise OtherSigner(
        f"the signature is by another key than the one given, which is {own}; the file names"
        f" {_named(signatures)}: give the public half of the one who signed"
    )


def _named(signatures: list[tuple[str, bytes]]) -> str:
    """Names of keys in an error: only those that look like ours, since anybody can write them."""
    ids = {
        name for name, _ in signatures if len(name) == 32 and set(name) <= set("0123456789abcdef")
    }
    return " and ".join(sorted(ids)) or "none that could be told"


def _read(data: bytes) -> Envelope:
    if len(data) > MAX_ENVELOPE:
        raise NotSignature(
            f"it is larger than any signature ({MAX_ENVELOPE >> 20} MiB): give the signature, not"
            " the file that was signed"
        )
    try:
        return Envelope.model_validate(json.loads(data))
    except (ValidationError, ValueError, RecursionError):
        # Without its cause, which quotes what was read.
        raise NotSignature(
            "it is no signature envelope (DSSE, in JSON): give the file that `leeward sign` wrote"
        ) from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    """Standard or URL-safe Base64: DSSE has verifiers take both."""
    try:
        return base64.b64decode(text.encode("ascii").translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        raise NotSignature(
            "the envelope holds something that is not Base64: give an intact copy of the signature"
        ) from None


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
