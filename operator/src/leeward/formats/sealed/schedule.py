"""What is derived from a file's data key: chunk key, key commitment, MAC keys.

HKDF-SHA256 (RFC 5869), salted with the file id, with one label per use. AES-GCM does not commit to
its key: two keys can be found under which one ciphertext opens (Dodis, Grubbs, Ristenpart, Woodage
2018; Len, Grubbs, Ristenpart 2021). The commitment is a collision-resistant function of the data
key, from which the chunk key follows, so a file opens under one data key only.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leeward.formats.sealed.errors import HeaderTampered, KeyCommitmentMismatch
from leeward.formats.sealed.layout import CORE_FIELDS_SIZE, CORE_MACED_SIZE

KEY_SIZE: Final = 32
LABEL_CHUNKS: Final = b"leeward LWE1 chunk key"
LABEL_COMMITMENT: Final = b"leeward LWE1 key commitment"
LABEL_HEADER_MAC: Final = b"leeward LWE1 header MAC key"
LABEL_SLOT_MAC: Final = b"leeward LWE1 slot MAC key"


def derive(key: bytes, file_id: bytes, label: bytes) -> bytes:
    """32 bytes of HKDF-SHA256 with the file id as salt and `label` as info."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_SIZE, salt=file_id, info=label).derive(key)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FileKeys:
    """The keys of one file, each of 32 bytes."""

    chunk_key: bytes
    commitment: bytes
    header_mac_key: bytes
    slot_mac_key: bytes

    @classmethod
    def of(cls, data_key: bytes, file_id: bytes) -> FileKeys:
        """Derive them from the 32-byte data key."""
        return cls(
            chunk_key=derive(data_key, file_id, LABEL_CHUNKS),
            commitment=derive(data_key, file_id, LABEL_COMMITMENT),
            header_mac_key=derive(data_key, file_id, LABEL_HEADER_MAC),
            slot_mac_key=derive(data_key, file_id, LABEL_SLOT_MAC),
        )

    def seal_header(self, fields: bytes) -> bytes:
        """The core header of 128 bytes: fields, key commitment, MAC."""
        maced = fields + self.commitment
        return maced + hmac.digest(self.header_mac_key, maced, hashlib.sha256)

    def check_header(self, header: bytes) -> None:
        """Check key commitment and MAC of the core header.

        Raises:
            KeyCommitmentMismatch: the core was sealed with another data key.
            HeaderTampered: the key is right, a field was changed.
        """
        if not hmac.compare_digest(self.commitment, header[CORE_FIELDS_SIZE:CORE_MACED_SIZE]):
            raise KeyCommitmentMismatch(
                "the recipients hold another data key than the file was sealed with: "
                "get the file again from its owner"
            )
        expected = hmac.digest(self.header_mac_key, header[:CORE_MACED_SIZE], hashlib.sha256)
        if not hmac.compare_digest(expected, header[CORE_MACED_SIZE:]):
            raise HeaderTampered(
                "the core header was changed after sealing: use an intact copy of the file"
            )

    def slot_mac(self, body: bytes) -> bytes:
        """HMAC-SHA256 over the body of a recipients slot."""
        return hmac.digest(self.slot_mac_key, body, hashlib.sha256)
