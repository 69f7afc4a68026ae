"""LWE1: one sealed file format for data, checkpoints and models.

docs/formats/lwe1.md gives the layout byte by byte, docs/adr/0003-sealed-format.md the reasons. A
file is an immutable core (AES-256-GCM or ChaCha20-Poly1305 chunks in STREAM construction, under a
data key of its own) and two recipients slots in front of it that can be rewritten in place.

    seal    seal_stream, SealedWriter, seal_file
    open    open_stream, SealedReader (ranges), open_file, open_reader
    keys    recipient_of, unwrapper_of, recipient_from_pem, unwrapper_from_pem, and the classes
    else    inspect, rewrap, reencrypt, core_digest, and the same by path in `files`

Nothing here may import a clock, an event loop, Kopf or Kubernetes. Only `files` opens paths; all
else works on file objects handed to it. Randomness is a parameter. It hides neither the length of
the plaintext nor who the recipients are, and shows no origin: that is what receipts are for.
"""

from leeward.formats.sealed.digest import core_digest
from leeward.formats.sealed.errors import (
    ChunkTampered,
    DigestMismatch,
    HeaderTampered,
    InvalidKey,
    KeyCommitmentMismatch,
    NoKeyForFile,
    NotSealed,
    PlaintextTooLarge,
    RecipientsInvalid,
    RecipientsTampered,
    RewrapInProgress,
    SealedError,
    TargetExists,
    TooManyRecipients,
    TrailingData,
    Truncated,
    UnsupportedVersion,
)
from leeward.formats.sealed.files import (
    digest_file,
    inspect_file,
    locked,
    open_file,
    open_reader,
    reencrypt_file,
    reencrypt_to,
    replace_content,
    rewrap_file,
    seal_file,
    unlock_file,
)
from leeward.formats.sealed.info import RecipientInfo, SealedInfo, inspect
from leeward.formats.sealed.keys import (
    SEALING_ALGORITHMS,
    ArtefactChaCha20Key,
    ArtefactFernetKey,
    ArtefactKey,
    HpkeHybridPrivateKey,
    HpkeHybridPublicKey,
    HpkeP256PrivateKey,
    HpkeP256PublicKey,
    HpkePrivateKey,
    HpkePublicKey,
    PrivateHalf,
    PublicHalf,
    Recipient,
    RsaOaepPrivateKey,
    RsaOaepPublicKey,
    SymmetricKey,
    Unwrapper,
    recipient_from_pem,
    recipient_of,
    unwrapper_from_pem,
    unwrapper_of,
)
from leeward.formats.sealed.layout import DEFAULT_CHUNK_SIZE, MAX_RECIPIENTS
from leeward.formats.sealed.reader import SealedReader
from leeward.formats.sealed.reencrypt import reencrypt
from leeward.formats.sealed.rewrap import rewrap
from leeward.formats.sealed.stream import open_stream
from leeward.formats.sealed.writer import ChunkAlgorithm, SealedWriter, seal_stream

__all__ = [
    "DEFAULT_CHUNK_SIZE",
    "MAX_RECIPIENTS",
    "SEALING_ALGORITHMS",
    "ArtefactChaCha20Key",
    "ArtefactFernetKey",
    "ArtefactKey",
    "ChunkAlgorithm",
    "ChunkTampered",
    "DigestMismatch",
    "HeaderTampered",
    "HpkeHybridPrivateKey",
    "HpkeHybridPublicKey",
    "HpkeP256PrivateKey",
    "HpkeP256PublicKey",
    "HpkePrivateKey",
    "HpkePublicKey",
    "InvalidKey",
    "KeyCommitmentMismatch",
    "NoKeyForFile",
    "NotSealed",
    "PlaintextTooLarge",
    "PrivateHalf",
    "PublicHalf",
    "Recipient",
    "RecipientInfo",
    "RecipientsInvalid",
    "RecipientsTampered",
    "RewrapInProgress",
    "RsaOaepPrivateKey",
    "RsaOaepPublicKey",
    "SealedError",
    "SealedInfo",
    "SealedReader",
    "SealedWriter",
    "SymmetricKey",
    "TargetExists",
    "TooManyRecipients",
    "TrailingData",
    "Truncated",
    "UnsupportedVersion",
    "Unwrapper",
    "core_digest",
    "digest_file",
    "inspect",
    "inspect_file",
    "locked",
    "open_file",
    "open_reader",
    "open_stream",
    "recipient_from_pem",
    "recipient_of",
    "reencrypt",
    "reencrypt_file",
    "reencrypt_to",
    "replace_content",
    "rewrap",
    "rewrap_file",
    "seal_file",
    "seal_stream",
    "unlock_file",
    "unwrapper_from_pem",
    "unwrapper_of",
]
