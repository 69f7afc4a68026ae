"""Detached signatures of files: what `leeward sign` writes and `leeward verify` reads.

docs/formats/signature.md gives the layout byte by byte. The default is a DSSE envelope around an
in-toto statement that holds the file's digest, so a file of any size is read once and memory is
constant, whatever the algorithm. The bare signatures (`sign_bare`) are those that OpenSSL makes and
checks.

The digest is as strong as the key: which one it is follows from the key, as the algorithm does. A
verifier believes nothing that the envelope says before its key has proven it.
"""

import hmac
from typing import Annotated, Final, Literal

from cryptography.hazmat.primitives import hashes
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leeward.formats.document import canonical_json
from leeward.formats.dsse import (
    Message,
    NotSignature,
    SignatureError,
    SigningAlgorithm,
    SigningKey,
    VerifyingKey,
    open_envelope,
    sign_envelope,
    signing_algorithm,
    verifying_key,
)
from leeward.formats.sealed.streams import ByteSource, read_full

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://leeward.dev/file-signature/v1"
"""The context: a statement of another predicate is no signature of a file."""

DIGESTS: Final[dict[SigningAlgorithm, hashes.HashAlgorithm]] = {
    "RSA_PSS": hashes.SHA256(),
    "ECDSA_P256": hashes.SHA256(),
    "ECDSA_P384": hashes.SHA384(),
    "ED25519": hashes.SHA256(),
    "ML_DSA_65": hashes.SHA512(),
}
"""Digest of the file, by algorithm of the key."""

_BUFFER: Final = 1 << 20
_ENVELOPED: Final = b"DSSEv1 "


class DigestMismatch(SignatureError):  # noqa: N818 - says what is wrong
    """The signature holds, and is of another file."""


class ReservedMessage(SignatureError):  # noqa: N818 - says what is wrong
    """The file begins as what is signed in envelopes does."""


class _Predicate(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    algorithm: str


class _Subject(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    digest: Annotated[dict[str, str], Field(min_length=1, max_length=1)]


class _Statement(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    predicate: _Predicate
    predicateType: Literal["https://leeward.dev/file-signature/v1"]  # noqa: N815 - on the wire
    subject: Annotated[list[_Subject], Field(min_length=1, max_length=1)]


def sign(file: ByteSource, key: SigningKey) -> bytes:
    """Sign what `file` holds, to its end; the envelope as canonical JSON.

    Raises:
        UnsuitableKey: `key` does not sign, or is too weak.
    """
    algorithm = signing_algorithm(key)
    statement = {
        "_type": STATEMENT_TYPE,
        "predicate": {"algorithm": algorithm},
        "predicateType": PREDICATE_TYPE,
        "subject": [{"digest": {_name(algorithm): _digest(file, algorithm).hex()}}],
    }
    return sign_envelope(PAYLOAD_TYPE, canonical_json(statement), key)


def verify(file: ByteSource, envelope: bytes, key: VerifyingKey) -> None:
    """Check that `key` signed exactly what `file` holds, to its end.

    The signature is checked before the file is read.

    Raises:
        NotSignature: `envelope` is none of a file's signature.
        OtherSigner: other keys signed.
        SignatureInvalid: the signature does not hold.
        DigestMismatch: it holds, and the file is another one.
        UnsuitableKey: `key` does not sign, or is too weak.
    """
    algorithm = signing_algorithm(key)
    statement = _read(open_envelope(envelope, PAYLOAD_TYPE, key))
    if statement.predicate.algorithm != algorithm:
        raise NotSignature(
            f"the statement was signed by a key of {algorithm} and names another algorithm: have"
            " the file signed again"
        )
    signed = statement.subject[0].digest.get(_name(algorithm))
    if signed is None:
        raise NotSignature(
            f"the statement holds no {_name(algorithm)} digest, which a key of {algorithm} signs:"
            " have the file signed again"
        )
    if not hmac.compare_digest(_digest(file, algorithm).hex().encode(), signed.encode()):
        raise DigestMismatch(
            "the signature is genuine, but of another file or of another state of it: do not use"
            " the file, and get the one that was signed"
        )


def sign_bare(file: ByteSource, key: SigningKey) -> bytes:
    """The bare signature over what `file` holds, as OpenSSL makes it.

    Raises:
        UnsuitableKey: `key` does not sign, or is too weak.
        MessageTooLarge: more than 256 MiB by an Ed25519 key.
        ReservedMessage: the file begins with ``DSSEv1`` and a blank: its signature could be put
            into an envelope, as one over a statement that nobody made.
    """
    return _message(file, verifying_key(key)).sign(key)


def verify_bare(file: ByteSource, signature: bytes, key: VerifyingKey) -> None:
    """Check a bare signature over what `file` holds.

    Raises:
        SignatureInvalid: it does not hold.
        UnsuitableKey, MessageTooLarge, ReservedMessage: see `sign_bare`.
    """
    _message(file, key).verify(signature)


def _message(file: ByteSource, key: VerifyingKey) -> Message:
    message = Message(key)
    buffer = memoryview(bytearray(_BUFFER))
    first = True
    while count := read_full(file, buffer):
        if first and bytes(buffer[: len(_ENVELOPED)]) == _ENVELOPED:
            raise ReservedMessage(
                "the file begins with DSSEv1, as what is signed in envelopes does, so a bare"
                " signature of it could be taken for another one: sign it in an envelope"
            )
        first = False
        message.update(buffer[:count])
    return message


def _digest(file: ByteSource, algorithm: SigningAlgorithm) -> bytes:
    digest = hashes.Hash(DIGESTS[algorithm])
    buffer = memoryview(bytearray(_BUFFER))
    while count := read_full(file, buffer):
        digest.update(buffer[:count])
    return digest.finalize()


def _name(algorithm: SigningAlgorithm) -> str:
    return DIGESTS[algorithm].name


def _read(payload: bytes) -> _Statement:
    try:
        return _Statement.model_validate_json(payload)
    except ValidationError:
        # Without its cause, which quotes what was read.
        raise NotSignature(
            "the envelope holds another statement than the signature of a file: give the file"
            " that `leeward sign` wrote"
        ) from None
